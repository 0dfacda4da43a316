"""A short training of every published system on real photos, against doing nothing: python
benchmarks/systems.py --data DIR --out DIR [--recipes NAME ...].

DIR holds bsds500/{train,val}, set14, set5 and facades/{train,test}. Deblurring and super-resolution
learn from BSDS500 and are tested on four of Set14 (deblurring) or Set5 (super-resolution); pix2pix
learns label map to photo from facades. Nets, losses and optimisers are the recipe's own; crops,
batches and lengths are those of BUDGETS, so that a processor is done in minutes: the figures show
that each system learns, not how far it gets. Without --vgg, perceptual losses run on VGG weights
drawn from a seed, and the table says so. Writes OUT/NAME/{curve.png,sheet.png,report/} and
OUT/table.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from remembered import Listener
from stand_in import stand_ins_for

from components import recipes
from components.core.files import STATE_VARIABLE
from components.core.images import write_png
from components.core.parts import digest_of
from components.core.records import Checkpoint, PairSet
from components.evaluate.run import run as evaluate
from components.ingest.config import ByFolder
from components.ingest.run import run as ingest
from components.nets.restore import save_generator
from components.synthesize.run import run as synthesize
from components.train.config import TrainConfig
from components.train.data import Data
from components.train.loop import Loop
from components.train.training_state import read_state
from components.train.worker_group import World

# Per phase of the recipe: images, crop, batch. Two to ten minutes each on two cores.
BUDGETS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "deblurgan": ((160, 128, 1),),
    "deblurgan_seed": ((16, 256, 2),),
    "srgan": ((4000, 96, 16), (640, 96, 16)),
    "srgan_seed": ((60, 128, 2),),
    "unet_patchgan": ((800, 64, 16), (480, 64, 16), (160, 128, 8), (40, 256, 4)),
    "unet_patchgan_seed": ((1600, 128, 8), (1200, 128, 8)),
    "pix2pix": ((450, 256, 1),),
    "pix2pix_seed": ((120, 256, 1),),
}
VALIDATIONS = 5


class Memory(Listener):
    """Also says what validations find, and what went wrong."""

    def advance(self, images: int, note: str) -> None:
        """Say what a validation found."""
        if note:
            print(f"  {note}", flush=True)

    def warn(self, words: str) -> None:
        """Keep and say."""
        super().warn(words)
        print(f"  warning: {words}", flush=True)


def shortened(config: TrainConfig, budget: tuple[tuple[int, int, int], ...], *, device: str) -> TrainConfig:
    """The recipe's training with its phases cut to the budget; checked again as a whole."""
    plain = config.model_dump(mode="json")
    for phase, (images, crop_px, batch) in zip(plain["phases"], budget, strict=True):
        phase |= {"images": images, "epochs": None, "crop_px": crop_px, "batch": batch}
    plain["augment"]["enlarge"] = config.augment.enlarge
    total = sum(images for images, _, _ in budget)
    plain |= {
        "workers": 0,
        "validate_every": max(1, total // VALIDATIONS),
        "log_every": 5,
        "gpu": "auto" if device == "cuda" else "never",
    }
    if config.ema:
        plain["ema"] = 0.99  # so short a training would lag behind an average over a thousand steps
    for part in plain["discriminators"]:
        if part.get("crop_px") not in (None, budget[-1][1]):
            part["crop_px"] = budget[-1][1]
    return TrainConfig.model_validate(plain)


def link(place: Path, groups: Mapping[str, list[Path]]) -> Path:
    """A folder train/, val/, test/ of links to photos."""
    for split, files in groups.items():
        (place / split).mkdir(parents=True)
        for file in files:
            (place / split / f"{file.parent.name}-{file.name}").symlink_to(file.resolve())
    return place


def pairs_for(recipe: recipes.Recipe, data: Path, place: Path) -> PairSet:
    """Ingest and synthesize what the recipe's task needs."""

    def photos(folder: str) -> list[Path]:
        return sorted(path for path in (data / folder).iterdir() if path.suffix in (".jpg", ".png"))

    synthesis = recipe.synthesize.model_copy(
        update={"pairs_per_photo": 1, "pairs_per_eval_photo": 1, "workers": 0}
    )
    if recipe.synthesize.translate is not None:
        train = photos("facades/train")
        groups = {"train": train[:-16], "val": train[-16:], "test": photos("facades/test")}
        plain = synthesis.model_dump(mode="json") | {"translate": {"kind": "side_by_side", "input": "right"}}
        synthesis = type(synthesis).model_validate(plain)
    else:
        train, val = photos("bsds500/train"), photos("bsds500/val")[:16]
        groups = {
            "train": train,
            "val": val,
            "test": photos("set5") if recipe.train.generator.scale > 1 else photos("set14")[:4],
        }
    source = link(place / "photos", groups)
    settings = recipe.ingest.model_copy(update={"photos": str(source), "split": ByFolder(), "min_px": 200})
    return synthesize(synthesis, ingest(settings, out=place / "photoset"), out=place / "pairs")


def draw(memory: Memory, config: TrainConfig, name: str, path: Path) -> None:
    """Losses above, the first validation metric against doing nothing below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (losses, metric) = plt.subplots(2, 1, figsize=(8, 7), sharex=True)
    for series in sorted({key for values in memory.values.values() for key in values}):
        if (
            series.startswith("generator/") and series.endswith("_weighted")
        ) or series == "discriminator/total":
            losses.plot(*memory.series(series), label=series, linewidth=1)
    losses.set_yscale("symlog", linthresh=0.01)
    losses.set_ylabel("loss (weighted)")
    losses.legend(fontsize=7)
    main = config.validate_metrics[0]
    at, restored = memory.series(f"validation/{main}")
    _, gains = memory.series(f"validation/{main}_gain")
    metric.plot(at, restored, marker="o", label="restored")
    metric.axhline(restored[0] - gains[0], color="grey", linestyle="--", label="doing nothing")
    metric.set_ylabel(main)
    metric.set_xlabel("images seen")
    metric.legend(fontsize=8)
    figure.suptitle(name)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def train_one(name: str, arguments: argparse.Namespace, place: Path) -> str:
    """Train one recipe; gives its row of the table."""
    recipe = recipes.load(name)
    out: Path = arguments.out / name
    out.mkdir(parents=True, exist_ok=True)
    pairset = pairs_for(recipe, arguments.data, place / name)
    config = shortened(recipe.train, BUDGETS[name], device=arguments.device)
    weights = stand_ins_for(config, place)
    if arguments.vgg:
        weights = dict.fromkeys(weights, arguments.vgg)
    memory = Memory()
    began = time.monotonic()
    outcome = Loop(
        config, Data.of(pairset), World.alone(torch.device(arguments.device)), memory, memory, weights
    ).run()
    seconds = time.monotonic() - began
    draw(memory, config, name, out / "curve.png")
    if memory.sheet is not None:
        write_png(out / "sheet.png", memory.sheet)
    plain = read_state(memory.final_state())
    best = plain["progress"]["best"]
    digests = save_generator(
        place / name / "checkpoint",
        config.generator,
        plain["step"]["average"] if best is None else best["weights"],
    )
    identity = {"pairset": pairset.digest, "config_digest": digest_of(config), "code_digest": "0" * 64}
    checkpoint = Checkpoint(
        **identity, weights_sha256=digests[0], generator_sha256=digests[1], images_seen=outcome.images_seen
    ).save(place / name / "checkpoint")
    report = evaluate(recipe.evaluate, pairset, checkpoint, out=out / "report")
    metrics = [
        metric for metric in report.restored if metric != "psnr_rgb" or "psnr_y_crop4" not in report.restored
    ]
    figures = "; ".join(
        f"{metric} {report.do_nothing[metric]:.4g} → {report.restored[metric]:.4g}" for metric in metrics
    )
    accuracy = [memory.series(f"discriminator_0/accuracy_{side}")[1] for side in ("real", "restored")]
    logits_of = (
        f"{accuracy[0][0]:.2f}/{accuracy[1][0]:.2f} → {accuracy[0][-1]:.2f}/{accuracy[1][-1]:.2f}"
        if accuracy[0]
        else "none"
    )
    return (
        f"| `{name}` | {outcome.images_seen} | {seconds:.0f} | {figures} | {logits_of} |"
        f" {len(memory.warnings)} | {outcome.diverged or 'no'} |"
    )


def main() -> None:
    """Train each, print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--recipes", nargs="+", default=list(BUDGETS), choices=list(BUDGETS))
    parser.add_argument("--vgg", type=Path, help="torchvision VGG state dict that fits the recipes given")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments: Any = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    head = (
        f"{arguments.device}, {torch.get_num_threads()} threads, torch {torch.__version__}; VGG:"
        f" {arguments.vgg or 'stand-in drawn from a seed'}"
    )
    rows = [
        (
            "| recipe | images | s | test: doing nothing → restored | accuracy real/restored, first → last |"
            " warnings | diverged |"
        ),
        "|---|---:|---:|---|---|---:|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        os.environ[STATE_VARIABLE] = str(Path(folder) / "state")
        for name in arguments.recipes:
            print(name, flush=True)
            rows.append(train_one(name, arguments, Path(folder)))
            print(rows[-1], flush=True)
    text = "\n".join([head, "", *rows])
    (arguments.out / "table.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
