"""What becomes of every recipe when one line of it is changed: python benchmarks/one_line_changes.py
--photos DIR [--recipes demo deblurgan] [--seconds 120] [--images 4000] [--crop 64] [--flat]
[--lines "as it is" "4 crops a visit"] [--seed 2].

Crop, batch, rate, precision and crops a visit are changed one at a time; --lines names some of them. All
trainings of a recipe have as many images, shared by its phases, as the unchanged one gets through in so many
processor seconds, --images at most; one that needs three times as long is broken off. All of them take an
evening (sixteen recipes, eleven rows of two minutes each; cyclegan is not among them, which has no targets to
gain on: unpaired.py). --crop makes larger crops that small, for more steps in the same time. DIR has photos
in train/ and val/, of which the middle is validated. --flat puts a mid-grey photo beside every fourth one. A
row tells the gain over doing nothing at the best and at the last validation, which share of its steps was
skipped or shortened, how often the training went back, and how it ended. VGG's weights are drawn from a seed.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from at_equal_minutes import seconds_an_image
from pydantic import ValidationError
from remembered import Listener
from stand_in import stand_in_weights

from components import recipes
from components.core.errors import RefocusError
from components.core.files import STATE_VARIABLE
from components.core.images import read_rgb, write_png
from components.core.records import PairSet
from components.ingest.config import ByFolder
from components.ingest.run import run as ingest
from components.nets.backbones import Backbone
from components.synthesize.run import run as synthesize
from components.train.config import TrainConfig
from components.train.data import Data
from components.train.loop import Loop
from components.train.worker_group import World

RECIPES = (
    "demo",
    "wiener_gan",
    "mobile",
    "old_photo",
    "medical_16bit",
    "satellite",
    "deblurgan",
    "deblurgan_seed",
    "srgan",
    "srgan_seed",
    "unet_patchgan",
    "unet_patchgan_seed",
    "pix2pix",
    "pix2pix_seed",
    "video_flow",
    "video_3d",
)
VALIDATED_PX, VALIDATED, VALIDATIONS = 256, 4, 4
PSNR = re.compile(r"validation/psnr_\w+_gain")
PATIENCE = 3  # times the seconds of the unchanged training


class OutOfTimeError(Exception):
    """The row's seconds are over."""


class Figures(Listener):
    """Also keeps what the table has, of all ways that the training went, and ends the row in time."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until, self.images = until, 0
        self.gains: list[float] = []
        self.shares: list[tuple[float, float]] = []

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        """Note gains, and what the guards did."""
        # The recipe's own PSNR: of colours, or of luma.
        self.gains += [value for name, value in values.items() if PSNR.fullmatch(name)]
        if "generator/skipped" in values:
            kinds = ("skipped", "clipped")
            found = [max(v for name, v in values.items() if name.endswith(f"/{kind}")) for kind in kinds]
            self.shares.append((found[0], found[1]))
        self.images = images_seen
        if time.process_time() > self.until:
            raise OutOfTimeError


def changes(plain: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The recipe's training as it is, then with one line changed."""
    phases = plain["phases"]

    def in_phases(**scaled: float) -> dict[str, Any]:
        return {
            "phases": [
                phase | {name: max(1, int(phase[name] * factor)) for name, factor in scaled.items()}
                for phase in phases
            ]
        }

    def rated(factor: float) -> dict[str, Any]:
        both = ("generator_optimizer", "discriminator_optimizer")
        return {name: plain[name] | {"lr": plain[name]["lr"] * factor} for name in both}

    yield "as it is", {}
    yield "crop ÷ 2", in_phases(crop_px=0.5)
    yield "crop × 1.5", in_phases(crop_px=1.5)
    yield "batch × 4", in_phases(batch=4)
    yield "batch 1", {"phases": [phase | {"batch": 1} for phase in phases]}
    yield "rate × 4", rated(4)
    yield "rate × 10", rated(10)
    yield "rate ÷ 4", rated(0.25)
    yield "the other precision", {"precision": "fp32" if plain["precision"] == "bf16" else "bf16"}
    for crops in (4, 16):
        yield f"{crops} crops a visit", {"crops_per_visit": crops}


