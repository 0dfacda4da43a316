"""Training pairs made as they are asked for: a photo, a fresh blur of it, and only the crop of both
that is trained on.

What stands at a place, (stream, position), is a function of the settings alone: the photo and the
crop are drawn as from files, and the pair's seed is (the set's seed, photo, stream, position). So
no blur comes twice, every one comes again after a restart, and no number of workers or loader
processes changes one. The input's crop is bit for bit that of the picture which synthesize would
write for that seed.

On the processor the crop is made in the loader's processes (components/optics/region.py); on a
device they hand over windows of the photo, and the training process makes whole batches there
(components/optics/device). What has no form there comes from the processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from components.core.errors import LineageError
from components.core.records import OnTheFly, Pair, SourcePhoto
from components.core.seeds import seed_of
from components.optics.degradation import Degradation, Plan, plans
from components.optics.device.render_inputs import Layout, Order, order_of, stacked, taken
from components.optics.region import Box, part_of
from components.services.content import Reader
from components.train.augment import PairedAugment
from components.train.config import TrainConfig
from components.train.data import Data, PairDataset, Place, Sample, TrainingSet, to_tensor
from components.train.pictures import Pictures
from components.train.unpaired import UnpairedSet
from components.train.visits import EVERY_STEP, Visits

SynthesizedOn = Literal["processor", "device"]
Loaded = dict[str, Tensor]
ORDER = "order/"  # what goes before the names of what is to be rendered


def training_set(
    data: Data, config: TrainConfig, crop_px: int, device: torch.device, visits: Visits = EVERY_STEP
) -> TrainingSet:
    """The pictures of a phase: pairs from files or made on the fly, or two domains without pairs."""
    found = _kind(data, config, crop_px, device)
    found.visits = visits
    return found


def _kind(data: Data, config: TrainConfig, crop_px: int, device: torch.device) -> TrainingSet:
    way = data.pairset.on_the_fly
    rows = [row for row in data.train if isinstance(row, Pair)]
    if data.targets:
        return UnpairedSet(data.reader, rows, data.targets, config, crop_px)
    if way is None:
        return PairDataset(data.reader, rows, config, crop_px)
    sources = [row for row in data.train if isinstance(row, SourcePhoto)]
    return FreshPairs(data.reader, sources, way, config, crop_px, device)


class FreshPairs(TrainingSet):
    """Pairs by place, as `PairDataset` gives them, each with a blur of its own."""

    def __init__(
        self,
        reader: Reader,
        sources: Sequence[SourcePhoto],
        way: OnTheFly,
        config: TrainConfig,
        crop_px: int,
        device: torch.device,
    ) -> None:
        super().__init__(config)
        self._sources, self._seed, self._crop_px, self._device = sources, way.seed, crop_px, device
        self._degradation = degradation_of(way)
        self._layout = Layout(self._degradation, crop_px // config.generator.scale)
        self._renders = synthesized_on(config, device) == "device"
        self._pictures = Pictures(reader, sources, keep_gigabytes=config.keep_decoded_gb)
        self._change: PairedAugment | None = None

    def __getitem__(self, place: Place) -> Sample:
        """The pair at a place, made on the processor."""
        (source, plan), *_ = self._drawn([place])
        input, target = self._made(source, plan, place)
        return to_tensor(input), to_tensor(target)

    def __getitems__(self, places: Sequence[Place]) -> Loaded:
        """The pairs at some places, as one batch, or what the device needs to make them."""
        self.expect(places)
        drawn = zip(places, self._drawn(places), strict=True)
        if not self._renders:
            samples = [self._made(source, plan, place) for place, (source, plan) in drawn]
            return {
                name: torch.stack([to_tensor(sample[side]) for sample in samples])
                for side, name in enumerate(("input", "target"))
            }
        return handed_over(
            self._layout, [self._ordered(source, plan, place) for place, (source, plan) in drawn]
        )

    def finished(self, loaded: Loaded) -> list[Tensor]:
        """[input, target] of a batch, rendered where that is still to be done."""
        if not self._renders:
            return [loaded["input"], loaded["target"]]
        here = {name: values.to(self._device, non_blocking=True) for name, values in loaded.items()}
        if here["to_render"].numel():
            here["input"].index_copy_(0, here["to_render"], rendered_crops(self._layout, here))
        return [here["input"], here["target"]]

    def expect(self, places: Sequence[Place]) -> None:
        """Bring the photos near."""
        self._pictures.expect(name for place in places for name in self._source_at(place).files)

    def _source_at(self, place: Place) -> SourcePhoto:
        return self._sources[self.drawn(place, len(self._sources))]

    def _drawn(self, places: Sequence[Place]) -> list[tuple[SourcePhoto, Plan]]:
        """Photos and plans, many plans at a time."""
        sources = [self._source_at(place) for place in places]
        pair_seeds = [
            seed_of(self._seed, source.photo, *place) for source, place in zip(sources, places, strict=True)
        ]
        return list(zip(sources, plans(self._degradation, pair_seeds), strict=True))

    def _made(
        self, source: SourcePhoto, plan: Plan, place: Place
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The crops of input and target, changed alike."""
        target, pixels, keys = self._pictures[source.target], self._light(source), self._keys(place)
        height, width = source.height // plan.scale, source.width // plan.scale
        if self._config.augment.enlarge > 1:
            # A pixel of an enlarged picture depends on its place to the last bit, so that the whole
            # one is made.
            return self._changes(part_of(plan, pixels, Box(0, 0, height, width)), target, *keys)
        side = self._layout.side
        top, left = self._changes.crop_origin(height, width, *keys)
        return self._changes.change(
            part_of(plan, pixels, Box(top, left, side, side)), self._target_crop(target, top, left), *keys
        )

    def _ordered(
        self, source: SourcePhoto, plan: Plan, place: Place
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | Order]:
        """The target's crop, and the input's, or the order to make and change it."""
        if not taken(self._layout, plan, source.channels):
            input, target = self._made(source, plan, place)
            return target, input
        keys = self._keys(place)
        top, left = self._changes.crop_origin(source.height // plan.scale, source.width // plan.scale, *keys)
        target, change = self._changes.drawn_change(
            self._target_crop(self._pictures[source.target], top, left), *keys
        )
        return target, order_of(self._layout, plan, self._light(source), top, left) | change

    @property
    def _changes(self) -> PairedAugment:
        """Made where it is used: its library does not travel to other processes."""
        if self._change is None:
            self._change = PairedAugment(self._config.augment, self._crop_px, self._config.generator.scale)
        return self._change

    def _keys(self, place: Place) -> tuple[int, str, str, int]:
        return self._config.seed, "augment", *place

    def _light(self, source: SourcePhoto) -> np.ndarray[Any, Any]:
        pixels = self._pictures[source.light]
        return pixels[:, :, 0] if source.channels == 1 else pixels

    def _target_crop(self, target: np.ndarray[Any, Any], top: int, left: int) -> np.ndarray[Any, Any]:
        scale = self._config.generator.scale
        return np.ascontiguousarray(
            target[top * scale : top * scale + self._crop_px, left * scale : left * scale + self._crop_px]
        )


def handed_over(
    layout: Layout, parts: Sequence[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | Order]]
) -> Loaded:
    """One batch: the targets' crops, the inputs' that are made, and orders for the others, with
    their numbers.
    """
    side = layout.side
    input, orders, numbers = np.zeros((len(parts), side, side, 3), np.uint8), [], []
    for number, (_, made) in enumerate(parts):
        if isinstance(made, dict):
            orders.append(made)
            numbers.append(number)
        else:
            input[number] = made
    batch = {
        "target": _batch(np.stack([target for target, _ in parts])),
        "input": _batch(input),
        "to_render": torch.tensor(numbers, dtype=torch.int64),
    }
    return batch | (
        {ORDER + name: torch.from_numpy(values) for name, values in stacked(layout, orders).items()}
        if orders
        else {}
    )


