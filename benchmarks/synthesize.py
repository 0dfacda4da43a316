"""How fast pairs are made: `python benchmarks/synthesize.py [--kernels] [--pairs] [--stage]
[--memory] [--rounds 5]`; without a flag, all of it.

Kernels and pairs are on one thread, in turns with their peers, A B A B in one run, medians: a
plain-Python port of DeblurGAN's script (plain_trajectory.py, plain_blur.py) and albumentations'
MotionBlur. Photos are decoded beforehand and results stay in memory. The stage and its memory are
in synthesize_stage.py.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations
import cv2
import numpy as np
from plain_blur import blurred
from plain_trajectory import psfs, trajectory
from skimage import data
from synthesize_stage import memory, stage

from components.core.images import Bytes8, jpeg_roundtrip, png_bytes
from components.core.seeds import stream
from components.optics.bands import in_bands
from components.optics.blurs import NoBlur, RandomTrajectory
from components.optics.camera import Camera
from components.optics.degradation import Degradation, plans
from components.optics.develop import developed, noisy
from components.optics.downscale import SecondOrder
from components.optics.highlights import Highlights
from components.optics.light import lit, stored
from components.optics.sensor import Sensor
from components.optics.sensor_noise import NoiseLevel

SIZES = ((1280, 720), (256, 256))
BLUR = RandomTrajectory()
Way = Callable[[int], object]  # is given the number of its turn, from which it draws


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description="How fast blurred/sharp pairs are made.")
    sections = ("kernels", "pairs", "stage", "memory")
    for name in sections:
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds; medians are shown")
    arguments = parser.parse_args()
    chosen = [name for name in sections if getattr(arguments, name)] or sections
    cv2.setNumThreads(1)
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("numpy", "opencv-python-headless", "scipy", "albumentations", "ray")
    )
    print(f"{_processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, {versions}")
    if "kernels" in chosen:
        kernels(arguments.rounds)
    if "pairs" in chosen:
        for width, height in SIZES:
            pair(width, height, arguments.rounds)
    if "stage" in chosen:
        stage()
    if "memory" in chosen:
        memory()


def kernels(rounds: int) -> None:
    """Trajectory and PSF: the port, one at a time and many at a time, in turns."""
    full = RandomTrajectory(exposures=(1.0,))
    ways: dict[str, tuple[int, Way]] = {
        "plain-Python port, 4 exposures": (
            8,
            lambda turn: [psfs(trajectory(stream(turn, i))) for i in range(8)],
        ),
        "plain-Python port, full exposure only": (
            8,
            lambda turn: [psfs(trajectory(stream(turn, i)), (1.0,)) for i in range(8)],
        ),
        "RandomTrajectory, one at a time": (
            100,
            lambda turn: [BLUR.kernel(stream(turn, i)) for i in range(100)],
        ),
        "RandomTrajectory, 1024 together": (
            1024,
            lambda turn: BLUR.kernels([stream(turn, i) for i in range(1024)]),
        ),
        "the same, full exposure only": (
            1024,
            lambda turn: full.kernels([stream(turn, i) for i in range(1024)]),
        ),
    }
    seconds = _in_turns({name: way for name, (_, way) in ways.items()}, rounds)
    each = {name: statistics.median(measured) / ways[name][0] for name, measured in seconds.items()}
    port = each["plain-Python port, 4 exposures"]
    print(f"\n{'kernels (trajectory and PSF)':<44}{'ms each':>10}{'per second':>12}{'times the port':>16}")
    for name, median in each.items():
        print(f"{name:<44}{1e3 * median:>10.3f}{1 / median:>12.0f}{port / median:>16.0f}")


def pair(width: int, height: int, rounds: int) -> None:
    """One pair, whole and step by step, and the peers, in turns, with a fresh kernel each time."""
    photo = _photo(width, height)
    motion = albumentations.MotionBlur(blur_limit=(3, 63), p=1.0)
    bare, usual, whole = (
        Degradation(blurs=(BLUR,), downscale=None, camera=camera)
        for camera in (
            Camera(noise=None, jpeg=None),
            Camera(),
            Camera(highlights=Highlights(), sensor=Sensor()),
        )
    )
    second = Degradation(blurs=(NoBlur(),), downscale=SecondOrder(), camera=Camera(noise=None, jpeg=None))
    light, kernel, noise = lit(photo, linear=True), BLUR.kernel(stream(0)), NoiseLevel(1e-4, 1e-5)
    shot = whole.camera.shot(0)
    assert shot.highlights is not None
    assert shot.sensor is not None
    recovered, sensor = shot.highlights, shot.sensor
    ways: dict[str, Way] = {
        "peer: port of DeblurGAN, 8 bits, black borders": lambda turn: blurred(photo, stream(turn)),
        "peer: albumentations MotionBlur 3..63, 8 bits": lambda turn: motion(image=photo)["image"],
        "whole pair: kernel, linear light, blur": lambda turn: in_bands(plans(bare, [turn])[0], photo),
        "whole pair, with noise and JPEG": lambda turn: in_bands(plans(usual, [turn])[0], photo),
        "whole pair, with all steps of the camera": lambda turn: in_bands(plans(whole, [turn])[0], photo),
        "whole pair by downscale second_order": lambda turn: in_bands(plans(second, [turn])[0], photo),
        "  draw the plan and the kernel": lambda turn: plans(bare, [turn]),
        "  sRGB to linear light": lambda turn: lit(photo, linear=True),
        "  light of clipped pixels": lambda turn: recovered.recovered(light),
        f"  blur ({np.count_nonzero(kernel.psf)} taps)": lambda turn: kernel.apply(light),
        "  noise": lambda turn: noisy(light, noise, turn, None, top=0, left=0),
        "  sensor: colours, mosaic, demosaic": lambda turn: developed(
            light, sensor, None, turn, None, top=0, left=0
        ),
        "  linear light to sRGB": lambda turn: stored(light, linear=True),
        "  JPEG and back": lambda turn: jpeg_roundtrip(photo, 90),
        "  PNG (once written, not in the above)": lambda turn: png_bytes(photo),
    }
    seconds = _in_turns(ways, 4 * rounds)
    port = statistics.median(seconds["peer: port of DeblurGAN, 8 bits, black borders"])
    print(
        f"\n{f'one pair at {width}x{height}':<50}"
        f"{'ms median':>10}{'fastest':>10}{'slowest':>10}{'port over it':>14}"
    )
    for name, measured in seconds.items():
        times = "" if name.startswith(" ") else f"{port / statistics.median(measured):>14.1f}"
        print(
            f"{name:<50}{1e3 * statistics.median(measured):>10.2f}"
            f"{1e3 * min(measured):>10.2f}{1e3 * max(measured):>10.2f}{times}"
        )


def _photo(width: int, height: int) -> Bytes8:
    return np.asarray(
        cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


def _in_turns(ways: dict[str, Way], rounds: int) -> dict[str, list[float]]:
    """Seconds of processor time of each way, one after the other, again and again; the first round
    warms up and does not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            began = time.process_time()
            way(turn)
            seconds[name].append(time.process_time() - began)
    return {name: measured[1:] for name, measured in seconds.items()}


def _processor() -> str:
    """The processor's name, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )


if __name__ == "__main__":
    main()
