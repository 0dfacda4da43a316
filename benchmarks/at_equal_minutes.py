"""Recipes against each other at equal minutes on equal photos: python benchmarks/at_equal_minutes.py
--recipes demo benchmarks/candidates/demo_nafnet.yaml --minutes 2.5 [--photos DIR] [--seeds 1 2 3]
[--processor] [--real DATA] [--pairs-of RECIPE].

RECIPE's photos and pairs are everybody's, the first recipe's when it is left out; DIR, with train/, val/ and
test/, takes their place. Steps of all recipes are timed in turns, and the images of each recipe's phases, in
their own proportion, become what fits into the minutes; --processor counts the processor's seconds in place
of the clock's, for a machine that others use too (run with OMP_NUM_THREADS=1). Each seed is one training. The
table has the mean gain over doing nothing on the test pairs with a 95 % t interval over seeds, how many pairs
improved, the worst and the best pair, and with --real the gain on the blurred photos of DATA (GoPro's, see
real_sets.py), which no training has seen. Less LPIPS is better; it needs the weights that README names. Where
they are there, a perceptual loss of VGG19 looks through their VGG16 instead, so that nothing is downloaded.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from real_sets import gopro
from scipy.stats import t as student
from stand_in import stand_ins_for

from components import recipes
from components.core.files import STATE_VARIABLE
from components.core.images import to_float, to_uint8
from components.core.records import Checkpoint, PairSet
from components.evaluate.run import run as evaluate
from components.ingest.config import ByFolder
from components.ingest.run import run as ingest
from components.nets.packaged_weights import SOURCE, packaged_file
from components.nets.restore import load_restorer
from components.recipes import Recipe
from components.synthesize.run import run as synthesize
from components.train.config import Phase, TrainConfig
from components.train.run import run as train
from components.train.step import GanStep
from components.train.worker_group import World

ROUNDS = 4  # of timing, the first is a warm-up
Clock = Callable[[], float]


def seconds_an_image(
    configs: Mapping[str, TrainConfig], place: Path, clock: Clock
) -> dict[tuple[str, str], float]:
    """Median seconds of each recipe's and phase's image, all of them in turns."""
    steps: dict[str, GanStep] = {}
    for name, config in configs.items():
        steps[name] = GanStep(config, World.alone(torch.device("cpu")), stand_ins_for(config, place))
    found: dict[tuple[str, str], list[float]] = {}
    for turn in range(ROUNDS):
        for name, config in configs.items():
            for phase in config.phases:
                took = _step_s(steps[name], config, phase, turn, clock) / phase.batch
                if turn:
                    found.setdefault((name, phase.name), []).append(took)
    return {key: statistics.median(times) for key, times in found.items()}


def _step_s(step: GanStep, config: TrainConfig, phase: Phase, turn: int, clock: Clock) -> float:
    layout = torch.channels_last if config.channels_last else torch.contiguous_format
    frames = (config.generator.window + config.target_frames - 1, config.target_frames)
    sides = (phase.crop_px // config.generator.scale, phase.crop_px)
    input, target = (
        (torch.rand(phase.batch, 3 * count, side, side) * 2 - 1).contiguous(memory_format=layout)
        for count, side in zip(frames, sides, strict=True)
    )
    updates = 1 if config.discriminator_reuse or not phase.adversarial else config.discriminator_updates
    began = clock()
    step([(input, target)] * updates, phase, turn * phase.batch, 1.0)
    return clock() - began


def through_weights_at_hand(config: TrainConfig) -> TrainConfig:
    """The training with its perceptual losses through the package's nets, where that is installed."""
    if packaged_file("vgg16") is None:
        return config
    plain = config.model_dump(mode="json")
    for part in plain["content"]:
        if part["kind"] == "perceptual":
            part |= {"backbone": "vgg16", "weights_from": SOURCE, "weights_sha256": None}
        elif part["kind"] == "lpips":
            part |= {"weights_from": SOURCE, "weights_sha256": None}
    return TrainConfig.model_validate(plain)