def rendered_crops(layout: Layout, here: Loaded) -> Tensor:
    """The crops that were ordered with a batch, made on the device it is on."""
    # torch takes a second to import these; a training from files does without.
    from components.optics.device.render import rendered

    order = {name.removeprefix(ORDER): values for name, values in here.items() if name.startswith(ORDER)}
    return changed(rendered(layout, order), order["turned"], order["channels"], order["levels"])


def synthesized_on(config: TrainConfig, device: torch.device) -> SynthesizedOn:
    """Where the blur is made."""
    if config.synthesize_on != "auto":
        return config.synthesize_on
    return "device" if device.type == "cuda" and config.augment.enlarge == 1 else "processor"


def degradation_of(way: OnTheFly) -> Degradation:
    """What is done to the photos. Raises LineageError when another version of the code wrote it."""
    try:
        return Degradation.model_validate(way.degradation)
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(str(part) for part in found["loc"])
        raise LineageError(
            f"the pair set's degradation cannot be read by this version ({place}: {found['msg']}); run"
            " synthesize again"
        ) from error


def changed(parts: Tensor, turned: Tensor, channels: Tensor, levels: Tensor) -> Tensor:
    """What `PairedAugment.drawn_change` tells, done to a batch of parts: (N, 3, side, side) uint8."""
    side = parts.shape[2]
    along = torch.arange(side, device=parts.device)
    rows, columns = along[:, None].expand(side, side), along.expand(side, side)
    swap, up, back = (turned[:, place, None, None].bool() for place in range(3))
    rows, columns = torch.where(swap, columns, rows), torch.where(swap, rows, columns)
    rows, columns = torch.where(up, side - 1 - rows, rows), torch.where(back, side - 1 - columns, columns)
    mixed = parts.flatten(2).take_along_dim(channels[:, :, None], 1)
    moved = mixed.take_along_dim((rows * side + columns).flatten(1)[:, None], 2)
    return levels.take_along_dim(moved.flatten(1).long(), 1).view_as(parts)


def _batch(pictures: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
