"""One thing that `refocus clean` may take away, and the retention that decides."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from components.core.errors import InputError

DAY_S = 86_400
VARIABLES = {
    "days": "REFOCUS_KEEP_DAYS",
    "runs": "REFOCUS_KEEP_RUNS",
    "trainings": "REFOCUS_KEEP_TRAININGS",
}


@dataclass(frozen=True)
class Retention:
    """How much is kept. days: what is younger stays; runs: newest commits a recipe; trainings: newest
    trainings a recipe whose states stay.
    """

    days: float = 90
    runs: int = 20
    trainings: int = 3

    @classmethod
    def of(cls, **settings: float | None) -> Retention:
        """From what a command was given, else the variables, else the defaults. Raises InputError for
        what is no number from 0 up; the newest run and training of a recipe always stay.
        """
        found: dict[str, float] = {}
        for name, variable in VARIABLES.items():
            value: float | str | None = settings.get(name)
            value = os.environ.get(variable) if value is None else value
            if value in (None, ""):
                continue
            try:
                number = float(str(value))
            except ValueError:
                number = -1
            if not 0 <= number < 1e6:
                raise InputError(f"{variable} (--keep-{name}) must be a number from 0 up, got {value!r}")
            found[name] = number
        return cls(
            days=found.get("days", cls.days),
            runs=max(1, int(found.get("runs", cls.runs))),
            trainings=max(1, int(found.get("trainings", cls.trainings))),
        )

    def is_young(self, at_s: float) -> bool:
        """Whether something of that moment (seconds since 1970) is kept for its youth."""
        return time.time() - at_s < self.days * DAY_S


@dataclass(frozen=True)
class Item:
    """One thing. why: it goes, or stays; remove: takes it away."""

    kind: str
    name: str
    bytes: int
    goes: bool
    why: str
    remove: Callable[[], object] = lambda: None


def age_words(at_s: float) -> str:
    """How old something is, in words."""
    days = (time.time() - at_s) / DAY_S
    return f"{days:.0f} days old" if days >= 2 else "of today or yesterday"


def bytes_of(place: Path, *, at_most: int | None = None) -> int:
    """What a file or folder takes on the disk, links not followed; `at_most`: files that are counted."""
    if not place.is_dir() or place.is_symlink():
        return place.lstat().st_size if os.path.lexists(place) else 0
    total = count = 0
    for top, _, files in os.walk(place):
        for name in files:
            try:
                total += (Path(top) / name).lstat().st_size
            except OSError:
                continue
            count += 1
            if at_most is not None and count >= at_most:
                return total
    return total


def newest_change(place: Path) -> float:
    """When a file, or anything right below a folder, changed last (seconds since 1970)."""
    below = list(place.iterdir()) if place.is_dir() and not place.is_symlink() else []
    times = []
    for each in (place, *below):
        try:
            times.append(each.lstat().st_mtime)
        except OSError:
            continue
    return max(times, default=0.0)


def take_away(place: Path) -> None:
    """A file, or a folder with all that lies in it."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def size_words(count: float) -> str:
    """Bytes as people read them.

    >>> size_words(900), size_words(12_300_000)
    ('900 B', '12.3 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit in ("B", "kB") else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
