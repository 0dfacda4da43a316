"""How fast pairs are made, on one thread: `python benchmarks/synthesize.py [--rounds 5]`.

Kernels are measured in turns with a plain-Python port of the original (plain_trajectory.py), A B A B in one run. Photos
are decoded beforehand and results stay in memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from plain_trajectory import psfs, trajectory
from skimage import data

from components.core.images import Bytes8, Picture, jpeg_roundtrip, png_bytes
from components.core.seeds import stream
from components.optics.blurs import RandomTrajectory
from components.optics.camera import Camera
from components.optics.light import light_of, stored
from components.optics.noise import normal_field
from components.optics.plan import plans
from components.optics.sensor_noise import NoiseLevel
from components.synthesize.config import SynthesizeConfig

SIZES = ((1280, 720), (256, 256))
BLUR = RandomTrajectory()


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description="How fast blurred/sharp pairs are made, on one thread.")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds; medians are shown")
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    kernels(rounds)
    for width, height in SIZES:
        pair(width, height, rounds)
    print("\nThe original's own code on one core of an AMD EPYC (Zen 4): 148 ms a kernel; kernel and 8-bit blur 372 ms at 1280x720, 160 ms at 256x256.")


def kernels(rounds: int) -> None:
    """Trajectory and PSF: the port, one at a time and many at a time, in turns."""
    ways: dict[str, tuple[int, Callable[[int], object]]] = {
        "plain-Python port, 4 exposures": (8, lambda first: [psfs(trajectory(stream(first, i))) for i in range(8)]),
        "plain-Python port, full exposure only": (8, lambda first: [psfs(trajectory(stream(first, i)), (1.0,)) for i in range(8)]),
        "RandomTrajectory, one at a time": (100, lambda first: [BLUR.kernel(stream(first, i)) for i in range(100)]),
        "RandomTrajectory, 1024 together": (1024, lambda first: BLUR.kernels([stream(first, i) for i in range(1024)])),
        "the same, full exposure only": (
            1024,
            lambda first: RandomTrajectory(exposures=(1.0,)).kernels([stream(first, i) for i in range(1024)]),
        ),
    }
    BLUR.kernels([stream(i) for i in range(1024)])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name, (count, way) in ways.items():
            seconds[name].append(_seconds(lambda way=way, turn=turn: way(turn)) / count)
    slowest = statistics.median(seconds["plain-Python port, 4 exposures"])
    print(f"{'kernels (trajectory and PSF)':<42}{'ms each':>10}{'per second':>12}{'times the port':>16}")
    for name, measured in seconds.items():
        middle = statistics.median(measured)
        print(f"{name:<42}{1e3 * middle:>10.3f}{1 / middle:>12.0f}{slowest / middle:>16.0f}")


def pair(width: int, height: int, rounds: int) -> None:
    """One pair, whole and step by step, with a fresh kernel each time."""
    picture = Picture(_photo(width, height), 3, 8, "PNG")
    light = light_of(picture, linear=True)
    kernel = BLUR.kernel(stream(0))
    noise = NoiseLevel(1e-4, 1e-5)
    bare = SynthesizeConfig(camera=Camera(noise=None, jpeg=None))
    full = SynthesizeConfig()
    seeds = iter(range(10**9))
    ways: dict[str, Callable[[], object]] = {
        "whole pair: kernel, linear light, blur": lambda: plans(bare.degradation, [next(seeds)])[0].blurred(light_of(picture, linear=True)),
        "whole pair, with noise and JPEG": lambda: plans(full.degradation, [next(seeds)])[0].blurred(light_of(picture, linear=True)),
        "  draw the plan and the kernel": lambda: plans(bare.degradation, [next(seeds)]),
        "  sRGB to linear light": lambda: light_of(picture, linear=True),
        f"  blur ({np.count_nonzero(kernel.psf)} taps)": lambda: kernel.apply(light),
        "  noise": lambda: noise.added(light, normal_field(0, height, width)),
        "  linear light to sRGB": lambda: stored(light, linear=True),
        "  JPEG and back": lambda: jpeg_roundtrip(picture.pixels, 90),
        "  PNG (once written, not in the above)": lambda: png_bytes(picture.pixels),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds * 6):
        for name, way in ways.items():
            seconds[name].append(_seconds(way))
    print(f"\n{f'one pair at {width}x{height}':<42}{'ms median':>10}{'fastest':>10}{'slowest':>10}")
    for name, measured in seconds.items():
        ordered = sorted(measured[1:])
        print(f"{name:<42}{1e3 * statistics.median(ordered):>10.2f}{1e3 * ordered[0]:>10.2f}{1e3 * ordered[-1]:>10.2f}")


def _photo(width: int, height: int) -> Bytes8:
    return np.asarray(cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _seconds(way: Callable[[], object]) -> float:
    began = time.perf_counter()
    way()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
