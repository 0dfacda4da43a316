"""What decoding taught about a photo's bytes, kept between runs: a nightly ingest then reads and hashes, and decodes only what is new.

One file in the state folder, shared by all recipes. Facts are bound to the bytes by their SHA-256 and to the code that found
them by the file's name, so that neither can be out of date; a lost or broken file only costs time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.core import images
from components.core.files import atomic_path, code_digest, state_folder
from components.ingest import examine, likeness

AT_MOST = 50_000  # rows of 2 kB; beyond, only what this run met is kept
ROW = np.dtype(
    [
        ("id", "S64"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("channels", "u1"),
        ("bits", "u1"),
        ("format", "S4"),
        ("thumbnail", "<u2", (likeness.SIDE, likeness.SIDE)),
    ]
)


class Known:
    """Facts by photo id. `facts[id]` gives what this or an earlier run found, or None."""

    def __init__(self) -> None:
        self._path = _path()
        self._rows = _read(self._path)
        self._place = {row.decode(): place for place, row in enumerate(self._rows["id"])}
        self._met: set[int] = set()
        self._new: dict[str, examine.Facts] = {}

    def get(self, photo: str) -> examine.Facts | None:
        """The facts of a photo that was decoded before."""
        if photo in self._new:
            return self._new[photo]
        place = self._place.get(photo)
        if place is None:
            return None
        self._met.add(place)
        row: Any = self._rows[place]
        return examine.Facts(int(row["width"]), int(row["height"]), int(row["channels"]), int(row["bits"]), row["format"].decode(), row["thumbnail"])  # type: ignore[arg-type]

    def add(self, photo: str, facts: examine.Facts) -> None:
        """Remember the facts of a photo just decoded."""
        self._new[photo] = facts

    def save(self) -> None:
        """Write what was learned, when something was."""
        if not self._new:
            return
        new = np.zeros(len(self._new), ROW)
        for place, (photo, facts) in enumerate(self._new.items()):
            new[place] = (photo.encode(), facts.width, facts.height, facts.channels, facts.bits, facts.format.encode(), facts.thumbnail)
        old = self._rows if len(self._rows) + len(new) <= AT_MOST else self._rows[sorted(self._met)]
        for stale in self._path.parent.glob("examined-*.npy"):
            if stale != self._path:
                stale.unlink(missing_ok=True)
        with atomic_path(self._path) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.concatenate([old, new]), allow_pickle=False)


def _path() -> Path:
    code = code_digest(*(Path(str(module.__file__)) for module in (images, examine, likeness)))
    return state_folder() / "ingest" / f"examined-{code[:12]}.npy"


def _read(path: Path) -> npt.NDArray[Any]:
    try:
        rows: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return np.zeros(0, ROW)
    return rows if rows.dtype == ROW and rows.ndim == 1 else np.zeros(0, ROW)
