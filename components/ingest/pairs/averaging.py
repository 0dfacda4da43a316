"""Averages of frames: from stored values to light, the mean, and back; with frames between, and how
far things moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from components.core.images import Bytes8, Floats, Pixels, linear_to_srgb, srgb_to_linear, to_float, to_uint8
from components.ingest.pairs.response import Response

Doubles = npt.NDArray[np.float64]

# of the table from light to levels, even in the root of light: dark levels are as exact as bright
# ones
STEPS = 65535
FLOW_SIDE_PX = 320  # long side of what motion is measured on


def averaged(frames: Sequence[Pixels], response: Response, interpolate: int = 0) -> tuple[Bytes8, Bytes8]:
    """A long exposure and its sharp picture: the mean of all frames' light, and the middle frame.

    frames: an odd number of (H, W, 3) uint8 or uint16, alike in size.
    interpolate: frames put between each two neighbours by optical flow before averaging.
    Returns both (H, W, 3) uint8. Frames that are all the same come back as they are.
    """
    assert len(frames) % 2 == 1, f"an odd number of frames has one in the middle, got {len(frames)}"
    total = np.zeros(frames[0].shape, np.float32)
    shown = 0
    for light in _with_frames_between(frames, response, interpolate):
        cv2.accumulate(light, total)
        shown += 1
    total *= np.float32(1 / shown)
    return _levels(total, response), _as_uint8(frames[len(frames) // 2])


def motion_px(frames: Sequence[Pixels]) -> float:
    """How far things spread over the exposure: a point's RMS distance from its mean place in px.

    The mean over the photo, weighted by its gradients: where nothing is to be seen, nothing is
    blurred, and flow is a guess. An estimate from dense optical flow (Kroeger et al. 2016, DIS)
    between successive frames, shrunk to FLOW_SIDE_PX.
    """
    height, width = frames[0].shape[:2]
    shrunk = min(1.0, FLOW_SIDE_PX / max(height, width))
    size = (max(16, round(width * shrunk)), max(16, round(height * shrunk)))
    small = [cv2.resize(_grey(frame), size, interpolation=cv2.INTER_AREA) for frame in frames]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    steps = [flow.calc(one, two, np.zeros((size[1], size[0], 2), np.float32)) for one, two in pairwise(small)]
    places = np.cumsum([np.zeros_like(steps[0]), *steps], axis=0)
    places *= np.array([width / size[0], height / size[1]], np.float32)
    spread = np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=-1).mean(axis=0))
    middle = small[len(small) // 2]
    seen = np.hypot(cv2.Sobel(middle, cv2.CV_32F, 1, 0), cv2.Sobel(middle, cv2.CV_32F, 0, 1))
    return float((spread * seen).sum() / seen.sum()) if seen.any() else 0.0


def between(before: Floats, after: Floats, there: Floats, back: Floats, time: float) -> Floats:
    """A frame at `time` (0 to 1) between two, both warped towards it along their optical flow and
    blended.

    before, after: (H, W, 3) float32; there, back: (H, W, 2) px, the flow from `before` to `after`
    and the other way. Flow at the time between is made of the two as by Jiang et al. 2018 ("Super
    SloMo", eq. 4), without their network: what is hidden in one of the frames leaves a ghost.
    """
    to_before = time * time * back - (1 - time) * time * there
    to_after = (1 - time) ** 2 * there - time * (1 - time) * back
    rows, columns = np.indices(before.shape[:2], np.float32)
    seen = [
        cv2.remap(
            frame,
            columns + flow[..., 0],
            rows + flow[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        for frame, flow in ((before, to_before), (after, to_after))
    ]
    return np.asarray(cv2.addWeighted(seen[0], 1 - time, seen[1], time, 0), dtype=np.float32)


def _with_frames_between(frames: Sequence[Pixels], response: Response, interpolate: int) -> Iterator[Floats]:
    """The light of every frame, and of those between them."""
    last: Floats | None = None
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for number, frame in enumerate(frames):
        light = _light(frame, response)
        if last is not None and interpolate:
            greys, start = (
                (_grey(frames[number - 1]), _grey(frame)),
                np.zeros((*frame.shape[:2], 2), np.float32),
            )
            there, back = flow.calc(*greys, start.copy()), flow.calc(*greys[::-1], start.copy())
            for place in range(1, interpolate + 1):
                yield between(last, light, there, back, place / (interpolate + 1))
        yield light
        last = light


def _light(frame: Pixels, response: Response) -> Floats:
    highest = np.iinfo(frame.dtype).max
    table = _light_table(response, int(highest))
    return np.asarray(cv2.LUT(frame, table) if highest == 255 else table[frame], dtype=np.float32)


def _levels(light: Floats, response: Response) -> Bytes8:
    """Light back to stored values, rounded to the nearest of 256."""
    if response == "linear":
        return to_uint8(light)
    root = np.sqrt(light)
    root *= STEPS
    root += 0.5
    return np.take(_level_table(response), root.astype(np.int32), mode="clip")


def _unchanged(values: Floats) -> Floats:
    return values


def _power(exponent: float, values: Floats) -> Floats:
    return np.power(values, exponent, dtype=np.float32)


def _curves(response: Response) -> tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]:
    """From stored values in [0, 1] to light, and back."""
    if response == "linear":
        return _unchanged, _unchanged
    return (
        (srgb_to_linear, linear_to_srgb)
        if response == "srgb"
        else (partial(_power, 2.2), partial(_power, 1 / 2.2))
    )


@cache
def _light_table(response: Response, highest: int) -> Floats:
    table = _curves(response)[0](
        to_float(np.arange(highest + 1, dtype=np.uint8 if highest == 255 else np.uint16))
    )
    table.setflags(write=False)
    return table


@cache
def _level_table(response: Response) -> Bytes8:
    roots = np.arange(STEPS + 1, dtype=np.float32) / np.float32(STEPS)
    table = to_uint8(_curves(response)[1](np.square(roots)))
    table.setflags(write=False)
    return table


def _as_uint8(frame: Pixels) -> Bytes8:
    return frame if frame.dtype == np.uint8 else to_uint8(to_float(frame))


def _grey(frame: Pixels) -> Bytes8:
    return np.asarray(cv2.cvtColor(_as_uint8(frame), cv2.COLOR_RGB2GRAY), dtype=np.uint8)
