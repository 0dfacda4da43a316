"""The guide's named uses, each tried on pictures inside installed packages: python benchmarks/named_uses.py
[--recipes old_photo medical_16bit satellite] [--images N].

old_photo and satellite take the demo's ten photos. medical_16bit takes grey pictures as 16-bit PNG:
scikit-image's cell, retina (its green channel, as ophthalmologists look at it, in quarters),
microaneurysms and stained colon, matplotlib's MRI slice and a moon for a texture that is neither; where a
package has 8 bits, they are shrunk by two in each direction with their fractions kept, which gives ten.
--images shortens all phases to so many together. The table has the test pairs' means beside doing nothing,
over pairs, and which of the guide's targets (PSNR 30 dB, SSIM 0.9, LPIPS 0.1) both reach.
"""

from __future__ import annotations

import argparse
import gzip
import os
import tempfile
import time
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import skimage

from components import recipes
from components.core.files import STATE_VARIABLE
from components.core.images import Bytes8
from components.evaluate.run import run as evaluate
from components.ingest.config import ByFolder
from components.ingest.run import run as ingest
from components.metrics import METRICS
from components.synthesize.run import run as synthesize
from components.train.config import TrainConfig
from components.train.run import run as train

NAMES = ("old_photo", "medical_16bit", "satellite")
TARGETS = {"psnr_rgb": 30.0, "ssim_gauss11_rgb": 0.9, "lpips_alex": 0.1}
MRI_SIDE = 256


def grey_16_bits(folder: Path) -> Path:
    """Write the grey pictures below train/, val/ and test/."""
    inside = Path(skimage.__file__).parent / "data"

    def grey(name: str) -> Bytes8:
        return np.asarray(cv2.imread(str(inside / name), cv2.IMREAD_GRAYSCALE), np.uint8)

    eye = np.asarray(cv2.imread(str(inside / "retina.jpg")), np.uint8)[:, :, 1]
    half = eye.shape[0] // 2
    slices = Path(matplotlib.__file__).parent / "mpl-data" / "sample_data" / "s1045.ima.gz"
    mri = np.frombuffer(gzip.decompress(slices.read_bytes()), np.uint16).reshape(MRI_SIDE, MRI_SIDE)
    mri = np.clip(mri.astype(np.float64) / np.percentile(mri, 99.9), 0, 1)
    found = {
        "train/eye_1": eye[:half, :half],
        "train/eye_2": eye[:half, half:],
        "train/cell": grey("cell.png"),
        "train/colon": grey("ihc.png"),
        "train/moon": grey("moon.png"),
        "val/eye_3": eye[half:, :half],
        "test/eye_4": eye[half:, half:],
        "test/vessels": grey("microaneurysms.png"),
    }
    for name, pixels in found.items():
        large = min(pixels.shape) > 400
        fine = pixels.astype(np.float64) / 255
        if large:
            fine = cv2.resize(fine, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        _write(folder / f"{name}.png", fine)
    _write(folder / "test" / "mri.png", mri)
    return folder


def _write(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.round(values * 65535).astype(np.uint16))


def shortened(config: TrainConfig, images: int | None) -> TrainConfig:
    """In this process, and in all of so many images where that is asked for."""
    plain = config.model_dump(mode="json") | {"workers": 0}
    whole = sum(int(phase.images or 0) for phase in config.phases)
    for phase in plain["phases"] if images else ():
        phase["images"] = max(phase["batch"], round(phase["images"] * images / whole))
    return TrainConfig.model_validate(plain)


def tried(name: str, images: int | None, place: Path) -> list[str]:
    """The rows of one recipe."""
    recipe = recipes.load(name)
    settings = recipe.ingest
    if name == "medical_16bit":
        photos = str(grey_16_bits(place / "grey"))
        settings = settings.model_copy(update={"photos": photos, "split": ByFolder()})
    pairset = synthesize(recipe.synthesize, ingest(settings, out=place / "photos"), out=place / "pairs")
    config, began = shortened(recipe.train, images), time.process_time()
    made = train(config, recipe.record(), pairset, out=place / "checkpoint")
    seconds = time.process_time() - began
    report = evaluate(recipe.evaluate, pairset, made, out=place / "report")
    seen = sum(int(phase.images or 0) for phase in config.phases)
    rows = []
    for metric in report.metrics:
        ours, nothing = report.restored[metric], report.do_nothing[metric]
        gains = [
            METRICS[metric].gain(row.restored[metric], row.do_nothing[metric]) for row in report.scores()
        ]
        target = TARGETS.get(metric)
        reached = "" if target is None else f"{target:g}: {_reached(metric, ours, target)}"
        rows.append(
            f"| {name} | {metric} | {METRICS[metric].text(nothing)} | {METRICS[metric].text(ours)} |"
            f" {sum(gain > 0 for gain in gains)} of {len(gains)} | {reached} | {seen} | {seconds:.0f} |"
        )
    return rows


def _reached(metric: str, value: float, target: float) -> str:
    higher = METRICS[metric].better == "higher"
    return "yes" if (value >= target if higher else value <= target) else "no"


def main() -> None:
    """Train, measure, print a row a recipe and metric."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipes", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--images", type=int)
    asked = parser.parse_args()
    print("| recipe | metric | nothing | restored | better | target | crops | processor s |")
    print("| --- | --- | ---: | ---: | ---: | --- | ---: | ---: |", flush=True)
    for name in asked.recipes:
        with tempfile.TemporaryDirectory() as folder:
            os.environ[STATE_VARIABLE] = str(Path(folder) / "state")
            print("\n".join(tried(name, asked.images, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
