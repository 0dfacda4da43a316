"""The frames of a video file or of a folder, one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2

from components.core.errors import PhotoError
from components.core.images import Pixels, decode

FRAME_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"})


def frames_of(source: Path, *, first: int = 0) -> Iterator[Pixels]:
    """Every frame from number `first` on: (H, W, 3) RGB, uint8 (uint16 where a folder's pictures have 16 bits).

    source: a video that FFmpeg reads (through OpenCV, which brings it along), or a folder of pictures.
    Raises PhotoError when there is no such source, it is neither, or a frame has another size than those before it.
    """
    if source.is_dir():
        frames = _pictures(source, first)
    elif source.is_file():
        frames = _video(source, first)
    else:
        raise PhotoError(f"{source} is neither a video nor a folder of frames: it is not there")
    size: tuple[int, ...] | None = None
    for number, frame in enumerate(frames, first):
        if size is not None and frame.shape != size:
            raise PhotoError(f"frame {number} of {source} is {frame.shape[1]} × {frame.shape[0]} px, those before it {size[1]} × {size[0]}; give one size")
        size = frame.shape
        yield frame


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts names as people count: numbers by their value.

    >>> sorted(["f10.png", "f9.png", "f1.png"], key=natural_order)
    ['f1.png', 'f9.png', 'f10.png']
    """
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name, flags=re.ASCII) if part)


def _pictures(folder: Path, first: int) -> Iterator[Pixels]:
    files = sorted((file for file in folder.iterdir() if file.suffix.lower() in FRAME_SUFFIXES), key=lambda file: natural_order(file.name))
    if not files:
        raise PhotoError(f"{folder} holds no frames: none of its files ends in {', '.join(sorted(FRAME_SUFFIXES))}")
    for file in files[first:]:
        try:
            yield decode(file.read_bytes()).pixels
        except PhotoError as error:
            raise PhotoError(f"frame {file} cannot be read: {error}; take it out or replace it") from error


def _video(file: Path, first: int) -> Iterator[Pixels]:
    # Other backends of OpenCV take a numbered picture for the start of a sequence.
    video = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
    try:
        if not video.isOpened():
            raise PhotoError(f"{file} is no video that FFmpeg can read; give one, or a folder of frames")
        # Seeking lands on a neighbouring key frame in some formats; grabbing does not.
        if not all(video.grab() for _ in range(first)):
            return
        while True:
            found, frame = video.read()
            if not found:
                return
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        video.release()
