"""Which split each photo goes to. Pure functions of the photos' bytes: neither names, order nor
neighbours count.

By content: a photo's SHA-256, read as a number in [0, 1), falls into the part that train, val or
test has of it. Adding photos therefore moves none.

Near duplicates: train wins. Each photo of a group keeps the split of its own bytes; where the group
spans several splits, the members in the later ones (train, then val, then test) are left out. So
nothing leaks, and still no photo ever changes
sides: one that was in train stays there, one that was in test stays or is left out.

With a reserve, the part above val holds several test sets, of which `rotation` names the present
one; the others are left out.

Small sets only (a few dozen photos): a split may come out empty. It then takes the one group whose
number lies nearest to its part, from a split that can spare one. That photo does move when enough
photos are added for the split to fill by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.core.records import SPLITS, Split
from components.ingest.config import ByContent


@dataclass(frozen=True)
class Verdict:
    """Where each photo goes, by id, and which are left out because of a near duplicate elsewhere."""

    splits: dict[str, Split]
    groups: dict[str, str]  # id to the first kept id of its group
    left_out: dict[str, str]  # id to the kept id it resembles


SET_ASIDE = "reserve: set aside for another test set (ingest.split.reserve and rotation)"


def share_of(photo: str) -> float:
    """A photo's id as a number in [0, 1).

    >>> share_of("8" + "0" * 63)
    0.5
    """
    return int(photo[:12], 16) / 16**12


def split_of(photo: str, splitting: ByContent) -> Split:
    """The split that a photo's own bytes decide."""
    share = share_of(photo)
    if share < splitting.bounds("train")[1]:
        return "train"
    return "val" if share < splitting.bounds("val")[1] else "test"


def is_set_aside(photo: str, splitting: ByContent) -> bool:
    """Whether a photo belongs to a test set that is worn or still to come."""
    low, high = splitting.bounds("test")
    share = share_of(photo)
    return share >= splitting.bounds("val")[1] and not low <= share < high


def decide(
    groups: Sequence[Sequence[str]],
    splits: Mapping[str, Split],
    splitting: ByContent | None,
    order: Sequence[Split] = SPLITS,
) -> Verdict:
    """Settle every photo's split.

    groups: near duplicates together, ids ascending; splits: each photo's own; splitting: given when
    empty splits may be filled;
    order: which split wins where a group spans several.
    """
    kept: list[tuple[str, ...]] = []
    left_out: dict[str, str] = {}
    sides: list[Split] = []
    for group in groups:
        side = min((splits[photo] for photo in group), key=order.index)
        staying = tuple(photo for photo in group if splits[photo] == side)
        left_out |= {photo: staying[0] for photo in group if splits[photo] != side}
        kept.append(staying)
        sides.append(side)
    if splitting is not None:
        fill_empty(kept, sides, splitting)
    return Verdict(
        splits={photo: side for group, side in zip(kept, sides, strict=True) for photo in group},
        groups={photo: group[0] for group in kept for photo in group},
        left_out=left_out,
    )


def fill_empty(groups: Sequence[tuple[str, ...]], sides: list[Split], splitting: ByContent) -> None:
    """Give each empty split the nearest group of a split that has more than one, train's before
    others'.
    """
    for wanted in ("test", "val", "train"):
        if wanted in sides:
            continue
        sparing = [side for side in SPLITS if sides.count(side) > 1]
        if not sparing:
            continue
        low, high = splitting.bounds(wanted)
        away = {
            place: min(_distance(share_of(photo), low, high) for photo in groups[place])
            for place, side in enumerate(sides)
            if side == sparing[0]
        }
        sides[min(away, key=lambda place: (away[place], groups[place]))] = wanted


def _distance(share: float, low: float, high: float) -> float:
    return max(low - share, share - high, 0.0)
