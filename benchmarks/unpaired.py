"""A cycle on blurred and sharp photos that do not belong together, against doing nothing: python
benchmarks/unpaired.py --photos DIR --test DIR [--real DIR] [--images 12000] [--most 199] [--place DIR].

Of so many photos of DIR every second one is blurred by a Gaussian of 0.8 to 1.1 px and its sharp version
thrown away; the others are the sharp domain. Both go through ingest.domains, synthesize and the training
loop, with small nets. Their test photos are blurred likewise, but here the sharp ones are known, so that
PSNR and SSIM say what the measures without targets cannot. --real has folders blur/ and sharp/ of
photographed pairs. Prints a table, writes sheets below the place. A few minutes of one processor, in whose
seconds it counts.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import torch
from systems import Memory

from components.core.images import write_png
from components.core.records import PairSet
from components.evaluate.config import EvaluateConfig
from components.evaluate.measure import measure
from components.evaluate.run import draw_sheets
from components.evaluate.summary import whole
from components.ingest.config import IngestConfig
from components.ingest.run import run as ingest
from components.metrics import METRICS
from components.nets.restore import Restorer
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run as synthesize
from components.train.config import TrainConfig
from components.train.data import Data
from components.train.loop import Loop
from components.train.training_state import read_state
from components.train.worker_group import World

BLUR = SynthesizeConfig.model_validate(
    {
        "blurs": [{"kind": "gaussian", "sigma_px": [0.8, 1.1]}],
        "camera": {"noise": None, "jpeg": None},
    }
)
TESTED = 14  # photos, of which the first two are not test photos
WITH_TARGETS, WITHOUT = ("psnr_rgb", "ssim_gauss11_rgb"), ("nss_of_set", "rmse_shrunk4_rgb")


def training(images: int) -> TrainConfig:
    """A cycle with nets for minutes, which begin by changing nothing: absolute losses of the cycle, as the
    recipe has them, would hold such nets there, so they are squared here. The discriminators learn faster
    than the generators; identity is strong, and they look through instance normalisation, so that sharpness
    tells the domains apart and not the mean colours of a few dozen photos.
    """
    return TrainConfig.model_validate(
        {
            "seed": 1,
            "generator": {"kind": "unet", "width": 8, "depth": 1},
            "discriminators": [{"kind": "patchgan", "layers": 2, "width": 16, "norm": "instance"}],
            "adversarial": {"kind": "least_squares", "weight": 1.0},
            "content": [],
            "cycle": {
                "consistency": [{"kind": "l2", "weight": 20.0}],
                "identity": [{"kind": "l2", "weight": 40.0}],
            },
            "generator_optimizer": {"lr": 5e-4, "beta1": 0.5},
            "discriminator_optimizer": {"lr": 2e-3, "beta1": 0.5},
            "phases": [
                {
                    "name": "joint",
                    "images": images,
                    "crop_px": 48,
                    "batch": 8,
                    "schedule": {"kind": "linear", "hold": 0.5},
                }
            ],
            "ema": 0.95,
            "workers": 0,
            "gpu": "never",
            "rollback": None,
            "validate_every": images // 5,
            "validate_pairs": 4,
            "validate_metrics": WITHOUT,
        }
    )


def pairs_of(folder: Path, place: Path, **more: object) -> PairSet:
    """The photos of a folder blurred, all of them test pairs; or real pairs as they are."""
    split = {"kind": "one_split", "split": "test"}
    if more:
        return synthesize(
            SynthesizeConfig(),
            ingest(
                IngestConfig.model_validate({"photos": str(folder), "split": split, **more}), out=place / "p"
            ),
            out=place / "pairs",
        )
    for part in ("train", "val", "test"):  # by folder, all but one of train and val in test
        (place / "by" / part).mkdir(parents=True)
    for index, path in enumerate(sorted(folder.glob("*.jpg"))[:TESTED]):
        part = ("train", "val")[index] if index < 2 else "test"
        shutil.copyfile(path, place / "by" / part / path.name)
    by_folder = {"photos": str(place / "by"), "split": {"kind": "by_folder"}}
    return synthesize(
        BLUR, ingest(IngestConfig.model_validate(by_folder), out=place / "p"), out=place / "pairs"
    )


def domains_of(folder: Path, most: int, place: Path) -> PairSet:
    """Every second photo blurred, and the other ones sharp."""
    photos = sorted(folder.glob("*.jpg"))[:most]
    for name, every in (("sources", photos[::2]), ("domains/sharp", photos[1::2])):
        (place / name).mkdir(parents=True)
        for path in every:
            shutil.copyfile(path, place / name / path.name)
    config = IngestConfig.model_validate({"photos": str(place / "sources")})
    blurred = synthesize(BLUR, ingest(config, out=place / "blurring"), out=place / "blurred")
    (place / "domains/blurred").mkdir()
    for pair in blurred.pairs():
        shutil.copyfile(blurred.folder / pair.input, place / "domains/blurred" / f"{pair.id}.png")
    domains = {"input": "blurred", "target": "sharp"}
    config = IngestConfig.model_validate({"photos": str(place / "domains"), "domains": domains})
    return synthesize(SynthesizeConfig(), ingest(config, out=place / "photos"), out=place / "unpaired")


class Curve(Memory):
    """Also measures each kept state on pairs whose sharp photos are known."""

    def __init__(self, config: TrainConfig, known: PairSet) -> None:
        super().__init__()
        self._config, self._known = config, known

    def save(self, state: bytes | None, images_seen: int) -> None:
        """Keep it and print where it stands."""
        super().save(state, images_seen)
        if state is not None:
            found = whole(measure(restorer_of(self._config, state).restore, self._known, WITH_TARGETS))
            gains = ", ".join(f"{name} {found.gain(name):+.3f}" for name in WITH_TARGETS)
            told = {
                name.removeprefix("validation/"): value for name, value in self.values[images_seen].items()
            }
            others = ", ".join(f"{name} {told[name]:.2f}" for name in WITHOUT if name in told)
            print(f"| {images_seen} | {gains} | {others} |", flush=True)


def restorer_of(config: TrainConfig, state: bytes) -> Restorer:
    """The averaged generator of a state."""
    net = config.generator.build(0)
    net.load_state_dict(read_state(state)["step"]["average"])
    return Restorer(net, config.generator, device="cpu")


def main() -> None:
    """Train, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--images", type=int, default=12000)
    parser.add_argument("--most", type=int, default=199)
    parser.add_argument("--place", type=Path, default=None)
    arguments = parser.parse_args()
    place = arguments.place or Path(tempfile.mkdtemp(prefix="unpaired-"))
    config, unpaired = training(arguments.images), domains_of(arguments.photos, arguments.most, place)
    sets = {"blurred": pairs_of(arguments.test, place / "known")}
    if arguments.real is not None:
        real = {"pairs": {"kind": "two_folders", "input": "blur", "target": "sharp"}}
        sets["photographed"] = pairs_of(arguments.real, place / "real", **real)
    memory, began = Curve(config, sets["blurred"]), time.process_time()
    Loop(config, Data.of(unpaired), World.alone(torch.device("cpu")), memory, memory, {}).run()
    seconds, restorer = time.process_time() - began, restorer_of(config, memory.final_state())
    inputs, targets = unpaired.counts["train"], len(unpaired.targets("train"))
    print(f"trained on {inputs} blurred and {targets} sharp photos in {seconds:.0f} processor seconds")
    for name, pairset, metrics in (
        ("test inputs without targets", unpaired, WITHOUT),
        *((name, pairset, WITH_TARGETS) for name, pairset in sets.items()),
    ):
        scores = measure(restorer.restore, pairset, metrics)
        found = whole(scores)
        for metric in metrics:
            better = sum(METRICS[metric].gain(s.restored[metric], s.do_nothing[metric]) > 0 for s in scores)
            values = f"{found.do_nothing[metric]:.3f} → {found.restored[metric]:.3f}"
            print(f"| {name} | {metric} | {values} | {better} of {found.count} better |")
        settings = EvaluateConfig(metrics=metrics)
        for which, sheet in draw_sheets(settings, restorer.restore, pairset, scores)[0].items():
            write_png(place / f"{name.replace(' ', '_')}-{which}.png", sheet)
    print(f"sheets in {place}")


if __name__ == "__main__":
    main()
