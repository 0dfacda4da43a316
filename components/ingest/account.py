"""The closing lines of an ingest: everything that was seen, as taken, left out by reason, ignored by
kind or passed over; and the two refusals that losing photos brings.

A set that became much smaller since the last run, or has nothing of its test split any more, is refused
until a person agrees, since a folder that was emptied, unmounted or half synchronised looks just like one
that was tidied up. What the last run took is kept in the state folder, by recipe and settings; broken or
lost, it stops nothing.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from components.core.errors import PhotoError
from components.core.files import state_folder, write_text
from components.core.parts import digest_of
from components.core.quarantine import FILE as QUARANTINE_FILE
from components.core.quarantine import Quarantine
from components.core.records import SPLITS, Photo, Split
from components.ingest.config import IngestConfig
from components.ingest.source import Source
from components.ingest.told import settings_of

ACCEPT_VARIABLE = "REFOCUS_ACCEPT_FEWER"  # written and read in this file only
NAMED = 5
NOTHING = "nothing lies there (is its disk mounted?)"


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


def refused_words(quarantine: Quarantine, out: Path) -> str:
    """What was left out, for a refusal: it leaves no list in `out`, so that one is put into the state
    folder, and named.
    """
    words = quarantine.words()
    if not quarantine.left_out:
        return words
    folder = state_folder() / "ingest"
    name = f"refused-{recipe_of(out)}.json"
    quarantine.save(folder, name)
    return f"{words}; all reasons in {folder / name}"


def recipe_of(out: Path) -> str:
    """The recipe that a stage's folder belongs to."""
    return out.absolute().parent.name


def refuse_loss(quarantine: Quarantine, total: int, config: IngestConfig, what: str, out: Path) -> None:
    """Raises PhotoError when more of the source is unusable than the recipe allows.

    total: how many could have been used.
    """
    if quarantine.lost > config.max_left_out * total:
        raise PhotoError(
            f"{quarantine.lost} of {total} {what} at {config.photos} cannot be used, more than"
            f" ingest.max_left_out = {config.max_left_out:g} of all allows: {refused_words(quarantine, out)}."
            " Mend them or take them away, or raise it to go on without them"
        )


def accept_fewer() -> None:
    """Agree, for this process and its children, that the set may shrink: ingest may run in a child
    of a child.
    """
    os.environ[ACCEPT_VARIABLE] = "1"


class Took(NamedTuple):
    """One photo or picture of pairs that was taken; split: empty where nobody wrote it down."""

    name: str
    split: str


class LastTime:
    """What the last run of these settings took, by id."""

    def __init__(self, config: IngestConfig, out: Path) -> None:
        self._config, self._recipe = config, recipe_of(out)
        settings = {"photos": config.photos, **settings_of(config)}
        key = digest_of([self._recipe, settings])[:24]
        self._path = state_folder() / "ingest" / f"taken-{key}.json"

    def refuse_shrinking(self, now: Mapping[str, Took], quarantine: Quarantine, what: str) -> None:
        """Raises PhotoError when many fewer are there than were taken last time, or nothing of its test
        split, naming those that are gone, unless a person agreed.

        now: by id, what would be taken.
        """
        before = self._read()
        if os.environ.get(ACCEPT_VARIABLE) or not before:
            return
        gone = len(before) - len(now)
        tests = [each for each in before if before[each].split == "test"]
        if gone > self._config.max_shrink * len(before):
            words = (
                f"{self._config.photos} has {len(now)} usable {what}, the last run took {len(before)}: a loss"
                f" of {100 * gone / len(before):.0f} %, more than ingest.max_shrink ="
                f" {self._config.max_shrink:g} allows. No longer there or left out"
            )
            missing = before.keys() - now.keys()
        elif tests and not now.keys() & set(tests):
            words = (
                f"of the test {what} that the last run took from {self._config.photos} ({len(tests)}) none is"
                " left, so that a version would be measured on others than those before it, which these may"
                " have been trained on. No longer there or left out"
            )
            missing = set(tests)
        else:
            return
        raise PhotoError(
            f"{words}: {_named(before, missing, quarantine)}. Bring them back; or, if fewer are meant, say so"
            f" once: refocus ingest {self._recipe} --accept-fewer"
        )

    def note(self, now: Mapping[str, Took]) -> None:
        """Remember what was taken."""
        write_text(self._path, json.dumps(dict(sorted(now.items())), ensure_ascii=True) + "\n")

    def _read(self) -> dict[str, Took]:
        try:
            found = json.loads(self._path.read_bytes())
            # A name alone is what an earlier version of this program kept.
            return {
                each: Took(told, "") if isinstance(told, str) else Took(*told) for each, told in found.items()
            }
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _named(before: Mapping[str, Took], missing: Collection[str], quarantine: Quarantine) -> str:
    """The names of some that are missing, each with why it was left out, where it was."""
    reasons = {row.name: row.reason for row in quarantine.left_out}
    names = sorted(before[each].name for each in missing)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        ", ".join(f"{name} ({reasons[name]})" if name in reasons else name for name in names[:NAMED]) + more
    )


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
