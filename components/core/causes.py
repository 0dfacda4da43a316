"""What the machine or an outside tool refuses, told once by class of cause: a full disk is the same
sentence whether Python, SQLite, DVC, git, Ray or MLflow met it first.

`explained` is for the last door (the command line, a stage's process), `cause_of` and `told` for a
tool's own door. A new cause is a row in cause_table.py.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from components.core.cause_table import CAUSES, Cause
from components.core.errors import RefocusError

# A closed reader of our words, and a terminal that is gone, are no fault of a disk.
_OURS = (errno.EPIPE, errno.ESHUTDOWN)


def cause_of(error: BaseException) -> Cause | None:
    """The class of cause that an error goes back to: its own errno or words, else those of what it
    wraps.
    """
    for each in _chain(error):
        number = getattr(each, "errno", None)
        if isinstance(number, int) and number in _OURS:
            return None
        if isinstance(each, MemoryError):
            return cause_named("no memory")
        found = cause_in(str(each)) if _vague(each) else _by_number(number)
        if found is not None:
            return found
    return None


def cause_in(words: str) -> Cause | None:
    """The class of cause that a tool's words tell of, the first one in CAUSES."""
    small = words.lower()
    return next((cause for cause in CAUSES if any(word in small for word in cause.words)), None)


def cause_named(name: str) -> Cause:
    """The class of that name."""
    return next(cause for cause in CAUSES if cause.name == name)


def told(cause: Cause, *, place: Path | str | None = None, doing: str = "", why: object = "") -> RefocusError:
    """The sentence of a cause.

    place: the file or folder concerned, the working directory when nobody knows; doing: what could
    not be done ("the report cannot be written"); why: the tool's own words, in parentheses.
    """
    where = Path(place) if place else Path.cwd()
    full = cause.name == "broken disk" and (free := free_mb(where)) is not None and free < 20
    chosen = cause_named("full disk") if full else cause  # SQLite says "disk I/O error" to both
    said = chosen.said.format(place=where, free=free_words(where), owner=_owner_words(where))
    own = " ".join(str(why).split())[:300]
    return chosen.kind(f"{f'{doing}: ' if doing else ''}{said}{f' ({own})' if own else ''}; {chosen.remedy}")


def refused(error: OSError, doing: str, *, place: Path, what: str = "") -> RefocusError | None:
    """What the operating system refused while we were at something of our own: what could not be
    done, its word, whose the place is, the remedy. None for what is no fault of the machine.

    doing: "nothing can be written to the folder X"; what: the file that a full disk has no room for.
    """
    cause = None if error.errno in _OURS else _by_number(error.errno)
    if cause is None:
        return None
    if cause.name == "full disk":
        needed = f"{cause.said} for {what}" if what else cause.said
        return cause.kind(f"{needed.format(place=place, free=free_words(place))}; {cause.remedy}")
    return cause.kind(f"{doing}: {error.strerror}{_owner_words(place)}; {cause.remedy}")


def explained(error: BaseException) -> RefocusError:
    """Any error as one that a person can act on: one of ours as it is, one of a known cause in its
    sentence, else the request to look further.
    """
    if isinstance(error, RefocusError):
        return error
    cause = cause_of(error)
    if cause is not None:
        places = (getattr(each, "filename", None) for each in _chain(error))
        place = next((found for found in places if isinstance(found, str | Path)), None)
        return told(cause, place=place, why=f"{type(error).__name__}: {error}")
    words = " ".join(str(error).split())
    return RefocusError(f"this should not happen: {type(error).__name__}: {words} (--debug shows where)")


def free_mb(place: Path) -> float | None:
    """Megabytes free where a path lies or would lie; None where nobody can tell."""
    for folder in (place, *place.absolute().parents):
        try:
            return shutil.disk_usage(folder).free / 1e6
        except OSError:
            continue
    return None


def owner_of(place: Path) -> str | None:
    """Who owns a file, or the nearest folder above it; None when it is this user."""
    for each in (place, *place.absolute().parents):
        try:
            uid = each.stat().st_uid
        except OSError:
            continue
        return None if uid == os.getuid() else name_of(uid)
    return None


def name_of(uid: int) -> str:
    """A user's name, or its number where it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _by_number(number: object) -> Cause | None:
    return next((cause for cause in CAUSES if number in cause.errnos), None)


def _vague(error: BaseException) -> bool:
    """Whether an error's number says less than its words: none, or Python's own missing folder (whose path
    may have any words).
    """
    number = getattr(error, "errno", None)
    own = str(getattr(error, "strerror", None) or "")
    return not isinstance(number, int) or _by_number(number) is None or "temporary" in own


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        yield now
        wrapped = getattr(now, "orig", None)  # SQLAlchemy's way to wrap
        now = wrapped if isinstance(wrapped, BaseException) else now.__cause__ or now.__context__


def free_words(place: Path) -> str:
    """How much is free where a path lies, for a sentence."""
    free = free_mb(place)
    return "no one can say how many MB" if free is None else f"{free:.0f} MB"


def _owner_words(place: Path) -> str:
    owner = owner_of(place)
    return f", which belongs to {owner} (was sudo used once?)" if owner else ""
