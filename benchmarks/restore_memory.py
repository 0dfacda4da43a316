"""What `refocus restore` takes to restore a large photo, in times the photo's bytes (3 a pixel):
`python benchmarks/restore_memory.py [--width PX --height PX]`.

A JPEG of noise and gradients is restored by the demo's net, untrained, in a process of its own; the figure is
its highest resident memory less that of the same process with a photo of one tile.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

TILE_PX = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=8192)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--restore", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.restore is not None:
        _restore(arguments.restore)
        return
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.jpg", Path(folder) / "large.jpg"
        _write(small, TILE_PX, TILE_PX)
        _write(large, arguments.width, arguments.height)
        base, peak = (_peak_mb(path) for path in (small, large))
    photo = 3 * arguments.width * arguments.height / 1e6
    more = peak[0] - base[0]
    print(f"{arguments.width} × {arguments.height} px, {photo:.0f} MB as pixels: {more:.0f} MB more than for")
    print(f"one tile, {more / photo:.1f} times the photo's bytes; {peak[1]:.1f} s")


def _peak_mb(photo: Path) -> tuple[float, float]:
    began = time.monotonic()
    words = [sys.executable, __file__, "--restore", str(photo)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return float(told), time.monotonic() - began


def _restore(photo: Path) -> None:
    from components import recipes
    from components.core.images import decode, write_png
    from components.nets.restore import Restorer

    part = recipes.load("demo").train.generator
    restorer = Restorer(part.build(0), part, device="cpu", tile_px=TILE_PX)
    write_png(photo.with_suffix(".png"), restorer.restore_pixels(decode(photo.read_bytes()).pixels))
    # Not getrusage: its highest is also that of the process which started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1.024e-3)


def _write(path: Path, width: int, height: int) -> None:
    noise = np.random.default_rng(1).integers(0, 40, (height, width, 3), np.uint8)
    slope = np.linspace(0, 200, width).astype(np.uint8)[None, :, None]
    cv2.imwrite(str(path), noise + slope)


if __name__ == "__main__":
    main()
