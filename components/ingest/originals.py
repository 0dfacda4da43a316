"""The untouched bytes of every photo: originals/SHA256.EXTENSION below the PhotoSet's folder."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from components.core.files import sha256_of_file, write_bytes

FOLDER = "originals"


class Originals:
    """Keeps bytes as they come. As a context: when the block fails, what it had added is taken away
    again.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._added: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            return
        for path in self._added:
            path.unlink(missing_ok=True)
        for folder in (self._out / FOLDER, self._out):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def keep(self, photo: str, extension: str, data: bytes) -> str:
        """Store a photo's bytes unless they are there already, whole; gives the place below the
        PhotoSet's folder.
        """
        file = f"{FOLDER}/{photo}.{extension}"
        path = self._out / file
        if not (path.is_file() and path.stat().st_size == len(data) and sha256_of_file(path) == photo):
            if not path.exists():
                self._added.append(path)
            write_bytes(path, data)
        return file

    def megabytes(self) -> float:
        """What lies there now."""
        folder = self._out / FOLDER
        return sum(path.stat().st_size for path in folder.iterdir()) / 1e6 if folder.is_dir() else 0.0

    def drop_others(self, wanted: Collection[str]) -> None:
        """Remove what is no photo of the set any more, and what a killed run left."""
        for path in (self._out / FOLDER).iterdir():
            if f"{FOLDER}/{path.name}" not in wanted:
                path.unlink()
