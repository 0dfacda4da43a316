"""A test clip before and after, side by side, as a short video that a page plays in a loop."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from components.core.baseline import do_nothing
from components.core.images import Bytes8
from components.core.levels import Pixels, at_bits
from components.core.records import Pair, PairSet
from components.core.video.writing import VideoWriter, refuse_cut
from components.core.windows import Windows, clips_of

MOST_FRAMES = 48
SLOWEST = 12  # frames a second: a clip of nine is seen for most of a second before it begins again
PANEL_PX = 480  # longer side of one of the two pictures
GAP_PX = 4

ReadInput = Callable[[Sequence[Pair]], Pixels]


def shown_clip(pairset: PairSet) -> tuple[Pair, ...]:
    """The clip that a report shows: the longest of the test split, the first of equals; none where frames
    have no neighbours.
    """
    clips = clips_of(pairset.pairs("test"))
    longest = max(clips, key=len, default=())
    return longest[:MOST_FRAMES] if len(longest) > 1 else ()


def looped(
    restored: Callable[[Pixels], Bytes8], read: ReadInput, pairset: PairSet, clip: Sequence[Pair], window: int
) -> bytes:
    """A WebM (VP9) of the clip: what doing nothing leaves at the left, what was restored at the right.

    restored: from a window (H, W, 3 · window) to the picture as it would be saved, 8 bits; read: a window's
    inputs.
    """
    windows = Windows(clip, window)
    frames = []
    for pair in clip:
        input = read([pair])
        nothing = at_bits(do_nothing(pairset, input), 8)
        frames.append(_side_by_side(nothing, restored(read(windows[pair]))))
    height, width = frames[0].shape[:2]
    with tempfile.TemporaryDirectory(prefix="refocus-clip-") as folder:
        file = Path(folder) / "clip.webm"
        with VideoWriter(file, "webm", SLOWEST, (width, height)) as video:
            for frame in frames:
                video.write(frame)
        refuse_cut(file, len(frames))
        return file.read_bytes()


def as_uri(video: bytes) -> str:
    """A video as a page holds it."""
    return "data:video/webm;base64," + base64.b64encode(video).decode()


def _side_by_side(left: Bytes8, right: Bytes8) -> Bytes8:
    share = min(1.0, PANEL_PX / max(left.shape[:2]))
    size = (max(2, round(left.shape[1] * share)), max(2, round(left.shape[0] * share)))
    one, other = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (left, right))
    gap = np.full((size[1], GAP_PX, 3), 255, np.uint8)
    return np.concatenate([one, gap, other], axis=1)
