"""Which part of blur synthesis pays on real photos: python benchmarks/ablation.py --data DIR --out
DIR [--images N] [--seeds 1 2 3] [--arms a b c d].

The ablation of RSBlur (Rim et al. 2022, "Realistic blur synthesis for learning image deblurring",
table 3) on this project's data: one small training, its pairs made in several ways, each tested on
real pairs against doing nothing. DIR holds bsds500/{train,val}, gopro_pairs and levin09_part. All
arms of one seed have the same photos, blurs, net, crops and order; only what ARMS says differs. No
arm has JPEG. A finished (arm, seed) is read back from OUT/results.json, so the run can be cut and
goes on; its net lies in OUT/nets. Writes OUT/results.json, OUT/report.md and OUT/crops.png. Mind
what the real sets can show: see real_sets.py.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ablation_report import Run, crops, report
from real_sets import ScoredPair, gopro, levin, levin_srgb, read, refuse_other_protocol
from systems import Memory, link

from components.core import seeds
from components.core.files import STATE_VARIABLE, sha256_of_bytes, write_text
from components.core.images import decode, to_float, to_uint8
from components.core.parts import digest_of
from components.core.records import PairSet
from components.ingest.config import ByFolder, IngestConfig
from components.ingest.run import run as ingest
from components.nets.restore import Restorer, load_restorer, save_generator
from components.optics.degradation import plans
from components.optics.light import light_of
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run as synthesize
from components.train.config import TrainConfig
from components.train.data import Data
from components.train.loop import Loop
from components.train.training_state import read_state
from components.train.worker_group import World

# What the camera does to the blurred photo; all else is the same. JPEG is off in all.
ARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "a": ("sRGB blur, no noise", {"linear_light": False, "noise": None}),
    "b": ("linear light", {"noise": None}),
    "c": ("linear light + noise", {}),
    "d": ("full camera", {"highlights": {}, "sensor": {}}),
    # Not RSBlur's: the first parts the light from the noise, the second has the noise of the real
    # sets (benchmarks/realism.py: a third of a level).
    "e": ("sRGB blur + noise", {"linear_light": False}),
    "f": ("linear light + faint noise", {"noise": {"shot": [1e-6, 3e-5], "read": [1e-8, 3e-7]}}),
}
# Chosen once, by the severity of the real sets: RMS radius 2.3 to 6.8 px on the GoPro pairs (median
# of 160 px tiles, by photo), 2.5 to 9.4 px of Levin's kernels; of this mix 2 to 8 px (tenth and
# ninetieth percentile), median 4.
BLURS = (
    {"kind": "random_trajectory", "weight": 2},
    {"kind": "camera_shake_6dof", "weight": 2, "exposure_s": [0.06, 0.4], "turn_deg_per_s": [1.5, 6.0]},
    {"kind": "object_motion", "weight": 1, "object_px": [6, 30], "background_px": [0, 16]},
    {"kind": "linear_motion", "weight": 1, "length_px": [2, 24]},
)
PAIRS_PER_PHOTO = 4
VAL_PHOTOS, TEST_PHOTOS = 8, 24


def synthesis(arm: str, seed: int) -> SynthesizeConfig:
    """How the pairs of one arm are made."""
    plain = {
        "seed": seed,
        "blurs": BLURS,
        "camera": {"jpeg": None} | ARMS[arm][1],
        "pairs_per_photo": PAIRS_PER_PHOTO,
    }
    return SynthesizeConfig.model_validate(plain)


def training(images: int, seed: int) -> TrainConfig:
    """The demo's net, its content phase alone: one training, whatever the arm."""
    plain = {
        "seed": seed,
        "generator": {"kind": "unet", "width": 32, "depth": 3, "widest": 192, "fold": 2},
        "content": [{"kind": "l1"}],
        "generator_optimizer": {"kind": "adam", "lr": 0.001, "beta1": 0.9},
        "phases": [
            {
                "name": "content",
                "images": images,
                "crop_px": 128,
                "batch": 8,
                "adversarial": False,
                "schedule": {"kind": "cosine", "floor": 0.05},
            }
        ],
        "augment": {"flip": 0.5, "flip_vertical": 0.5, "quarter_turns": 0.5},
        **{
            "ema": 0.99,
            "precision": "bf16",
            "channels_last": True,
            "workers": 0,
            "gpu": "never",
            "validate_every": max(8, images // 4),
        },
    }
    return TrainConfig.model_validate(plain)


def pairs_for(arm: str, seed: int, data: Path, place: Path) -> PairSet:
    """The training and validation pairs of one arm and seed."""
    val = photos(data, "val")
    # The tests are made elsewhere; a pair set must have one photo for them.
    groups = {"train": photos(data, "train"), "val": val[:VAL_PHOTOS], "test": val[-1:]}
    source = link(place / "photos", groups)
    photoset = ingest(IngestConfig(photos=str(source), split=ByFolder()), out=place / "photoset")
    return synthesize(synthesis(arm, seed), photoset, out=place / "pairs")


def photos(data: Path, split: str) -> list[Path]:
    """Sharp photos of BSDS500."""
    return sorted((data / "bsds500" / split).glob("*.jpg"))


def synthetic(data: Path) -> list[ScoredPair]:
    """Photos that no arm has seen, blurred and taken with the full camera (arm d)."""
    config = synthesis("d", 0)
    found = []
    for file in photos(data, "val")[VAL_PHOTOS : VAL_PHOTOS + TEST_PHOTOS]:
        light = light_of(decode(file.read_bytes()), linear=config.camera.linear_light)
        plan = plans(config.degradation, [seeds.seed_of("ablation test", file.stem)])[0]
        found.append(ScoredPair("synthetic", file.stem, plan.blurred(light), read(file)))
    return found


def train(arm: str, seed: int, images: int, data: Path, out: Path) -> float:
    """Make the pairs, train, keep the net in OUT; gives the seconds of the training."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[STATE_VARIABLE] = str(Path(folder) / "state")
        pairset, memory = pairs_for(arm, seed, data, Path(folder)), Memory()
        config = training(images, seed)
        began = time.monotonic()
        outcome = Loop(config, Data.of(pairset), World.alone(torch.device("cpu")), memory, memory, {}).run()
        if outcome.diverged:
            raise SystemExit(f"arm {arm}, seed {seed} diverged: {outcome.diverged}")
        save_generator(out, config.generator, read_state(memory.final_state())["step"]["average"])
        return time.monotonic() - began


def restored(restorer: Restorer, pair: ScoredPair) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What a net makes of a pair's blurred photo, as it would be saved; grey stays grey."""
    photo = to_uint8(np.nan_to_num(restorer.restore(to_float(pair.input))))
    grey = bool((pair.input == pair.input[:, :, :1]).all())
    return (
        np.repeat(np.rint(photo.mean(axis=2, keepdims=True)).astype(np.uint8), 3, axis=2) if grey else photo
    )


def run_one(arm: str, seed: int, arguments: argparse.Namespace, tests: list[ScoredPair]) -> Run:
    """Train one arm with one seed and test it, or read back what was found before; other tests than
    before need no other training.
    """
    kept = arguments.out / "results.json"
    known: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    name, net = f"{arm} {seed}", arguments.out / "nets" / f"{arm}-{seed}"
    key = digest_of([synthesis(arm, seed).identity, training(arguments.images, seed).key_digest()])
    photos_key = sha256_of_bytes(b"".join(pair.input.tobytes() + pair.target.tobytes() for pair in tests))
    if known.get(name, {}).get("key") != key or not net.is_dir():
        print(f"arm {arm} ({ARMS[arm][0]}), seed {seed}", flush=True)
        known[name] = {
            "key": key,
            "seconds": round(train(arm, seed, arguments.images, arguments.data, net), 1),
        }
    if known[name].get("tests") != photos_key:
        restorer = load_restorer(net, device="cpu")
        known[name] |= {
            "tests": photos_key,
            "scores": {f"{pair.group}/{pair.name}": pair.scores(restored(restorer, pair)) for pair in tests},
        }
        write_text(kept, json.dumps(known, indent=1) + "\n")
        print(f"  trained in {known[name]['seconds']:.0f} s, tested", flush=True)
    return Run(
        arm,
        seed,
        known[name]["seconds"],
        {photo: (psnr, ssim) for photo, (psnr, ssim) in known[name]["scores"].items()},
    )


def main() -> None:
    """Train what is missing, print and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--images", type=int, default=6400, help="length of each training")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[1, 2, 3],
        help="each draws other blurs, crops and a net of its own",
    )
    parser.add_argument("--arms", nargs="+", default=["a", "b", "c", "d"], choices=list(ARMS))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    real = gopro(arguments.data) + levin(arguments.data) + levin_srgb(arguments.data)
    refuse_other_protocol(real)
    tests = real + synthetic(arguments.data)
    nothing = {f"{pair.group}/{pair.name}": pair.scores(pair.input) for pair in tests}
    # Seeds outside: a run that is cut has all arms of the seeds it finished.
    runs = [run_one(arm, seed, arguments, tests) for seed in arguments.seeds for arm in arguments.arms]
    words = {arm: ARMS[arm][0] for arm in arguments.arms}
    head = (
        f"{arguments.images} images, batch 8, 128 px; {torch.get_num_threads()} threads, torch"
        f" {torch.__version__}"
    )
    text = report(head, words, runs, nothing)
    write_text(arguments.out / "report.md", text)
    print(text)
    nets = {
        arm: load_restorer(arguments.out / "nets" / f"{arm}-{arguments.seeds[0]}", device="cpu")
        for arm in arguments.arms
    }
    crops(
        arguments.out / "crops.png",
        [(pair, [restored(net, pair) for net in nets.values()]) for pair in real],
        [f"{arm}: {words[arm]}" for arm in arguments.arms],
    )


if __name__ == "__main__":
    main()