def row(plain: dict[str, Any], pairset: PairSet, drawn: Mapping[Backbone, Path], seconds: float) -> str:
    """One training, in the table's words."""
    try:
        config = TrainConfig.model_validate(plain)
    except ValidationError as error:
        return f"– | – | – | – | – | refused: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
    wanted = {index: part.weights() for index, (_, part) in enumerate(config.content_losses())}
    weights = {index: drawn[one.backbone] for index, one in wanted.items() if one is not None}
    figures = Figures(time.process_time() + seconds)
    try:
        world = World.alone(torch.device("cpu"))
        outcome = Loop(config, Data.of(pairset), world, figures, figures, weights).run()
        ended = outcome.diverged or "to its end"
    except OutOfTimeError:
        ended = "out of time"
    except RefocusError as error:
        ended = f"refused: {error}"
    if not figures.gains:
        return f"{figures.images} | – | – | – | – | {ended}"
    skipped, clipped = (
        100 * float(np.mean([pair[side] for pair in figures.shares] or [0])) for side in (0, 1)
    )
    return (
        f"{figures.images} | {max(figures.gains):+.2f} | {figures.gains[-1]:+.2f} |"
        f" {skipped:.1f}, {clipped:.1f} | {figures.rollbacks} | {ended}"
    )


def pairs_of(name: str, photos: Path, place: Path) -> PairSet:
    """The recipe's pairs of these photos."""
    recipe = recipes.load(name)
    settings = recipe.ingest.model_copy(update={"photos": str(photos), "split": ByFolder()})
    photoset = ingest(settings, out=place / "photoset")
    few = {"pairs_per_photo": 1, "pairs_per_eval_photo": 1, "workers": 0}
    return synthesize(recipe.synthesize.model_copy(update=few), photoset, out=place / "pairs")


def laid_out(photos: Path, folder: Path, *, flat: bool) -> Path:
    """The photos by split, what is validated cut to its middle."""
    for split in ("train", "val", "test"):
        (folder / split).mkdir(parents=True)
    for index, path in enumerate(sorted((photos / "train").iterdir())):
        (folder / "train" / path.name).symlink_to(path.resolve())
        if flat and index % 4 == 0:
            # A sensor's noise: no two are alike, copies would be left out.
            wall = np.random.default_rng(index).integers(127, 129, (400, 400, 3), np.uint8)
            write_png(folder / "train" / f"wall{index}.png", wall)
    for index, path in enumerate(sorted((photos / "val").iterdir())):
        whole = read_rgb(path)
        top, left = (max(0, side - VALIDATED_PX) // 2 for side in whole.shape[:2])
        middle = whole[top : top + VALIDATED_PX, left : left + VALIDATED_PX]
        write_png(folder / ("val", "test")[index % 2] / f"{path.stem}.png", middle)
    return folder


def fitted(
    plain: dict[str, Any], arguments: argparse.Namespace, drawn: Mapping[Backbone, Path]
) -> dict[str, Any]:
    """The recipe's training as long as it may be here."""
    phases = [phase | {"images": 1000, "epochs": None} for phase in plain["phases"]]
    if arguments.crop:
        phases = [phase | {"crop_px": min(arguments.crop, phase["crop_px"])} for phase in phases]
    plain = plain | {"phases": phases, "workers": 0}
    costs = seconds_an_image(
        {"": TrainConfig.model_validate(plain)}, next(iter(drawn.values())).parent, time.process_time
    )
    mean = sum(costs.values()) / len(costs)
    images = int(min(arguments.images, arguments.seconds / mean))
    phases = [phase | {"images": max(phase["batch"], images // len(phases))} for phase in phases]
    every = max(1, images // VALIDATIONS)
    return plain | {"phases": phases, "validate_every": every, "validate_pairs": VALIDATED}


def main() -> None:
    """Print one table a recipe, row by row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", required=True, type=Path)
    parser.add_argument("--recipes", nargs="+", default=RECIPES, choices=RECIPES)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--crop", type=int)
    parser.add_argument("--flat", action="store_true")
    parser.add_argument("--lines", nargs="+", help="as the table has them")
    parser.add_argument("--seed", type=int, help="of the training, in place of the recipe's")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[STATE_VARIABLE] = str(Path(folder) / "state")
        names: tuple[Backbone, ...] = get_args(Backbone)
        drawn = {name: stand_in_weights(name, Path(folder)) for name in names}
        photos = laid_out(arguments.photos, Path(folder) / "photos", flat=arguments.flat)
        for name in arguments.recipes:
            pairset = pairs_of(name, photos, Path(folder) / name)
            plain = fitted(recipes.load(name).train.model_dump(mode="json"), arguments, drawn)
            print(f"\n**{name}**\n")
            print("| line | images | best, dB | last, dB | skipped, shortened, % | back | end |")
            print("| --- | ---: | ---: | ---: | ---: | ---: | --- |", flush=True)
            if arguments.seed is not None:
                plain["seed"] = arguments.seed
            for words, changed in changes(plain):
                if arguments.lines and words not in arguments.lines:
                    continue
                limit = PATIENCE * arguments.seconds
                print(f"| {words} | {row(plain | changed, pairset, drawn, limit)} |", flush=True)


if __name__ == "__main__":
    main()
