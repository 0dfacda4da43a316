"""How much a recipe gains over doing nothing on photos of your own: python benchmarks/quality.py
--train DIR --val DIR --test DIR [--recipe demo].

Runs the recipe's own stages (ingest, synthesize, train, evaluate) in a temporary folder, with the
split given by the three folders. README's figure: --train and --val from BSDS500 (train 199, val
100 photos), --test Set14 (13 photos), each pair blurred by the synthesizer.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from components import recipes
from components.core.files import STATE_VARIABLE
from components.evaluate.run import run as evaluate
from components.evaluate.tables import terminal_table
from components.ingest.config import ByFolder
from components.ingest.run import run as ingest
from components.synthesize.run import run as synthesize
from components.train.run import run as train


def main() -> None:
    """Train, measure, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for split in ("train", "val", "test"):
        parser.add_argument(f"--{split}", required=True, type=Path, help=f"folder of {split} photos")
    parser.add_argument("--recipe", default="demo")
    parser.add_argument(
        "--pairs-per-photo",
        type=int,
        default=2,
        help="training pairs from each photo; the demo's own 24 is for ten photos",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one training each")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ[STATE_VARIABLE] = str(place / "state")
        (place / "photos").mkdir()
        for split in ("train", "val", "test"):
            (place / "photos" / split).symlink_to(getattr(arguments, split).resolve())
        recipe = recipes.load(arguments.recipe)
        photoset = ingest(
            recipe.ingest.model_copy(update={"photos": str(place / "photos"), "split": ByFolder()}),
            out=place / "photoset",
        )
        pairset = synthesize(
            recipe.synthesize.model_copy(update={"pairs_per_photo": arguments.pairs_per_photo}),
            photoset,
            out=place / "pairs",
        )
        print(f"photos {photoset.counts}, pairs {pairset.counts}")
        for seed in arguments.seeds:
            config = recipe.train.model_copy(update={"seed": seed})
            began = time.monotonic()
            checkpoint = train(config, recipe.record(), pairset, out=place / f"checkpoint{seed}")
            print(f"\nseed {seed}: trained in {time.monotonic() - began:.0f} s")
            print(terminal_table(evaluate(recipe.evaluate, pairset, checkpoint, out=place / f"report{seed}")))


if __name__ == "__main__":
    main()
