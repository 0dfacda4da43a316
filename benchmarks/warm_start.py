"""Warm start against from scratch when new photos arrive: python benchmarks/warm_start.py --photos DIR
--val DIR --old-test DIR --new-test DIR [--recipe demo] [--first 12000] [--then 1000 2000 4000] [--seeds 1].

Half of DIR's photos come first; a model learns them for --first images. Then the other half arrives, and
for each number of images in --then one training starts from that model (rate and crops of the recipe's
finetune phases, or of its first phase at a third of the rate with a cosine, half of the crops old) and one
from scratch on all photos. Both are measured on pairs made of both folders of test photos: photos like
the first half, and photos like the second. DIR's photos are split by their names' order, so that both
halves can be told apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from components import recipes
from components.core.files import STATE_VARIABLE
from components.core.records import Checkpoint, PairSet, PhotoSet
from components.evaluate.run import run as evaluate
from components.ingest.config import ByFolder
from components.ingest.run import run as ingest
from components.recipes import Recipe
from components.synthesize.run import run as synthesize
from components.train.config import TrainConfig
from components.train.run import run as train
from components.train.warm_start import Parent, kept_state


@dataclass(frozen=True)
class Bench:
    """A recipe, and where its folders are laid out."""

    recipe: Recipe
    place: Path
    validated: Path

    def pairs(self, name: str, photos: list[Path], test: Path) -> tuple[PhotoSet, PairSet]:
        """Pairs of these photos to train on, and of a folder of test photos."""
        root = self.place / name
        for split, files in (
            ("train", photos),
            ("val", sorted(self.validated.iterdir())[:8]),
            ("test", sorted(test.iterdir())),
        ):
            (root / "photos" / split).mkdir(parents=True)
            for path in files:
                (root / "photos" / split / path.name).symlink_to(path.resolve())
        settings = self.recipe.ingest.model_copy(update={"photos": str(root / "photos"), "split": ByFolder()})
        photoset = ingest(settings, out=root / "photoset")
        pairing = self.recipe.synthesize.model_copy(update={"pairs_per_photo": 2, "workers": 0})
        return photoset, synthesize(pairing, photoset, out=root / "pairs")

    def trained(
        self, name: str, config: TrainConfig, pairset: PairSet, parent: Parent | None = None
    ) -> Checkpoint:
        """One training in this process."""
        return train(config, self.recipe.record(), pairset, out=self.place / name, parent=parent)

    def gain(self, name: str, checkpoint: Checkpoint, pairset: PairSet) -> float:
        """dB over doing nothing on a pair set's test pairs."""
        of_this = checkpoint.model_copy(update={"pairset": pairset.digest}).save(checkpoint.folder)
        report = evaluate(self.recipe.evaluate, pairset, of_this, out=self.place / f"report-{name}")
        return report.restored["psnr_rgb"] - report.do_nothing["psnr_rgb"]


def lasting(config: TrainConfig, images: int, *, tuned: bool, seed: int) -> TrainConfig:
    """The recipe's training, so many images long: its own first phase, or one that refines."""
    phase = config.phases[0].model_dump(mode="json") | {"images": images, "epochs": None}
    refining = [one.model_dump(mode="json") for one in config.finetune]
    plain = config.model_dump(mode="json")
    if tuned and not refining:
        plain["generator_optimizer"] |= {"lr": config.generator_optimizer.lr / 3}
        refining = [phase | {"warm_up_images": images // 20, "schedule": {"kind": "cosine", "floor": 0.05}}]
    phases = [one | {"images": images // len(refining), "epochs": None} for one in refining]
    return TrainConfig.model_validate(
        plain
        | {
            "phases": phases if tuned else [phase],
            "finetune": [],
            "seed": seed,
            "workers": 0,
            "validate_every": images,
            **(
                {}
                if any(one["adversarial"] for one in phases)
                else {"discriminators": [], "adversarial": None}
            ),
        }
    )


def main() -> None:
    """Print a row for each length, way and seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("photos", "val", "old-test", "new-test"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--first", type=int, default=12000)
    parser.add_argument("--then", type=int, nargs="+", default=[1000, 2000, 4000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--most-photos", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[STATE_VARIABLE] = str(Path(folder) / "state")
        bench = Bench(recipes.load(arguments.recipe), Path(folder), arguments.val)
        photos = sorted(arguments.photos.iterdir())[: arguments.most_photos]
        first_photos, first_pairs = bench.pairs("first", photos[::2], arguments.old_test)
        _, all_old = bench.pairs("all", photos, arguments.old_test)
        _, all_new = bench.pairs("new", photos[1::2], arguments.new_test)
        print(
            "| images | from | seed | old test, dB | new test, dB | s |\n"
            "| ---: | --- | ---: | ---: | ---: | ---: |"
        )
        for seed in arguments.seeds:
            config = bench.recipe.train

            def tell(images: int, way: str, made: Checkpoint, began: float, seed: int = seed) -> None:
                name = f"{way}-{images}-{seed}"
                gains = [
                    bench.gain(f"{name}-{index}", made, one) for index, one in enumerate((all_old, all_new))
                ]
                print(
                    f"| {images} | {way} | {seed} | {gains[0]:+.2f} | {gains[1]:+.2f} |"
                    f" {time.monotonic() - began:.0f} |",
                    flush=True,
                )

            began = time.monotonic()
            known = bench.trained(
                f"known{seed}", lasting(config, arguments.first, tuned=False, seed=seed), first_pairs
            )
            state = kept_state(Path(folder) / "state" / "training", known)
            if state is not None:  # aside, as further trainings take old states away
                state = Path(shutil.copy(state, Path(folder) / f"state-{seed}.pt"))
            known_photos = frozenset(photo.id for photo in first_photos.photos() if photo.split == "train")
            parent = Parent("first half", known, known_photos, state)
            tell(arguments.first, "the first half alone", known, began)
            for images in arguments.then:
                for way, start in (("warm", parent), ("scratch", None)):
                    began = time.monotonic()
                    settings = lasting(config, images, tuned=start is not None, seed=seed)
                    tell(images, way, bench.trained(f"{way}{images}-{seed}", settings, all_old, start), began)


if __name__ == "__main__":
    main()
