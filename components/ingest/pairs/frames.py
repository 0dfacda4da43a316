"""The frames of a video file or of a folder, one at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from components.core.errors import PhotoError
from components.core.images import Pixels, decode
from components.core.photo_names import FORMAT_OF
from components.core.video.reading import frames_of_video

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
        frames: Iterator[Pixels] = _pictures(source, first, name)
    elif source.is_dir():
        frames = _pictures([_File(file) for file in frame_files(source)], first, name)
    elif source.is_file():
        frames = frames_of_video(source, first=first, called=name)
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


def frame_files(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of frames; hidden files, as macOS leaves them beside those
    that it copies (._f1.png), are none.
    """
    found = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in FRAME_SUFFIXES and not file.name.startswith(".")
    ]
    return sorted(found, key=lambda file: natural_order(str(file)))


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
