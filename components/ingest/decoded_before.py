"""What decoding taught about a photo's bytes, kept between runs: a nightly ingest then reads and
hashes, and decodes only what is new.

Files in the state folder, shared by all recipes. Facts are bound to the bytes by their SHA-256 and
to the code and libraries that found them by the file's name, so that neither can be out of date; a lost
or broken file only costs time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.core import decoding
from components.core.files import atomic_path, state_folder
from components.core.pixel_code import pixel_code
from components.ingest import examine, near_duplicates

CODE = ("ingest/examine.py", "ingest/near_duplicates.py")
AT_MOST = 50_000  # rows of 2 kB; beyond, only what this run met is kept
ROW = np.dtype(
    [
        ("id", "S64"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("channels", "u1"),
        ("bits", "u1"),
        ("format", "S4"),
        ("thumbnail", "<u2", (near_duplicates.SIDE, near_duplicates.SIDE)),
    ]
)


class Remembered:
    """Rows of figures by an id, their first field. `get` gives what this or an earlier run added."""

    def __init__(self, name: str, row: np.dtype[Any], *code: str) -> None:
        """name: of the file; row: its fields; code: the parts of components/ that find the figures."""
        self._name, self._row = name, row
        self._path = state_folder() / "ingest" / f"{name}-{pixel_code(*code)[:12]}.npy"
        self._rows = _read(self._path, row)
        self._place = {key.decode(): place for place, key in enumerate(self._rows["id"])}
        self._met: set[int] = set()
        self._new: dict[str, tuple[Any, ...]] = {}

    def get(self, key: str) -> tuple[Any, ...] | None:
        """The figures behind an id, without it."""
        if key in self._new:
            return self._new[key]
        place = self._place.get(key)
        if place is None:
            return None
        self._met.add(place)
        row: Any = self._rows[place]
        return tuple(row)[1:]

    def add(self, key: str, *figures: Any) -> None:
        """Remember what was just found."""
        self._new[key] = figures

    def save(self) -> None:
        """Write what was learned, when something was."""
        if not self._new:
            return
        new = np.zeros(len(self._new), self._row)
        for place, (key, figures) in enumerate(self._new.items()):
            new[place] = (key.encode(), *figures)
        old = self._rows if len(self._rows) + len(new) <= AT_MOST else self._rows[sorted(self._met)]
        for stale in self._path.parent.glob(f"{self._name}-*.npy"):
            if stale != self._path:
                stale.unlink(missing_ok=True)
        with atomic_path(self._path) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.concatenate([old, new]), allow_pickle=False)


class Known:
    """Facts by photo id."""

    def __init__(self) -> None:
        self._rows = Remembered("examined", ROW, *CODE)

    def get(self, photo: str) -> examine.Facts | None:
        """The facts of a photo that was decoded before, and could be again."""
        row = self._rows.get(photo)
        if row is None:
            return None
        width, height, channels, bits, format_, thumbnail = row
        if not decoding.is_read(format_.decode()):
            return None  # by a library that is gone since: later stages could not read it either
        return examine.Facts(int(width), int(height), int(channels), int(bits), format_.decode(), thumbnail)  # type: ignore[arg-type]

    def add(self, photo: str, facts: examine.Facts) -> None:
        """Remember the facts of a photo just decoded."""
        self._rows.add(
            photo,
            facts.width,
            facts.height,
            facts.channels,
            facts.bits,
            facts.format.encode(),
            facts.thumbnail,
        )

    def save(self) -> None:
        """Write what was learned, when something was."""
        self._rows.save()


def _read(path: Path, row: np.dtype[Any]) -> npt.NDArray[Any]:
    try:
        rows: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return np.zeros(0, row)
    return rows if rows.dtype == row and rows.ndim == 1 else np.zeros(0, row)