def fitted(
    config: TrainConfig, name: str, cost: Mapping[tuple[str, str], float], pairs: int, s: float
) -> TrainConfig:
    """The training with its phases as long as fits into so many seconds."""
    own = [phase.length_images(pairs) for phase in config.phases]
    whole = sum(images * cost[name, phase.name] for images, phase in zip(own, config.phases, strict=True))
    phases = [
        phase.model_dump(mode="json")
        | {"epochs": None, "images": max(phase.batch, round(images * s / whole))}
        for images, phase in zip(own, config.phases, strict=True)
    ]
    total = sum(int(phase["images"]) for phase in phases)
    plain = config.model_dump(mode="json")
    return TrainConfig.model_validate(
        plain | {"phases": phases, "workers": 0, "validate_every": max(1, total // 4)}
    )


def pairs_of(recipe: Recipe, photos: Path | None, place: Path) -> PairSet:
    """Everybody's pairs."""
    settings, pairing = recipe.ingest, recipe.synthesize
    if photos is not None:
        settings = settings.model_copy(update={"photos": str(photos), "split": ByFolder()})
        pairing = pairing.model_copy(update={"pairs_per_photo": 2})
    return synthesize(pairing, ingest(settings, out=place / "photos"), out=place / "pairs")


def interval(values: Sequence[float]) -> str:
    """Mean and half width of the 95 % t interval."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:+.2f}"
    half = student.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:+.2f} ± {half:.2f}"


def main() -> None:
    """Time, train, measure, print a row a recipe."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipes", nargs="+", required=True)
    parser.add_argument("--minutes", type=float, default=2.5)
    parser.add_argument("--pairs-of", metavar="RECIPE", help="whose pairs all of them learn")
    parser.add_argument("--photos", type=Path, help="folder with train/, val/ and test/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--real", type=Path, help="folder with gopro_pairs/")
    parser.add_argument("--processor", action="store_true", help="count the processor's seconds")
    arguments = parser.parse_args()
    clock: Clock = time.process_time if arguments.processor else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ[STATE_VARIABLE] = str(place / "state")
        found = {Path(name).stem: recipes.load(name) for name in arguments.recipes}
        trainings = {name: through_weights_at_hand(recipe.train) for name, recipe in found.items()}
        pairset = pairs_of(recipes.load(arguments.pairs_of or arguments.recipes[0]), arguments.photos, place)
        cost = seconds_an_image(trainings, place, clock)
        print("| recipe | seeds | images |" + "".join(f" {column} |" for column in Row._fields))
        print("| --- | ---: | ---: |" + " ---: |" * len(Row._fields), flush=True)
        for name, recipe in found.items():
            config = fitted(trainings[name], name, cost, pairset.counts["train"], 60 * arguments.minutes)
            rows = [
                measured(name, recipe, config, seed, pairset, place, clock, arguments.real)
                for seed in arguments.seeds
            ]
            images = sum(int(phase.images or 0) for phase in config.phases)
            print(f"| {name} | {len(rows)} | {images} |{cells(rows, pairset.counts['test'])}", flush=True)


class Row(NamedTuple):
    """What one training came to; the fields are the table's columns."""

    gain_db: float
    ssim: float
    lpips: float | None
    improved: int
    worst_db: float
    best_db: float
    real_db: float | None
    training_s: float


def cells(rows: Sequence[Row], pairs: int) -> str:
    """Means over seeds; of the pairs improved the fewest, of worst and best the farthest."""
    gain, ssim, lpips, improved, worst, best, real, seconds = zip(*rows, strict=True)
    shown = [
        interval(gain),
        f"{statistics.mean(ssim):+.3f}",
        "–" if None in lpips else f"{statistics.mean(lpips):+.3f}",
        f"{min(improved)} of {pairs}",
        f"{min(worst):+.2f}",
        f"{max(best):+.2f}",
        "–" if None in real else interval(real),
        f"{statistics.mean(seconds):.0f}",
    ]
    return "".join(f" {cell} |" for cell in shown)


def measured(
    name: str,
    recipe: Recipe,
    config: TrainConfig,
    seed: int,
    pairset: PairSet,
    place: Path,
    clock: Clock,
    real: Path | None,
) -> Row:
    """One training, measured."""
    settings, began = config.model_copy(update={"seed": seed}), clock()
    made = train(settings, recipe.record(), pairset, out=place / f"{name}-{seed}")
    seconds = clock() - began
    report = evaluate(recipe.evaluate, pairset, made, out=place / f"{name}-{seed}-report")
    gains = [row.restored["psnr_rgb"] - row.do_nothing["psnr_rgb"] for row in report.scores()]
    changed = {
        metric: report.restored[metric] - report.do_nothing[metric] for metric in sorted(report.metrics)
    }
    return Row(
        gain_db=statistics.mean(gains),
        ssim=changed["ssim_gauss11_rgb"],
        lpips=changed.get("lpips_alex"),
        improved=sum(gain > 0 for gain in gains),
        worst_db=min(gains),
        best_db=max(gains),
        real_db=None if real is None else gain_on_real(made, real),
        training_s=seconds,
    )


def gain_on_real(made: Checkpoint, data: Path) -> float:
    """Mean dB over doing nothing on the photos whose blur a camera made."""
    restorer = load_restorer(made.folder)
    gains = []
    for pair in gopro(data):
        restored = to_uint8(restorer.restore(to_float(pair.input)))
        gains.append(pair.scores(restored)[0] - pair.scores(pair.input)[0])
    return statistics.mean(gains)


if __name__ == "__main__":
    main()
