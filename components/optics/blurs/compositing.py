"""An object that moves one way before a background that moves another, seen through an open
shutter.

With matte α, light f of the object and b of what is behind it, both moving, the sensor gathers
(Porter and Duff 1984 "over", premultiplied, averaged over the exposure T):

    B = 1/T ∫ (α f)(x − p(t)) + (1 − α(x − p(t))) b(x − q(t)) dt

The first half is a convolution. The second is one too wherever the object never or always is; along
its outline, where it uncovers and covers the background, it is summed moment by moment: A = mean of
α(x − p), times 1 − A the mean of what was visible.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from components.optics.blurs.convolve import convolved
from components.optics.blurs.drawn_blur import Floats
from components.optics.blurs.filter_flow import surrounded
from components.optics.blurs.splat import splatted, trimmed

Doubles = npt.NDArray[np.float64]
Box = tuple[int, int, int, int]  # top, bottom, left, right

STRIP_ROWS = 96  # summed at a time, so that the sums stay in the cache
MOMENT_PX = 1.0  # between moments along the outline, at most
EVEN_PX = 7  # of an outline that are evened out before the background is mirrored at it
STILL_PX = 0.25  # a background that moves less is still


def composited(light: Floats, matte: Floats, foreground_px: Doubles, background_px: Doubles) -> Floats:
    """What a photo becomes when what the matte shows moves along one path and the rest along
    another.

    light: (H, W) or (H, W, C) float32; the object is what it shows within the matte, the background
    beneath is made up (`behind`).
    matte: (H, W) float32, 0 outside the object to 1 inside it.
    foreground_px, background_px: (n, 2) displacements from where things are in `light`, x then y,
    at n even moments of the exposure.
    Returns float32 of light's shape. Borders are reflected; a plain photo stays as it is.
    Raises ValueError where the shapes do not fit.
    """
    if matte.shape != light.shape[:2]:
        raise ValueError(
            f"the matte is {matte.shape[1]} × {matte.shape[0]} px, the photo {light.shape[1]} ×"
            f" {light.shape[0]} px; they must be alike"
        )
    if foreground_px.shape != background_px.shape or foreground_px.ndim != 2 or foreground_px.shape[1] != 2:
        raise ValueError(
            f"both paths must be (n, 2), at the same moments; got {foreground_px.shape} and"
            f" {background_px.shape}"
        )
    photo = light[:, :, 0] if light.ndim == 3 and light.shape[2] == 1 else light
    deepest = sum(float(np.linalg.norm(path, axis=1).max()) for path in (foreground_px, background_px)) + 2
    filled = behind(photo, matte, deepest)
    blurred = convolved(filled, kernel_of(background_px))
    box = _bounds(matte > 0, math.ceil(float(np.abs(foreground_px).max())) + 1)
    if box is not None:
        top, bottom, left, right = box
        part = np.ascontiguousarray(matte[top:bottom, left:right])
        kernel = kernel_of(foreground_px)
        covered = convolved(part, kernel)
        place = blurred[top:bottom, left:right]
        if float(np.ptp(background_px, axis=0).max()) > STILL_PX:
            moments = _moments(foreground_px, background_px)
            reach = math.ceil(max(float(np.abs(path).max()) for path in moments)) + 2
            _replace_by_visible(
                place, covered, surrounded(filled, box, reach), surrounded(1 - matte, box, reach), moments
            )
        place *= _per_channel(np.maximum(1 - covered, 0), photo)
        place += convolved(photo[top:bottom, left:right] * _per_channel(part, photo), kernel)
    return blurred.reshape(light.shape)


def behind(light: Floats, matte: Floats, deepest_px: float = math.inf) -> Floats:
    """The photo without the object: its place filled by what surrounds it, mirrored at its outline,
    which keeps texture and noise.

    Each point within takes the light of its mirror image across the nearest point outside (the way
    there evened out over EVEN_PX, for outlines are jagged); where that lies within the object too,
    or beyond the photo, the light of that nearest point itself. An object that fills the photo is
    left in it.

    light: (H, W) or (H, W, C) float32; matte: (H, W), the object is where it is above 0.
    deepest_px: further inside the outline the object is left, where no motion will ever show what
    is behind it.
    Returns a new array.
    """
    whole = light.copy()
    box = _bounds(matte > 0, 1)
    if box is None or matte.min() > 0:
        return whole
    top, bottom, left, right = box
    inside = matte[top:bottom, left:right] > 0
    depth, labels = cv2.distanceTransformWithLabels(
        inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    free = np.flatnonzero(~inside)
    nearest = np.empty(free.size + 1, np.intp)
    nearest[labels.ravel()[free]] = free
    hidden = inside & (depth <= deepest_px)
    # Ways are evened out with those deeper in, and with none at all outside.
    known = inside & (depth <= deepest_px + EVEN_PX)
    near = np.divmod(nearest[labels[known]], inside.shape[1])
    ways = []
    for here, there in zip(np.nonzero(known), near, strict=True):
        way = np.zeros(inside.shape, np.float32)
        way[known] = there - here
        ways.append((way, cv2.blur(way, (EVEN_PX, EVEN_PX), borderType=cv2.BORDER_REPLICATE)))
    rows, columns = np.nonzero(hidden)
    sources = [here + 2 * even[hidden] for here, (_, even) in zip((rows, columns), ways, strict=True)]
    useless = _within_object_or_beyond(matte, sources[0] + top, sources[1] + left)
    maps = []
    for source, here, (way, _), first in zip(sources, (rows, columns), ways, (top, left), strict=True):
        source[useless] = (here + way[hidden])[useless]
        place = np.zeros(inside.shape, np.float32)
        place[hidden] = source + first
        maps.append(place)
    mirrored = cv2.remap(light, maps[1], maps[0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    whole[top:bottom, left:right][hidden] = mirrored[hidden]
    return whole


def _within_object_or_beyond(matte: Floats, rows: Doubles, columns: Doubles) -> npt.NDArray[np.bool_]:
    """Which places show some of the object in one of their four pixels, or lie beyond the photo."""
    height, width = matte.shape
    found = (rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    for row in (np.floor(rows), np.ceil(rows)):
        for column in (np.floor(columns), np.ceil(columns)):
            found |= matte[row.astype(np.intp), column.astype(np.intp)] > 0
    return np.asarray(found, dtype=np.bool_)


def kernel_of(path_px: Doubles) -> Floats:
    """What a bright point that moves along a path of even moments, (n, 2) px, becomes: (h, w)
    float32, both odd, summing to 1.
    """
    return trimmed(splatted(path_px[None], np.full(len(path_px), 1 / len(path_px)))[0])


def _replace_by_visible(
    place: Floats, covered: Floats, filled: Floats, free: Floats, moments: tuple[Doubles, Doubles]
) -> None:
    """Along the object's outline, put the mean of the background while it was visible into `place`,
    a part of the photo.

    covered: the share of the exposure during which the object covers each pixel of the part.
    filled, free: the background, and one less the matte, with the same number of px more on every
    side. Moments are rounded to half pixels, so that all of them are views of four pictures: 0.001
    RMS off in textured light. Where they and the finer `covered` disagree by a rounding on whether
    anything was visible, the background's own mean stays.
    """
    reach = (len(free) - len(place)) // 2
    outline = (covered > 0) & (covered < 1)
    there, back = (np.rint(path * 2).astype(int).tolist() for path in moments)
    for start in range(0, len(place), STRIP_ROWS):
        strip = outline[start : start + STRIP_ROWS]
        lit = np.flatnonzero(strip.any(axis=0))
        if lit.size == 0:
            continue
        first, end = int(lit[0]), int(lit[-1]) + 1
        strip = strip[:, first:end]
        around = np.s_[start : start + len(strip) + 2 * reach, first : end + 2 * reach]
        free_each, filled_each = _half_pixels(free[around]), _half_pixels(filled[around])
        wide_each = [[_per_channel(picture, place) for picture in pair] for pair in free_each]
        light, time = (
            np.zeros((*strip.shape, *place.shape[2:]), np.float32),
            np.zeros(strip.shape, np.float32),
        )
        for over, under in zip(there, back, strict=True):
            cv2.accumulateProduct(
                _moved(wide_each, over, reach, strip.shape),
                _moved(filled_each, under, reach, strip.shape),
                light,
            )
            cv2.accumulate(_moved(free_each, over, reach, strip.shape), time)
        visible = strip & (time > 1e-3)
        place[start : start + STRIP_ROWS, first:end][visible] = (light[visible].T / time[visible]).T


def _half_pixels(picture: Floats) -> list[list[Floats]]:
    """The picture moved by 0 and ½ px down (first) and right (second), bilinear, without its first
    row and column.
    """
    lower = cv2.addWeighted(picture[1:], 0.5, picture[:-1], 0.5, 0)
    return [
        [moved[:, 1:], cv2.addWeighted(moved[:, 1:], 0.5, moved[:, :-1], 0.5, 0)]
        for moved in (picture[1:], lower)
    ]


def _moved(
    pictures: list[list[Floats]], half_pixels: list[int], reach: int, shape: tuple[int, ...]
) -> Floats:
    """What `_half_pixels` made, moved by (x, y) half pixels, without the `reach` px on every side
    that it was larger.
    """
    x, y = half_pixels
    row, column = reach - 1 - y // 2, reach - 1 - x // 2
    return pictures[y % 2][x % 2][row : row + shape[0], column : column + shape[1]]


def _moments(foreground_px: Doubles, background_px: Doubles) -> tuple[Doubles, Doubles]:
    """Both paths at fewer moments, none of which moves anything by more than MOMENT_PX: means of
    equal stretches of time.
    """
    count = len(foreground_px)
    longest = max(
        float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()) for path in (foreground_px, background_px)
    )
    fewest = min(count, max(1, math.ceil(longest / MOMENT_PX)))
    stretches = next(stretches for stretches in range(fewest, count + 1) if count % stretches == 0)
    first, second = (path.reshape(stretches, -1, 2).mean(axis=1) for path in (foreground_px, background_px))
    return first, second


def _bounds(lit: npt.NDArray[np.bool_], more: int) -> Box | None:
    """The smallest box around what is lit, `more` px larger on every side but within the photo."""
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if rows.size == 0:
        return None
    height, width = lit.shape
    return (
        max(int(rows[0]) - more, 0),
        min(int(rows[-1]) + 1 + more, height),
        max(int(columns[0]) - more, 0),
        min(int(columns[-1]) + 1 + more, width),
    )


def _per_channel(matte: Floats, photo: Floats) -> Floats:
    """A matte repeated for each of the photo's channels."""
    return matte if photo.ndim == 2 else np.asarray(cv2.merge([matte] * photo.shape[2]), dtype=np.float32)
