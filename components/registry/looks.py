"""How often a test set was looked at, kept with the registry: a tag of the model for each test set.

A look is one comparison of a version with the champion. The proof (components/register/proof.py)
needs to know how many there were, their mean gain and their mean variance; a test set wears out
with them. Which test set it is, is told by its groups: photos that are added over time leave it the
same one, and a rotation, which changes more than half of it, begins a new one. The 32 smallest
hashes of the groups' names stand for all of them (Broder 1997, "On the resemblance and containment
of documents").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field, ValidationError

from components.core.parts import Part, canonical_json, digest_of
from components.register.champion_checks import Look
from components.register.proof import Looks
from components.services import tracking

PREFIX = "looks."
SKETCH = 32
SAME_SET = 0.5
CHAMPIONS = 10  # whose looks are kept; a tag holds 5000 characters


class OfChampion(Part):
    """Looks at one champion on one test set."""

    count: int = Field(ge=0)
    mean: float = Field(description="over looks, of their mean gains")
    variance: float = Field(ge=0, description="over looks, of their variances over groups")


class CountedLook(Part):
    """A look with the sketch of its test set, small enough for a decision's row."""

    groups: tuple[str, ...]
    mean: float
    variance: float = Field(ge=0)


class TestSet(Part):
    """All looks at one test set. groups: its sketch; champions: by version, the newest last."""

    __test__ = False  # no test of pytest's

    groups: tuple[str, ...]
    looks: int = Field(0, ge=0, description="in all, whatever the champion")
    champions: dict[str, OfChampion] = Field(default_factory=dict)
    last: str = Field("", description="which decision was counted last, so that none is counted twice")

    def of(self, champion: int) -> Looks:
        """Those at one champion."""
        found = self.champions.get(str(champion))
        return Looks() if found is None else Looks(found.count, found.mean, found.variance)


@dataclass(frozen=True)
class History:
    """What is known of a test set before a look. worn: looks in all."""

    looks: Looks
    worn: int


def counted(look: Look) -> CountedLook:
    """A look as a decision carries it."""
    return CountedLook(groups=_sketch(look.groups), mean=look.mean, variance=look.variance)


def history(name: str, champion: int, groups: Sequence[str]) -> History:
    """Earlier looks at a champion on the test set of these groups; none when it is new."""
    _, known = _alike(name, _sketch(groups))
    return History(known.of(champion), known.looks)


def note(name: str, champion: int, look: CountedLook, once: str) -> None:
    """Count a look. once: names the decision; the same one twice is counted once."""
    key, known = _alike(name, look.groups)
    if known.last == once:
        return
    after = known.of(champion).after(look.mean, look.variance)
    count, mean, variance = (float(np.asarray(value)) for value in (after.count, after.mean, after.variance))
    this = OfChampion(count=round(count), mean=mean, variance=variance)
    others = {number: each for number, each in known.champions.items() if number != str(champion)}
    newest = dict([*others.items(), (str(champion), this)][-CHAMPIONS:])
    now = TestSet(groups=look.groups, looks=known.looks + 1, champions=newest, last=once)
    tracking.add_model_tags(name, {key: canonical_json(now.model_dump(mode="json"))})


def spread(name: str) -> float | None:
    """Standard deviation over groups of how much two versions differ, from the test set that was
    looked at most; None before the first look.
    """
    known = [each for each in _all(name).values() if each.champions]
    if not known:
        return None
    champions = max(known, key=lambda each: each.looks).champions.values()
    looks = sum(each.count for each in champions)
    return float((sum(each.count * each.variance for each in champions) / looks) ** 0.5) if looks else None


def _alike(name: str, sketch: tuple[str, ...]) -> tuple[str, TestSet]:
    """The tag and the record of the test set most like this one, or those of a new one."""
    known = _all(name)
    best = max(known, key=lambda key: (_likeness(known[key].groups, sketch), key), default=None)
    if best is not None and _likeness(known[best].groups, sketch) >= SAME_SET:
        return best, known[best]
    numbers = [key.removeprefix(PREFIX) for key in tracking.model_tags(name) if key.startswith(PREFIX)]
    taken = [int(number) for number in numbers if number.isdigit()]
    return f"{PREFIX}{max(taken, default=0) + 1:04d}", TestSet(groups=sketch)


def _all(name: str) -> dict[str, TestSet]:
    """Every test set on record; a tag that cannot be read (of another version) is passed over."""
    found = {}
    for key, text in tracking.model_tags(name).items():
        if key.startswith(PREFIX):
            try:
                found[key] = TestSet.model_validate_json(text)
            except ValidationError:
                continue
    return found


def _sketch(groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({digest_of(group)[:8] for group in groups})[:SKETCH])


def _likeness(some: Sequence[str], others: Sequence[str]) -> float:
    """Share of the groups of two test sets that they have in common, estimated from their sketches."""
    smallest = sorted({*some, *others})[:SKETCH]
    return len({*smallest} & {*some} & {*others}) / max(len(smallest), 1)
