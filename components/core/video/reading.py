"""What a video says of itself, and its frames one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from components.core.errors import PhotoError
from components.core.images import Bytes8

USUAL_FPS = 25.0  # where a file does not say


@dataclass(frozen=True)
class VideoFacts:
    """What a file says before it is decoded."""

    frames: int  # 0: it does not say
    fps: float
    width: int
    height: int
    px_shape: Fraction = Fraction(1)  # width of a px over its height, as a DVD has them: not what is decoded


def facts_of_video(file: Path, called: str | None = None) -> VideoFacts:
    """Raises PhotoError when it is no video that FFmpeg can read.

    called: what messages call it.
    """
    video = _opened(file, called or str(file))
    try:
        count, fps, width, height, across, down, turned = (
            video.get(what)
            for what in (
                cv2.CAP_PROP_FRAME_COUNT,
                cv2.CAP_PROP_FPS,
                cv2.CAP_PROP_FRAME_WIDTH,
                cv2.CAP_PROP_FRAME_HEIGHT,
                cv2.CAP_PROP_SAR_NUM,
                cv2.CAP_PROP_SAR_DEN,
                cv2.CAP_PROP_ORIENTATION_META,
            )
        )
    finally:
        video.release()
    shape = Fraction(int(across), int(down)) if across > 0 and down > 0 else Fraction(1)
    return VideoFacts(
        max(0, int(count)),
        fps if 0 < fps < 1000 else USUAL_FPS,
        int(width),
        int(height),
        1 / shape if turned % 180 else shape,
    )


def frames_of_video(file: Path, *, first: int = 0, called: str | None = None) -> Iterator[Bytes8]:
    """Every frame from number `first` on, (H, W, 3) uint8 RGB, upright. Raises PhotoError, at the first
    step, when it is no video that FFmpeg can read.
    """
    video = _opened(file, called or str(file))
    try:
        # Seeking lands on a neighbouring key frame in some formats; grabbing does not.
        if not all(video.grab() for _ in range(first)):
            return
        while True:
            found, frame = video.read()
            if not found:
                return
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    finally:
        video.release()


def count_frames(file: Path) -> int:
    """How many frames can be decoded, whatever the file promises. Raises PhotoError as `facts_of_video`."""
    return len(times_of_frames(file))


def times_of_frames(file: Path, called: str | None = None) -> list[float]:
    """When each frame is shown, in seconds of the file's own clock. Decodes the whole video, which takes
    a hundredth of what restoring it does. Raises PhotoError as `facts_of_video` does.
    """
    video, found = _opened(file, called or str(file)), list[float]()
    try:
        while video.grab():
            found.append(video.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    finally:
        video.release()
    return found


def _opened(file: Path, called: str) -> cv2.VideoCapture:
    # Other backends of OpenCV take a numbered picture for the start of a sequence.
    # FFmpeg takes what stands before a colon for a protocol, but not in an absolute path.
    video = cv2.VideoCapture(str(file.absolute()), cv2.CAP_FFMPEG)
    if not video.isOpened():
        video.release()
        raise PhotoError(f"{called} is no video that FFmpeg can read; give one, or a folder of frames")
    return video
