"""The frames of a video file or of a folder, one at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2

from components.core.errors import PhotoError
from components.core.images import Pixels, decode
from components.core.photo_names import FORMAT_OF

FRAME_SUFFIXES = frozenset(FORMAT_OF)


class Frame(Protocol):
    """A picture that can be read when it is its turn."""

    @property
    def name(self) -> str:
        """What messages call it, and what decides its place."""
        ...

    @property
    def read(self) -> Callable[[], bytes]:
        """Gives its bytes."""
        ...


def frames_of(
    source: Path | Sequence[Frame], *, first: int = 0, called: str | None = None
) -> Iterator[Pixels]:
    """Every frame from number `first` on: (H, W, 3) RGB, uint8 (uint16 where a folder's pictures
    have 16 bits).

    source: a video that FFmpeg reads (through OpenCV, which brings it along), a folder of pictures,
    or pictures.
    called: what messages call the source.
    Raises PhotoError when there is no such source, it is neither, or a frame has another size than
    those before it.
    """
    name = called or str(source)
    if not isinstance(source, Path):
        frames = _pictures(source, first, name)
    elif source.is_dir():
        frames = _pictures(
            [_File(file) for file in source.iterdir() if file.suffix.lower() in FRAME_SUFFIXES], first, name
        )
    elif source.is_file():
        frames = _video(source, first, name)
    else:
        raise PhotoError(f"{name} is neither a video nor a folder of frames: it is not there")
    size: tuple[int, ...] | None = None
    for number, frame in enumerate(frames, first):
        if size is not None and frame.shape != size:
            raise PhotoError(
                f"frame {number} of {name} is {frame.shape[1]} × {frame.shape[0]} px, those before it"
                f" {size[1]} × {size[0]}; give one size"
            )
        size = frame.shape
        yield frame


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts names as people count: numbers by their value.

    >>> sorted(["f10.png", "f9.png", "f1.png"], key=natural_order)
    ['f1.png', 'f9.png', 'f10.png']
    """
    return tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in re.split(r"(\d+)", name, flags=re.ASCII)
        if part
    )


@dataclass(frozen=True)
class _File:
    """A frame that lies in a folder."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def read(self) -> Callable[[], bytes]:
        return self.path.read_bytes


def _pictures(frames: Sequence[Frame], first: int, called: str) -> Iterator[Pixels]:
    if not frames:
        raise PhotoError(
            f"{called} holds no frames: none of its files ends in {', '.join(sorted(FRAME_SUFFIXES))}"
        )
    for frame in sorted(frames, key=lambda frame: natural_order(frame.name))[first:]:
        try:
            yield decode(frame.read()).pixels
        except PhotoError as error:
            raise PhotoError(
                f"frame {frame.name} cannot be read: {error}; take it out or replace it"
            ) from error


def _video(file: Path, first: int, called: str) -> Iterator[Pixels]:
    # Other backends of OpenCV take a numbered picture for the start of a sequence.
    video = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
    try:
        if not video.isOpened():
            raise PhotoError(f"{called} is no video that FFmpeg can read; give one, or a folder of frames")
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
