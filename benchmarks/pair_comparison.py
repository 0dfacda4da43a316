"""How well shift and severity of a real pair are measured: on real photos under blurs that are
known, in linear light, with noise.

    python benchmarks/pair_comparison.py [FOLDER] [--repeats 4]

FOLDER holds photos; the bundled ones when left out. Every kind of blur with one PSF is drawn for
each photo, moved by up to 4 px each way. Prints the error of the shift (against the PSF's
centroid), measured over true severity with their correlation, and the time of a 1280×720 pair.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from components.core.images import Bytes8, decode, linear_of, linear_to_srgb, to_uint8
from components.core.seeds import stream
from components.ingest.bundled import BUNDLED_PHOTOS, path_of
from components.ingest.pairs.compare import compared
from components.optics.blurs import Blur, Defocus, Gaussian, LinearMotion, RandomTrajectory
from components.optics.blurs.drawn_blur import Kernel

KINDS: tuple[Blur, ...] = (RandomTrajectory(), LinearMotion(), Gaussian(), Defocus())
NOISE = 3.0  # levels


def degraded(target: Bytes8, kernel: Kernel, moved: tuple[float, float], name: str) -> Bytes8:
    """The photo under a blur, moved right and down, with noise."""
    matrix = np.array([[1, 0, moved[0]], [0, 1, moved[1]]], np.float32)
    size = (target.shape[1], target.shape[0])
    light = cv2.warpAffine(
        kernel.apply(linear_of(target)),
        matrix,
        size,
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    noise = stream("noise", name).normal(0, NOISE, target.shape)
    return to_uint8((linear_to_srgb(np.clip(light, 0, 1)) * 255 + noise) / 255)


def main() -> None:
    """Print a line a kind of blur, all together, and the time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=4, help="draws of each kind for each photo")
    chosen = parser.parse_args()
    files = (
        [path_of(photo) for photo in BUNDLED_PHOTOS]
        if chosen.folder is None
        else sorted(chosen.folder.glob("*.[jp][pn]g"))
    )
    rows: dict[str, list[tuple[float, float, float]]] = {kind.kind: [] for kind in KINDS}
    for file in files:
        found = decode(file.read_bytes())
        target = found.pixels if found.bits == 8 else to_uint8(found.pixels.astype(np.float32) / 65535)
        for kind in KINDS:
            for draw in range(chosen.repeats):
                name = f"{file.name} {kind.kind} {draw}"
                kernel = kind.draw([stream("blur", name)])[0]
                assert isinstance(kernel, Kernel), "kinds with one PSF are measured"
                moved = stream("moved", name).uniform(-4, 4, 2)
                pair = compared(degraded(target, kernel, (float(moved[0]), float(moved[1])), name), target)
                wrong = np.hypot(*(np.array(pair.shift_px) - moved - kernel.centroid_px))
                rows[kind.kind].append((float(wrong), pair.severity_px, kernel.severity_px))
    print(f"{len(files)} photos, {chosen.repeats} draws of each kind")
    print(
        f"{'':<20}{'shift, median error px':>24}{'90 % below':>12}{'severity / true':>18}{'correlation':>13}"
    )
    for title, values in [*rows.items(), ("all", [row for each in rows.values() for row in each])]:
        wrong, measured, true = (np.array(column) for column in zip(*values, strict=True))
        together = np.corrcoef(measured, true)[0, 1]
        print(
            f"{title:<20}{np.median(wrong):>24.3f}{np.percentile(wrong, 90):>12.3f}"
            f"{np.median(measured / true):>18.3f}{together:>13.4f}"
        )
    large = np.asarray(cv2.resize(decode(files[0].read_bytes()).pixels, (1280, 720)), np.uint8)
    times = []
    for _ in range(7):
        began = time.perf_counter()
        compared(cv2.GaussianBlur(large, (0, 0), 3), large)
        times.append(time.perf_counter() - began)
    print(f"a 1280×720 pair: {1000 * median(times):.0f} ms (median of 7, with one Gaussian blur in it)")


if __name__ == "__main__":
    main()
