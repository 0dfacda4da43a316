"""Training data by position: which pair, which crop, is a function of (seed, position), so a step
is the same on any worker after any restart.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from components.core.errors import InputError, LineageError
from components.core.images import read_rgb
from components.core.quarantine import Quarantine, Unfit, leave_out
from components.core.records import Pair, PairSet, SourcePhoto
from components.core.seeds import stream
from components.train.augment import PairedAugment
from components.train.config import TrainConfig
from components.train.config.health import OF_PICTURES

CACHE_BYTES = 1_500_000_000
# (stream, position): stream "generator" feeds the generator's steps, "discriminator K" the further
# discriminator updates.
Place = tuple[str, int]
Sample = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Data:
    """The pairs to train on, or the photos that training makes them of, and the pairs to validate
    with.
    """

    pairset: PairSet
    train: tuple[Pair, ...] | tuple[SourcePhoto, ...]
    val: tuple[Pair, ...]

    @classmethod
    def of(cls, pairset: PairSet) -> Data:
        """A pair set's own splits."""
        return cls(
            pairset,
            pairset.pairs("train") if pairset.on_the_fly is None else pairset.source_photos(),
            groups_first(pairset.pairs("val")),
        )


def groups_first(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """One pair of each independent group before second ones: the first 16 then show 16 photos, and
    not four blurs of four.
    """
    seen: Counter[str] = Counter()
    turn: dict[str, int] = {}
    for pair in pairs:
        turn[pair.id] = seen[pair.counts_as]
        seen[pair.counts_as] += 1
    return tuple(sorted(pairs, key=lambda pair: (turn[pair.id], pair.id)))


@lru_cache(maxsize=64)
def _order(seed: int, name: str, epoch: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return stream(seed, "order", name, epoch).permutation(count)


def pair_at(seed: int, place: Place, count: int, *, with_replacement: bool = False) -> int:
    """Which of `count` pairs stands at a place: every epoch is a fresh permutation, named by the
    seed; or each place draws anew.
    """
    name, position = place
    if with_replacement:
        return int(stream(seed, "draw", name, position).integers(count))
    return int(_order(seed, name, position // count, count)[position % count])


class Pictures:
    """A set's decoded pictures by name, kept while there is room: decoding costs fifty times the
    crop.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache: OrderedDict[str, np.ndarray[Any, np.dtype[Any]]] = OrderedDict()
        self._cached_bytes = 0

    def __getitem__(self, name: str) -> np.ndarray[Any, np.dtype[Any]]:
        found = self._cache.get(name)
        if found is None:
            found = read_rgb(self._folder / name)
            self._cache[name] = found
            self._cached_bytes += found.nbytes
            while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
                self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return found


class TrainingSet(Dataset[Sample]):
    """Pairs by place: two tensors, input (3, crop / scale, crop / scale) and target (3, crop, crop),
    cropped and changed alike.

    They are uint8; float32 in [0, 255] where the pairs have 16 bits.
    """

    def __getitems__(self, places: Sequence[Place]) -> Any:
        """The pairs at some places as a batch that is on its way: made by a loader's process, for
        `finished`.
        """
        return default_collate([self[place] for place in places])

    def finished(self, loaded: Any) -> list[Tensor]:
        """A batch that has arrived: [input, target]."""
        return list(loaded)


class PairDataset(TrainingSet):
    """Pairs from files."""

    def __init__(self, folder: Path, pairs: Sequence[Pair], config: TrainConfig, crop_px: int) -> None:
        self._pairs, self._config, self._crop_px = pairs, config, crop_px
        self._pictures = Pictures(folder)
        self._change: PairedAugment | None = None

    def __getitem__(self, place: Place) -> Sample:
        config = self._config
        pair = self._pairs[
            pair_at(config.seed, place, len(self._pairs), with_replacement=config.with_replacement)
        ]
        if self._change is None:
            self._change = PairedAugment(config.augment, self._crop_px, config.generator.scale)
        input, target = self._change(
            self._pictures[pair.input], self._pictures[pair.target], config.seed, "augment", *place
        )
        return to_tensor(input), to_tensor(target)


def to_tensor(picture: np.ndarray[Any, np.dtype[Any]]) -> Tensor:
    """(H, W, 3) uint8 or uint16 to (3, H, W) uint8, or float32 in [0, 255]."""
    if picture.dtype == np.uint16:  # few of torch's operations know it
        picture = picture.astype(np.float32) / np.float32(257)
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


def places_of_step(images_seen: int, batch: int, updates: int, rank: int, size: int) -> list[Place]:
    """What one worker loads for one step: first the further discriminator batches, last the
    generator's.

    Worker `rank` of `size` takes every size-th image, so all workers together take the same images
    whatever their number.
    """
    positions = range(images_seen + rank, images_seen + batch, size)
    names = [*(f"discriminator {update}" for update in range(1, updates)), "generator"]
    return [(name, position) for name in names for position in positions]


def load_steps(
    dataset: TrainingSet,
    *,
    start: int,
    stop: int,
    batch: int,
    updates: int,
    rank: int,
    size: int,
    processes: int,
    pin: bool,
) -> Iterator[list[Tensor]]:
    """This worker's part of each step from `start` to `stop` images: [input, target], as a
    TrainingSet gives them, updates × local batch images.
    """
    # One by one: a list of all would take gigabytes for the millions of images of a published
    # recipe.
    batches = (places_of_step(seen, batch, updates, rank, size) for seen in range(start, stop, batch))
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=_as_it_is,
        num_workers=processes,
        pin_memory=pin,
        multiprocessing_context="spawn" if processes else None,
    )
    return (dataset.finished(loaded) for loaded in iter(loader))


def _as_it_is(loaded: Any) -> Any:
    return loaded


def refuse_small(pairs: Sequence[Pair | SourcePhoto], config: TrainConfig, split_words: str) -> None:
    """Refuse before training what cannot be cropped.

    Raises LineageError when there is no pair, InputError when a pair is smaller than a phase's
    crop.
    """
    if not pairs:
        raise LineageError(
            f"the pair set has no {split_words} pairs, nor photos to make them of; add photos and run"
            " synthesize again"
        )
    smallest = min(pairs, key=lambda pair: min(pair.width, pair.height))
    side = int(min(smallest.width, smallest.height) * config.augment.enlarge)
    for phase in config.phases:
        if side < phase.crop_px:
            multiple = config.generator.stride * config.generator.scale
            fits = (
                f"set its crop_px to {side // multiple * multiple} or less"
                if side >= multiple
                else "raise synthesize.max_side_px if photos were shrunk"
            )
            enlarged = f", enlarged {config.augment.enlarge:g} times" if config.augment.enlarge > 1 else ""
            needed = config.augment.smallest_px(phase.crop_px)
            # min_px looks at whole photos, so it cannot tell a narrow half.
            leave = (
                f"take photos with halves below {needed} px out"
                if isinstance(smallest, Pair) and smallest.blur_kind == "side_by_side"
                else f"set ingest.min_px to {needed} to leave such photos out"
            )
            raise InputError(
                f"phase {phase.name} crops {phase.crop_px} px, but pair {smallest.id} is"
                f" {smallest.width}×{smallest.height}{enlarged}: {fits}, or {leave}"
            )


def croppable(data: Data, config: TrainConfig) -> tuple[Data, Quarantine]:
    """The data without the training pairs that are smaller than a phase's crop, and the list of
    those.

    Raises LineageError when there are no pairs, PhotoError when more are too small than the recipe
    allows.
    """
    try:
        refuse_small(data.train, config, "training")
    except InputError as error:
        largest = max(phase.crop_px for phase in config.phases)
        small = {
            pair.id: (pair.id, f"too small: {pair.width} × {pair.height} px, crops have {largest} px")
            for pair in data.train
            if int(min(pair.width, pair.height) * config.augment.enlarge) < largest
        }
        left_out = leave_out(
            "train",
            [Unfit(small, str(error))],
            dict.fromkeys((pair.id for pair in data.train), "training"),
            most=config.max_left_out,
            what="pairs",
        )
        train = tuple(pair for pair in data.train if pair.id not in small)
        return replace(data, train=train), left_out  # type: ignore[arg-type]
    return data, Quarantine.of((), {})


def refuse_unvalidated(data: Data, config: TrainConfig) -> None:
    """Raises LineageError when a setting waits for validations, and there are no pairs to validate
    with; or when what is validated on is tested on as well.
    """
    if data.val:
        shared = {pair.counts_as for pair in data.val} & {
            pair.counts_as for pair in data.pairset.pairs("test")
        }
        if shared:
            raise LineageError(
                f"{len(shared)} groups of photos stand in val and in test, such as {min(shared)[:16]}: what"
                " chooses during training would have seen the test photos; run ingest and synthesize again"
            )
        return
    waits = ["keep_best"] if config.keep_best is not None else []
    waits += [
        f"early_stopping of phase {phase.name}" for phase in config.phases if phase.early_stopping is not None
    ]
    waits += [
        f"rollback.on {name}"
        for name in (config.rollback.on if config.rollback is not None else ())
        if name in OF_PICTURES
    ]
    if waits:
        raise LineageError(
            f"train.{waits[0]} needs validation pairs, and the pair set has none: add photos or raise"
            " ingest.split.val and run again, or take it out"
        )


def refuse_other_scale(pairset: PairSet, config: TrainConfig) -> None:
    """Raises InputError when the pairs are enlarged by another factor than the generator enlarges."""
    if pairset.scale != config.generator.scale:
        raise InputError(
            f"the pairs are for scale {pairset.scale} (target over input size), the generator"
            f" {config.generator.kind} enlarges {config.generator.scale} times: make synthesize.downscale and"
            " train.generator agree, and run synthesize again"
        )


def to_net(picture: Tensor, device: torch.device) -> Tensor:
    """uint8, or float32 in [0, 255], to float32 in [-1, 1] on the device: the one way in."""
    return picture.to(device, non_blocking=True).float().div_(127.5).sub_(1.0)
