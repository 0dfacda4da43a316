"""What a set of real pairs is to the import: how it lies on disk, and how exact a pair must be.

A kind is a class with `kind`, `LIES` (its layout in words) and `listing` (from the names at the
source to pairs of names). To add one, write the class and add its name to `Pairs` in `__init__.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar, Literal

from pydantic import Field

from components.core.parts import Part
from components.core.photo_names import composed
from components.core.records import Split

Text = Callable[[str], str]  # a file's name to its text
Key = tuple[str, ...]  # what a blurred and a sharp name have in common


@dataclass(frozen=True)
class Named:
    """A pair by the names of its files, and what their place says of it."""

    input: str
    target: tuple[str, ...]  # one; several where the nearest of them is to be found
    scene: str | None = None  # None: the sharp picture is a scene of its own
    split: Split | None = None  # None: not told by its place
    variant: str | None = None
    clip: str | None = None  # the video whose frame it is
    frame: int | None = None  # its number there


@dataclass(frozen=True)
class Listing:
    """All pairs of a source, and the pictures of the layout that have no partner: (name, reason)."""

    pairs: tuple[Named, ...]
    alone: tuple[tuple[str, str], ...] = ()


class Layout(Part):
    """What every import of pairs can be told."""

    OWN_SPLITS: ClassVar[bool] = False
    LIES: ClassVar[str]
    kind: str
    max_shift_px: float | None = Field(
        2.0,
        ge=0,
        le=64,
        description="a pair whose pictures lie farther apart is left out; null: it is only recorded",
    )
    min_likeness: float = Field(
        0.6,
        ge=0,
        le=1,
        description="a pair whose pictures correlate less, smoothed and laid on each other, is left out",
    )
    align: Literal["none", "shift"] = Field(
        "none",
        description="shift: cut both pictures so that they lie on each other to the nearest whole pixel",
    )

    @property
    def gives_clips(self) -> bool:
        """Whether its pairs are frames that know their clip and their place in it."""
        return False


class PublishedLayout(Layout):
    """A published set with a test split of its own, which stays whole; val is taken out of its
    train split.
    """

    OWN_SPLITS: ClassVar[bool] = True
    val: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of the training scenes that becomes val, whole scenes, by the hash of their names",
    )
    leakage: Literal["refuse", "leave_out"] = Field(
        "refuse",
        description=(
            "when a picture, a near duplicate of one or a scene stands in train and test: refuse the set, or"
            " leave it out of train"
        ),
    )


def joined(
    input: Iterable[tuple[Key, str]], target: Iterable[tuple[Key, str]], *, several: bool = False
) -> tuple[list[tuple[Key, str, str]], list[tuple[str, str]]]:
    """Blurred and sharp names by what they have in common: (key, blurred, sharp) in the order of
    names, and (name, reason) of those left alone.

    several: more than one blurred picture may go with a sharp one.
    """
    targets, blurs = _by_key(target), _by_key(input)
    pairs, alone = [], []
    for key, names in blurs.items():
        others = targets.get(key, [])
        if not others:
            alone += [(name, "unmatched: no sharp picture goes with it") for name in names]
        elif len(others) > 1:
            alone += [(name, f"ambiguous: {' and '.join(others)} both go with it") for name in names]
        elif len(names) > 1 and not several:
            alone += [(name, f"ambiguous: {' and '.join(names)} both go with {others[0]}") for name in names]
        else:
            pairs += [(key, name, others[0]) for name in names]
    alone += [
        (name, "unmatched: no blurred picture goes with it")
        for key, names in targets.items()
        if key not in blurs
        for name in names
    ]
    return sorted(pairs, key=lambda pair: pair[1]), sorted(alone)


def fitting(pattern: str, names: Sequence[str]) -> Iterator[tuple[re.Match[str], str]]:
    """The names that a pattern fits from some folder on to their end; the folders above are the
    match's group `top`.
    """
    compiled = re.compile(rf"(?P<top>(?:.*/)?){composed(pattern)}", re.IGNORECASE)
    for name in names:
        if found := compiled.fullmatch(name):
            yield found, name


def stem(name: str) -> str:
    """A name without its extension.

    >>> stem("test/blur/0001.png")
    'test/blur/0001'
    """
    return str(PurePosixPath(name).with_suffix(""))


def frame_number(name: str) -> int | None:
    """The number that a frame's name ends in; None where it ends in none.

    >>> frame_number("train/GOPR0372_07_00/blur/000047.png"), frame_number("a/last.png")
    (47, None)
    """
    found = re.search(r"(\d+)$", stem(name), re.ASCII)
    return None if found is None else int(found[1])


def _by_key(named: Iterable[tuple[Key, str]]) -> dict[Key, list[str]]:
    found: dict[Key, list[str]] = {}
    for key, name in named:
        found.setdefault(key, []).append(name)
    return found
