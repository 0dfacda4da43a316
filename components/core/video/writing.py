"""Frames into a video file. What OpenCV's FFmpeg may write is free of patents and of GPL code: there is no
H.264 among it.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self

import cv2
import numpy as np

from components.core.causes import free_words
from components.core.errors import InputError, PhotoError
from components.core.images import Bytes8
from components.core.video.reading import count_frames

VideoForm = Literal["mkv", "webm", "mp4"]


class Codec(NamedTuple):
    """How a form of file is written."""

    fourcc: str
    words: str


CODECS: dict[VideoForm, Codec] = {
    "mkv": Codec("FFV1", "FFV1, lossless"),
    "webm": Codec("vp09", "VP9, for viewing"),
    "mp4": Codec("mp4v", "MPEG-4 Part 2, for viewing"),
}


class VideoWriter:
    """`with VideoWriter(path, "mkv", 25.0, (1280, 720)) as video: video.write(frame)`."""

    def __init__(self, file: Path, form: VideoForm, fps: float, size: tuple[int, int]) -> None:
        """file: ends in the form's name; size: width and height, px; an odd side gets its last row or column
        twice, since OpenCV writes even ones alone. Raises InputError when OpenCV cannot write it here.
        """
        assert file.suffix == f".{form}", f"{file} does not end in .{form}, by which OpenCV chooses"
        codec, self._size = CODECS[form], size
        self._padding = (size[0] % 2, size[1] % 2)
        whole = (size[0] + self._padding[0], size[1] + self._padding[1])
        fourcc = cv2.VideoWriter.fourcc(*codec.fourcc)
        self._video = cv2.VideoWriter(str(file), cv2.CAP_FFMPEG, fourcc, fps, whole)
        if not self._video.isOpened():
            self._video.release()
            raise InputError(
                f"OpenCV here cannot write {codec.words} of {whole[0]} × {whole[1]} px to {file}, where"
                f" {free_words(file.parent)} are free; make room, choose another form ({', '.join(CODECS)}),"
                " or a folder of frames"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._video.release()

    def write(self, frame: Bytes8) -> None:
        """Add a frame (H, W, 3) uint8 RGB of the size that was said: OpenCV drops others silently."""
        assert (frame.shape[1], frame.shape[0]) == self._size, f"frame {frame.shape}, video {self._size}"
        right, down = self._padding
        if right or down:
            frame = np.pad(frame, ((0, down), (0, right), (0, 0)), mode="edge")
        self._video.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))


def refuse_cut(file: Path, frames: int) -> None:
    """Raises InputError where a written video does not hold as many frames as were given to it: OpenCV's
    FFmpeg says nothing where a disk is full. It is decoded once, a hundredth of what restoring it took.
    """
    try:
        held = count_frames(file) if file.stat().st_size else 0
    except PhotoError:
        held = 0
    if held != frames:
        raise InputError(
            f"of {frames} frames {held} came into the video in {file.parent}, where"
            f" {free_words(file.parent)} are free: the disk or a quota is full, or the user's limit"
            " (ulimit -f) is reached; free some and run the same command again"
        )
