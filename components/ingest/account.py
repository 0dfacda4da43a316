"""The closing lines of an ingest: everything that was seen, as taken, left out by reason, ignored by
kind or passed over; and the two refusals that losing photos brings.

A set that became much smaller since the last run is refused until a person agrees, since a folder
that was emptied, unmounted or half synchronised looks just like one that was tidied up. What the
last run took is kept in the state folder, by recipe and settings; broken or lost, it stops nothing.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from components.core.errors import PhotoError
from components.core.files import state_folder, write_text
from components.core.parts import digest_of
from components.core.quarantine import FILE as QUARANTINE_FILE
from components.core.quarantine import Quarantine
from components.core.records import SPLITS, Photo, Split
from components.ingest.config import IngestConfig
from components.ingest.source import Source

ACCEPT_VARIABLE = "REFOCUS_ACCEPT_FEWER"  # written and read in this file only
NAMED = 5


def closing_words(words: str, seen: int, quarantine: Quarantine, passed: Mapping[str, int], out: Path) -> str:
    """The account in one line.

    words: what was taken; seen: everything that lay at the source; passed: what has no extension
    to be ignored by, such as hidden files.
    """
    parts = [words]
    ignored = quarantine.ignored_words()
    if quarantine.left_out:
        parts.append(f"left out {quarantine.reason_words()}; all reasons in {out / QUARANTINE_FILE}")
    else:
        parts.append("nothing left out")
    if ignored:
        parts.append(ignored)
    if passed:
        parts.append(f"passed over: {', '.join(f'{count} {kind}' for kind, count in passed.items())}")
    parts.append(f"seen in all: {seen}")
    return f"ingest: {'; '.join(parts)}"


def refuse_loss(quarantine: Quarantine, total: int, config: IngestConfig, what: str) -> None:
    """Raises PhotoError when more of the source is unusable than the recipe allows.

    total: how many could have been used.
    """
    if quarantine.lost > config.max_left_out * total:
        raise PhotoError(
            f"{quarantine.lost} of {total} {what} at {config.photos} cannot be used, more than"
            f" ingest.max_left_out = {config.max_left_out:g} of all allows: {quarantine.words()}. Mend them"
            " or take them away, or raise it to go on without them"
        )


def accept_fewer() -> None:
    """Agree, for this process and its children, that the set may shrink: ingest may run in a child
    of a child.
    """
    os.environ[ACCEPT_VARIABLE] = "1"


class LastTime:
    """What the last run of these settings took, by id."""

    def __init__(self, config: IngestConfig, out: Path) -> None:
        self._config, self._recipe = config, out.absolute().parent.name
        settings = config.model_dump(mode="json", exclude={"max_shrink", "max_left_out"})
        key = digest_of([self._recipe, settings])[:24]
        self._path = state_folder() / "ingest" / f"taken-{key}.json"

    def refuse_shrinking(self, names: Mapping[str, str], quarantine: Quarantine, what: str) -> None:
        """Raises PhotoError when many fewer are there than were taken last time, naming those that
        are gone, unless a person agreed.

        names: id to name of what would be taken now.
        """
        before = self._read()
        gone = len(before) - len(names)
        if gone <= self._config.max_shrink * len(before) or os.environ.get(ACCEPT_VARIABLE):
            return
        reasons = {row.name: row.reason for row in quarantine.left_out}
        missing = sorted(before[photo] for photo in before.keys() - names.keys())
        shown = ", ".join(
            f"{name} ({reasons[name]})" if name in reasons else name for name in missing[:NAMED]
        ) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
        raise PhotoError(
            f"{self._config.photos} has {len(names)} usable {what}, the last run took {len(before)}: a loss"
            f" of {100 * gone / len(before):.0f} %, more than ingest.max_shrink = {self._config.max_shrink:g}"
            f" allows. No longer there or left out: {shown}. Bring them back; or, if fewer are meant, say so"
            f" once: refocus ingest {self._recipe} --accept-fewer"
        )

    def note(self, names: Mapping[str, str]) -> None:
        """Remember what was taken."""
        write_text(self._path, json.dumps(dict(sorted(names.items())), ensure_ascii=True) + "\n")

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def counts_of(rows: tuple[Photo, ...]) -> dict[Split, int]:
    """How many photos each split has."""
    counts = Counter(row.split for row in rows)
    return {split: counts[split] for split in SPLITS}


def taken_words(source: Source, rows: tuple[Photo, ...], left_out: int, unfit: int) -> str:
    """What was taken, in words. Together with what was left out it is every photo that was found."""
    names = sum(1 + len(row.also_named) for row in rows)
    found = len(source.found) + len(source.strays)
    assert names + left_out == found, f"{names} names taken and {left_out} left out of {found} found"
    splits = ", ".join(f"{split} {count}" for split, count in counts_of(rows).items())
    copies, maps = names - len(rows), len(source.maps) - unfit
    what = "clips" if any(row.frames for row in rows) else "photos"
    return (
        f"took {len(rows)} {what} ({splits})"
        + (f", {copies} more names of the same bytes" if copies else "")
        + (f", {maps} masks and depth maps" if maps else "")
    )
