"""Side-by-side pictures: input | restored | target | error, for the photo that gained most, the
median one and the one that gained least.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from components.core.baseline import Words
from components.core.records import PhotoScore
from components.evaluate.config import SheetName
from components.evaluate.summary import gain_of, ranked
from components.metrics import METRICS, PRIMARY, primary_of

Bytes8 = npt.NDArray[np.uint8]

PANEL_PX = 384  # width of one panel, and the most it is high
DETAIL_PX = 192  # side of the magnified region
GAP_PX = 12
INK, FAINT, PAPER, MARK = "#1b1f24", "#5b6570", "#ffffff", (255, 214, 10)


def picked(scores: Sequence[PhotoScore], names: Sequence[SheetName]) -> dict[SheetName, PhotoScore]:
    """Which photo each sheet shows, by gain in the primary metric; of an even number the median is
    the better of the middle two.
    """
    order = ranked(scores)
    place: dict[SheetName, int] = {"best": 0, "median": (len(order) - 1) // 2, "worst": len(order) - 1}
    return {name: order[place[name]] for name in names}


def draw_sheet(
    title: str,
    score: PhotoScore,
    words: Words,
    *,
    input: Bytes8,
    restored: Bytes8,
    target: Bytes8 | None,
    error_gain: float = 4.0,
) -> Bytes8:
    """One sheet: four panels of the whole photo and, when it is larger than a panel shows well,
    four of a region at pixel level.

    title: what the sheet shows, such as "best of 12". input, restored, target: (H, W, 3) uint8 of
    one size; a small input comes enlarged. target None: there is none, and three panels show what was
    changed instead of what is wrong.
    Returns (h, w, 3) uint8. The region is where `input` is farthest from `target`, so it is the
    same one for every checkpoint; without a target where most was changed.
    """
    nothing = () if words.input == words.nothing else (f"{words.nothing}:",)
    captions = {
        words.input: (*nothing, *_numbers(score.do_nothing)),
        words.restored: _numbers(score.restored),
    }
    gained = METRICS[primary_of(score.restored)].text(gain_of(score), signed=True)
    blur = f", {score.severity_class}, {score.severity:.1f} px" if score.severity else ""
    height, width = input.shape[:2]
    about = f"pair {score.pair[:16]} · {score.blur_kind}{blur} · {width} × {height} px"
    if target is None:
        change = f"change ×{error_gain:g}"
        photos = [input, restored, amplified_error(restored, input, error_gain)]
        captions |= {change: (f"|{words.restored} − {words.input}|",)}
    else:
        error = f"error ×{error_gain:g}"
        photos = [input, restored, target, amplified_error(restored, target, error_gain)]
        captions |= {words.target: (), error: (f"|{words.restored} − {words.target}|",)}
    return draw_panels(f"{title}: {gained}", about, captions, photos, target=min(2, len(photos) - 2))


def draw_panels(
    title: str,
    about: str,
    captions: Mapping[str, tuple[str, ...]],
    photos: Sequence[Bytes8],
    *,
    target: int,
) -> Bytes8:
    """A row of whole photos, each below its name and numbers, and where they are larger than a panel
    shows well a second row of the region in which the first is farthest from the target.

    photos: (H, W, 3) uint8 of one size, in the captions' order; target: which of them it is.
    """
    height, width = photos[target].shape[:2]
    rows = [[_fitted(photo) for photo in photos]]
    if max(height, width) > PANEL_PX * 0.75 and min(height, width) > DETAIL_PX:
        top, left = where_farthest(photos[0], photos[target], DETAIL_PX)
        box = (slice(top, top + DETAIL_PX), slice(left, left + DETAIL_PX))
        factor = PANEL_PX // DETAIL_PX
        rows = [[_fitted(_marked(photo, top, left)) for photo in photos]]
        rows += [[photo[box].repeat(factor, 0).repeat(factor, 1) for photo in photos]]
    return _composed(title, about, captions, rows)


def amplified_error(restored: Bytes8, target: Bytes8, gain: float) -> Bytes8:
    """How far each value is off, `gain` times over, cut at white; black where nothing is wrong."""
    off = np.abs(restored.astype(np.int16) - target.astype(np.int16)) * gain
    return np.minimum(off, 255).astype(np.uint8)


def where_farthest(input: Bytes8, target: Bytes8, size_px: int) -> tuple[int, int]:
    """Top and left of the square region in which the input differs most from the target."""
    off = (input.astype(np.float32) - target.astype(np.float32)) ** 2
    total = cv2.integral(off.sum(2), sdepth=cv2.CV_64F)
    inside = (
        total[size_px:, size_px:]
        - total[:-size_px, size_px:]
        - total[size_px:, :-size_px]
        + total[:-size_px, :-size_px]
    )
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(top), int(left)


def _numbers(values: Mapping[str, float]) -> tuple[str, ...]:
    """Values in a caption, each led by its metric's name but the primary one."""
    return tuple(
        METRICS[name].text(value) if name == PRIMARY else f"{METRICS[name].title} {METRICS[name].text(value)}"
        for name, value in values.items()
    )


def _fitted(photo: Bytes8) -> Bytes8:
    """A photo as large as its panel, whole."""
    height, width = photo.shape[:2]
    share = PANEL_PX / max(height, width)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS))


def _marked(photo: Bytes8, top: int, left: int) -> Bytes8:
    """The photo with a frame around the region that is magnified below, two px wide once it is
    shrunk.
    """
    framed = np.ascontiguousarray(photo.copy())
    stroke = max(1, round(2 * max(photo.shape[:2]) / PANEL_PX))
    cv2.rectangle(framed, (left, top), (left + DETAIL_PX - 1, top + DETAIL_PX - 1), MARK, stroke)
    return framed


def _composed(
    title: str, about: str, captions: Mapping[str, tuple[str, ...]], rows: Sequence[Sequence[Bytes8]]
) -> Bytes8:
    head_px, caption_px = 66, 26
    heights = [max(panel.shape[0] for panel in row) for row in rows]
    lefts = [GAP_PX + column * (PANEL_PX + GAP_PX) for column in range(len(captions))]
    page = Image.new(
        "RGB",
        (lefts[-1] + PANEL_PX + GAP_PX, head_px + caption_px + sum(heights) + GAP_PX * len(rows)),
        PAPER,
    )
    draw = ImageDraw.Draw(page)
    draw.text((GAP_PX, 10), title, INK, _typeface(20, bold=True))
    draw.text((GAP_PX, 38), about, FAINT, _typeface(14))
    for left, (name, numbers) in zip(lefts, captions.items(), strict=True):
        draw.text((left, head_px), name, INK, _typeface(15, bold=True))
        at, end = left + 12 + draw.textlength(name, _typeface(15, bold=True)), left + PANEL_PX
        for number in numbers:
            width = draw.textlength(number, _typeface(14))
            if at + width > end:
                break  # what does not fit stands in the report's table
            draw.text((at, head_px + 1), number, FAINT, _typeface(14))
            at += width + 9
    top = head_px + caption_px
    for row, height in zip(rows, heights, strict=True):
        for left, panel in zip(lefts, row, strict=True):
            page.paste(Image.fromarray(panel), (left, top))
        top += height + GAP_PX
    return np.asarray(page)


@cache
def _typeface(size_px: int, *, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans from matplotlib's files (its code is not imported); Pillow's own face lacks × and
    −.
    """
    place = importlib.util.find_spec("matplotlib")
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(str(place.origin)).parent / "mpl-data" / "fonts" / "ttf" / name if place else Path(name)
    return ImageFont.truetype(path, size_px) if path.is_file() else ImageFont.load_default(size_px)
