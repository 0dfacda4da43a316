"""Training data by position: which pair, which crop, is a function of (seed, position), so a step
is the same on any worker after any restart.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from components.core.records import Pair, PairSet, SourcePhoto, TargetPhoto
from components.core.seeds import stream
from components.core.windows import Windows
from components.services.content import Reader, reader_of
from components.train.augment import PairedAugment
from components.train.config import TrainConfig
from components.train.pictures import Pictures
from components.train.visits import EVERY_STEP

LOADERS = 4  # on a GPU: one decodes and augments 40 to 100 crops a second
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
    targets: tuple[TargetPhoto, ...] = ()  # the other domain's training pictures, where there are no pairs

    @property
    def epoch(self) -> int:
        """Images in a pass over the training pictures: of the larger domain where there are two."""
        return max(len(self.train), len(self.targets))

    @cached_property
    def reader(self) -> Reader:
        """The pictures by name, from where the set lies."""
        return reader_of(self.pairset)

    def keep(self, validated: int, window: int = 1) -> None:
        """Keep the pictures on this machine, as far as there is room: of all training pairs, and of so
        many to validate with, with the neighbours of a window of so many frames.
        """
        rows = (*self.train, *self.targets, *self.val[:validated])
        windows = Windows(self.val, window)
        beside = [each.input for pair in self.val[:validated] for each in windows[pair]]
        self.reader.keep([*(name for row in rows for name in row.files), *beside])

    @classmethod
    def of(cls, pairset: PairSet) -> Data:
        """A pair set's own splits."""
        return cls(
            pairset,
            pairset.pairs("train") if pairset.on_the_fly is None else pairset.source_photos(),
            groups_first(pairset.pairs("val")),
            pairset.targets("train"),
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


class TrainingSet(Dataset[Sample]):
    """Pairs by place: two tensors, input (3 T, crop / scale, crop / scale), T frames of a window, one but
    for video, and target (3, crop, crop), cropped and changed alike. Where several successive frames are
    targets, (3 frames, crop, crop), the window is as much wider.

    They are uint8; float32 in [0, 255] where the pairs have 16 bits.
    """

    visits = EVERY_STEP

    def __init__(self, config: TrainConfig) -> None:
        self._config = config

    def drawn(self, place: Place, count: int) -> int:
        """Which of `count` pictures stands at a place."""
        name, position = place
        visit, config = (name, self.visits.number(position)), self._config
        return pair_at(config.seed, visit, count, with_replacement=config.with_replacement)

    def __getitems__(self, places: Sequence[Place]) -> Any:
        """The pairs at some places as a batch that is on its way: made by a loader's process, for
        `finished`.
        """
        self.expect(places)
        return default_collate([self[place] for place in places])

    def expect(self, places: Sequence[Place]) -> None:
        """These places are asked for next: their pictures may be on their way meanwhile."""

    def finished(self, loaded: Any) -> list[Tensor]:
        """A batch that has arrived: [input, target]."""
        return list(loaded)


class PairDataset(TrainingSet):
    """Pairs from files."""

    def __init__(
        self, files: Path | Reader, pairs: Sequence[Pair], config: TrainConfig, crop_px: int
    ) -> None:
        super().__init__(config)
        self._pairs, self._crop_px = pairs, crop_px
        self._aims = Windows(pairs, config.target_frames)
        self._windows = Windows(pairs, config.generator.window + config.target_frames - 1)
        self._pictures = Pictures(
            files,
            pairs,
            enlarge=config.augment.enlarge,
            scale=config.generator.scale,
            keep_gigabytes=config.keep_decoded_gb,
        )
        self._change: PairedAugment | None = None

    def __getitem__(self, place: Place) -> Sample:
        config, pair = self._config, self._pair_at(place)
        if self._change is None:
            scale, targets = config.generator.scale, config.target_frames
            frames = config.generator.window + targets - 1
            self._change = PairedAugment(config.augment, self._crop_px, scale, frames, targets)
        shown = [self._pictures[each.input] for each in self._windows[pair]]
        aims = [self._pictures[each.target] for each in self._aims[pair]]
        input, target = self._change.window(shown, aims, config.seed, "augment", *place)
        return to_tensor(input), to_tensor(target)

    def expect(self, places: Sequence[Place]) -> None:
        """Bring the pairs' pictures near."""
        pairs = [self._pair_at(place) for place in places]
        self._pictures.expect(
            name
            for pair in pairs
            for name in (
                *(each.target for each in self._aims[pair]),
                *(each.input for each in self._windows[pair]),
            )
        )

    def _pair_at(self, place: Place) -> Pair:
        return self._pairs[self.drawn(place, len(self._pairs))]


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


def loader_count(asked: int | None, device: torch.device) -> int:
    """How many processes load: as many as asked for; else none on a processor, which the step needs
    itself, and on a GPU what its share of this machine's processors allows.
    """
    if asked is not None or device.type != "cuda":
        return asked or 0
    return max(1, min(LOADERS, len(os.sched_getaffinity(0)) // torch.cuda.device_count() - 1))


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
    # recipe. A loader's process has whole visits, so that one process decodes their pictures once.
    starts = range(start, stop, batch)
    groups = groupby(starts, key=dataset.visits.end if processes else None)
    steps: Iterator[list[list[Place]]] = (
        [places_of_step(seen, batch, updates, rank, size) for seen in group] for _, group in groups
    )
    if not processes:  # else its processes are ahead of the training by themselves
        steps = _announced(dataset, steps)
    loader: DataLoader[Any] = DataLoader(
        _Steps(dataset),
        batch_sampler=steps,
        collate_fn=_as_it_is,
        num_workers=processes,
        pin_memory=pin,
        multiprocessing_context="spawn" if processes else None,
    )
    return (dataset.finished(loaded) for group in iter(loader) for loaded in group)


class _Steps(Dataset[Any]):
    """The batches of some steps in a row at once."""

    def __init__(self, dataset: TrainingSet) -> None:
        self._dataset = dataset

    def __getitems__(self, steps: Sequence[Sequence[Place]]) -> list[Any]:
        return [self._dataset.__getitems__(places) for places in steps]


def _announced(dataset: TrainingSet, steps: Iterable[list[list[Place]]]) -> Iterator[list[list[Place]]]:
    """The steps, each with a word to the data set of the next one."""
    following = iter(steps)
    step = next(following, None)
    while step is not None:
        upcoming = next(following, None)
        dataset.expect([place for places in (*step, *(upcoming or ())) for place in places])
        yield step
        step = upcoming


def _as_it_is(loaded: Any) -> Any:
    return loaded


def to_net(picture: Tensor, device: torch.device) -> Tensor:
    """uint8, or float32 in [0, 255], to float32 in [-1, 1] on the device: the one way in."""
    return picture.to(device, non_blocking=True).float().div_(127.5).sub_(1.0)
