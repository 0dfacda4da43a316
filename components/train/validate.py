"""Look at the averaged generator during training: metrics on validation pairs beside doing nothing,
signs of ill health, and a sheet.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from components.core.baseline import do_nothing
from components.core.images import Pixels, rgb_of, to_float
from components.core.levels import at_bits, bits_of, to_pixels
from components.core.records import Pair
from components.core.windows import Windows
from components.metrics import METRICS
from components.metrics.of_set import MOST, Function, functions_for
from components.metrics.sizes import need_one_fit, too_small
from components.metrics.values import photo_on, values_of
from components.nets.precision import ieee_float32
from components.nets.restore import Restorer
from components.services.content import training_targets
from components.train.config import TrainConfig
from components.train.data import Data
from components.train.health.of_pictures import PictureHealth
from components.train.worker_group import World

Picture = np.ndarray[Any, np.dtype[np.uint8]]
SHEET_ROWS, SHEET_PX = 4, 256


class Validation(NamedTuple):
    """What a validation found, the same on every worker but the sheet, which the leader has.

    by_group: of each metric its values by independent group, in the pairs' order: what tells chance
    from progress between two validations.
    """

    scores: dict[str, float]
    sheet: Picture | None
    by_group: dict[str, tuple[float, ...]]


def validate(
    config: TrainConfig,
    net: nn.Module,
    data: Data,
    world: World,
    baselines: dict[str, list[float]] | None = None,
) -> Validation:
    """Scores by name, and a sheet: input (enlarged where it is smaller) | restored | target, a row a
    pair.

    The pairs are parted among the workers and their values added up. Restored photos are rounded
    to the pair's bits first, as a user would save them.

    baselines: of earlier validations with the same metrics, by the pair's id; filled with those of the
    pairs that are not in it.
    """
    known = {} if baselines is None else baselines
    # Between steps the net alone is looked at: eight times the time would go into training.
    part = config.generator.model_copy(update={"test_time_ensemble": False})
    restorer = Restorer(copy.deepcopy(net), part, device=str(world.device))
    names = config.validate_metrics
    need_one_fit([(pair.height, pair.width) for pair in data.val], names, "train.validate_metrics")
    large = [pair for pair in data.val if too_small((pair.height, pair.width), names) is None]
    pairs = large[: config.validate_pairs]
    windows = Windows(data.val, config.generator.window)
    values = torch.zeros(2, len(pairs), len(names), dtype=torch.float64)
    functions = functions_for(names, data.pairset.digest, lambda: training_targets(data.pairset, MOST))
    health = PictureHealth()
    rows: list[list[Picture]] = []
    for place in range(world.rank, len(pairs), world.size):
        names_of_window = [each.input for each in windows[pairs[place]]]
        frames = [rgb_of(data.reader.read(name), name) for name in names_of_window]
        input, target = (
            frames[len(frames) // 2],
            rgb_of(data.reader.read(pairs[place].target), pairs[place].target),
        )
        shown = to_float(np.concatenate(frames, axis=2))
        restored = to_pixels(np.nan_to_num(restorer.restore(shown)), bits_of(target))
        truth = photo_on(world.device, target)
        if pairs[place].id not in known:
            known[pairs[place].id] = _measured(do_nothing(data.pairset, input), truth, functions)
        values[0, place] = torch.tensor(_measured(restored, truth, functions))
        values[1, place] = torch.tensor(known[pairs[place].id])
        health.add(at_bits(restored, 8), at_bits(target, 8))
        if world.leads and len(rows) < SHEET_ROWS:
            left = input if input.shape == target.shape else do_nothing(data.pairset, input)
            rows.append([_middle(at_bits(picture, 8)) for picture in (left, restored, target)])
    values = world.total(values.to(world.device)).cpu()
    restored_means, untouched_means = values.mean(1).tolist()
    scores = {f"validation/{name}": value for name, value in zip(names, restored_means, strict=True)}
    scores |= {
        f"validation/{name}_gain": METRICS[name].gain(scores[f"validation/{name}"], base)
        for name, base in zip(names, untouched_means, strict=True)
    }
    scores |= PictureHealth.values(world.total(health.sums().to(world.device)).cpu())
    return Validation(scores, _sheet(rows) if rows else None, _by_group(names, pairs, values[0]))


def _measured(seen: Pixels, truth: Tensor, functions: Mapping[str, Function]) -> list[float]:
    """Computed where the truth lies."""
    with ieee_float32():
        return list(values_of(photo_on(truth.device, seen), truth, functions).values())


def _by_group(names: Sequence[str], pairs: Sequence[Pair], values: Tensor) -> dict[str, tuple[float, ...]]:
    """Means over each group's pairs. values: (pairs, metrics)."""
    groups: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        groups.setdefault(pair.counts_as, []).append(place)
    means = torch.stack([values[places].mean(0) for places in groups.values()])
    return {name: tuple(means[:, column].tolist()) for column, name in enumerate(names)}


def _middle(picture: Picture) -> Picture:
    height, width = (min(side, SHEET_PX) for side in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


def _sheet(rows: Sequence[Sequence[Picture]]) -> Picture:
    """Pictures side by side, rows below each other, narrower rows filled up with white."""
    lines = [np.concatenate(row, axis=1) for row in rows]
    width = max(line.shape[1] for line in lines)
    return np.concatenate(
        [np.pad(line, ((0, 0), (0, width - line.shape[1]), (0, 0)), constant_values=255) for line in lines],
        axis=0,
    )
