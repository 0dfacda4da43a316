"""Which split each pair goes to, a scene always whole; and what would leak from test into train.

A set with splits of its own keeps them: its test split stays whole and val is taken out of train,
scene by scene. What stands on both sides is then refused with its names, since a score on such a
test split means nothing; with leakage leave_out it is taken out of train instead, so that the test
split can still be compared with what others report. Otherwise content decides, and nobody asked for
the leak: train wins and the others are left out with their reasons, as with photos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from components.core.errors import PhotoError
from components.core.files import sha256_of_bytes
from components.core.records import SPLITS, Split
from components.ingest.config import ByContent, ByFolder, IngestConfig, OneSplit
from components.ingest.near_duplicates import Groups, first_of_groups, near_duplicates
from components.ingest.pairs.import_pairs import Reasons, Taken
from components.ingest.pairs.layout import PublishedLayout
from components.ingest.split import SET_ASIDE, decide, fill_empty, is_set_aside, share_of, split_of

TEST_FIRST: tuple[Split, ...] = ("test", "train", "val")
SHOWN = 3


@dataclass(frozen=True)
class Settled:
    """The pairs that stay with their splits, the group of each sharp photo (scene and near
    duplicates) by its id, and what is left out.
    """

    pairs: tuple[tuple[Taken, Split], ...]
    groups: Mapping[str, str]
    left_out: Reasons


@dataclass(frozen=True)
class Leak:
    """A pair that shows what another one in an earlier split shows."""

    name: str
    side: Split
    against: Split
    reason: str  # kind: as what


def settle(taken: Sequence[Taken], config: IngestConfig) -> Settled:
    """Give every pair its split. Raises PhotoError for leakage in a set with splits of its own,
    naming what leaks, and when folders decide and do not.
    """
    published = config.pairs if isinstance(config.pairs, PublishedLayout) else None
    order = SPLITS if published is None else TEST_FIRST
    shares = config.split if isinstance(config.split, ByContent) and published is None else None
    aside = [] if shares is None else [pair for pair in taken if is_set_aside(scene_key(pair), shares)]
    if shares is not None:
        taken = [pair for pair in taken if not is_set_aside(scene_key(pair), shares)]
    if not taken:
        raise PhotoError(
            f"all {len(aside)} pairs at {config.photos} lie in the reserve; lower ingest.split.reserve"
        )
    sides = _in_own_splits(taken, published.val) if published is not None else _by_setting(taken, config)
    staying = dict(zip(range(len(taken)), sides, strict=True))
    leaks = _same_scenes(taken, staying) if published is not None else []
    leaks += _same_bytes(taken, staying, order)
    splits = {taken[place].target.id: side for place, side in staying.items()}
    verdict = decide(_groups([taken[place] for place in staying], config), splits, None, order)
    names = {pair.target.id: pair.target.name for pair in reversed(taken)}
    for place in list(staying):
        twin = verdict.left_out.get(taken[place].target.id)
        if twin is not None:
            side = verdict.splits[twin]
            leaks.append(
                Leak(
                    taken[place].input.name,
                    staying.pop(place),
                    side,
                    f"near duplicate: its sharp picture of {names[twin]}, which is in {side}",
                )
            )
    if published is not None and published.leakage == "refuse":
        _refuse([leak for leak in leaks if leak.against == "test" != leak.side], config)
    if published is None and isinstance(config.split, ByContent):
        _fill(taken, staying, verdict.groups, config.split)
    return Settled(
        tuple((taken[place], side) for place, side in staying.items()),
        _scenes([taken[place] for place in staying], verdict.groups),
        [*((leak.name, leak.reason) for leak in leaks), *((pair.input.name, SET_ASIDE) for pair in aside)],
    )


def _scenes(pairs: Sequence[Taken], alike: Mapping[str, str]) -> dict[str, str]:
    """For each sharp photo, the id of the first one it counts as one with: its scene's, with all
    that are near duplicates of any of those. Frames of a clip are no independent observations.
    """
    photos = sorted({pair.target.id for pair in pairs})
    at = {photo: place for place, photo in enumerate(photos)}
    linked = Groups(len(photos))
    first_seen: dict[str, int] = {}
    for pair in pairs:
        place = at[pair.target.id]
        for what in (f"alike {alike[pair.target.id]}", f"scene {scene_key(pair)}"):
            linked.join(place, first_seen.setdefault(what, place))
    return {photo: photos[linked.root(at[photo])] for photo in photos}


def scene_key(pair: Taken) -> str:
    """64 hex digits that decide for a scene as a photo's bytes do for a photo: the hash of its
    name, or of the sharp photo where it stands alone.
    """
    return pair.target.id if pair.scene is None else sha256_of_bytes(pair.scene.encode())


def _by_setting(taken: Sequence[Taken], config: IngestConfig) -> list[Split]:
    match config.split:
        case OneSplit(split=split):
            return [split] * len(taken)
        case ByContent() as shares:
            return [split_of(scene_key(pair), shares) for pair in taken]
        case ByFolder():
            return [pair.split for pair in taken if pair.split is not None]
        case _:
            assert_never(config.split)


def _fill(
    taken: Sequence[Taken], staying: dict[int, Split], groups: Mapping[str, str], shares: ByContent
) -> None:
    """Give an empty split of a small set the scene nearest to it, with all scenes that hold near
    duplicates of its pictures.
    """
    keys = sorted({scene_key(taken[place]) for place in staying})
    at = {key: number for number, key in enumerate(keys)}
    linked = Groups(len(keys))
    by_group: dict[str, int] = {}
    for place in staying:
        scene = at[scene_key(taken[place])]
        linked.join(scene, by_group.setdefault(groups[taken[place].target.id], scene))
    members = first_of_groups([int(root) for root in linked.roots()])
    side_of = {linked.root(at[scene_key(taken[place])]): side for place, side in staying.items()}
    sides = [side_of[root] for root in members]
    fill_empty([tuple(keys[scene] for scene in scenes) for scenes in members.values()], sides, shares)
    settled = dict(zip(members, sides, strict=True))
    for place in staying:
        staying[place] = settled[linked.root(at[scene_key(taken[place])])]


def _in_own_splits(taken: Sequence[Taken], val: float) -> list[Split]:
    """The set's own train and test, and the share of the training scenes whose hash lies highest as
    val: one at least, when there are two.
    """
    keys = {scene_key(pair) for pair in taken if pair.split == "train"}
    chosen = {key for key in keys if share_of(key) >= 1 - val}
    if val > 0 and not chosen and len(keys) > 1:
        chosen = {max(keys)}
    if len(chosen) == len(keys):
        chosen -= {min(keys, default="")}
    return [
        "test" if pair.split == "test" else "val" if scene_key(pair) in chosen else "train" for pair in taken
    ]


def _same_scenes(taken: Sequence[Taken], staying: dict[int, Split]) -> list[Leak]:
    """Scenes that the set has in train and in test: their training pairs go."""
    tested = {pair.scene: pair.input.name for place, pair in enumerate(taken) if staying[place] == "test"}
    leaks = []
    for place, side in list(staying.items()):
        scene, name = taken[place].scene, taken[place].input.name
        if side != "test" and scene is not None and scene in tested:
            leaks.append(
                Leak(
                    name,
                    staying.pop(place),
                    "test",
                    f"same scene: {scene}, as {tested[scene]}, which is in test",
                )
            )
    return leaks


def _same_bytes(taken: Sequence[Taken], staying: dict[int, Split], order: Sequence[Split]) -> list[Leak]:
    """One picture in several splits stays in the first of them; the same pair twice stays once."""
    first: dict[str, int] = {}
    for place in sorted(staying, key=lambda place: (order.index(staying[place]), taken[place].input.name)):
        for picture in (taken[place].target.id, taken[place].input.id):
            first.setdefault(picture, place)
    seen: set[tuple[str, str]] = set()
    leaks = []
    for place in sorted(staying, key=lambda place: taken[place].input.name):
        pair, side = taken[place], staying[place]
        earlier = next(
            (
                first[picture]
                for picture in (pair.target.id, pair.input.id)
                if staying.get(first[picture], side) != side
            ),
            None,
        )
        if earlier is not None:
            where = staying[earlier]
            leaks.append(
                (
                    place,
                    Leak(
                        pair.input.name,
                        side,
                        where,
                        f"same bytes: shares a picture with {taken[earlier].input.name}, which is in {where}",
                    ),
                )
            )
        elif (pair.target.id, pair.input.id) in seen:
            leaks.append(
                (
                    place,
                    Leak(
                        pair.input.name,
                        side,
                        side,
                        f"same bytes: the same pair as another, which is in {side} as well",
                    ),
                )
            )
        else:
            seen.add((pair.target.id, pair.input.id))
    for place, _ in leaks:
        del staying[place]
    return [leak for _, leak in leaks]


def _groups(pairs: Sequence[Taken], config: IngestConfig) -> list[list[str]]:
    """Sharp photos that are near duplicates, by their ids, ascending."""
    photos = {pair.target.id: pair.target.facts for pair in pairs}
    ids = sorted(photos)
    thumbnails = np.stack([photos[photo].thumbnail for photo in ids])
    shapes = np.array([photos[photo].width / photos[photo].height for photo in ids])
    roots = near_duplicates(thumbnails, shapes, config.near_duplicate_bits)
    return [[ids[place] for place in members] for members in first_of_groups(roots).values()]


def _refuse(leaks: Sequence[Leak], config: IngestConfig) -> None:
    if not leaks:
        return
    shown = "; ".join(f"{leak.name} ({leak.side}): {leak.reason}" for leak in leaks[:SHOWN])
    raise PhotoError(
        f"{len(leaks)} pairs of {config.photos} leak from test into training:"
        f" {shown}{'; …' if len(leaks) > SHOWN else ''}. Mend the set, or set ingest.pairs.leakage to"
        " leave_out, which takes them out of train"
    )
