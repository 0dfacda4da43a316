"""What `refocus restore` takes to restore a large photo, in times the photo's bytes (3 a pixel):
`python benchmarks/restore_memory.py [--width PX --height PX]`; and what tiles cost and change where a net
looks over the whole photo: `python benchmarks/restore_memory.py --photo FILE [--recipes deblurgan
unet_patchgan] [--tile PX] [--net-width N] [--model FOLDER]`.

A JPEG of noise and gradients is restored by the demo's net, untrained, in a process of its own; the figure is
its highest resident memory less that of the same process with a photo of one tile. With --photo that photo is
restored whole, in exact tiles and per tile, by a recipe's net, untrained (or by a checkpoint's folder); a row
has the processor's seconds, the highest memory beyond that of the loaded net, and how far the picture is from
the whole one, in values of 0 to 1. --net-width makes a net narrower.
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
WHOLE, EXACT, PER_TILE = "whole", "exact tiles", "per tile"


def main() -> None:
    """Measure in processes of their own, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=int, default=8192)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--recipes", nargs="+", default=["deblurgan", "unet_patchgan"])
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--net-width", type=int)
    parser.add_argument("--model", type=Path, help="a checkpoint's folder in the place of recipes")
    parser.add_argument("--restore", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--way", default=EXACT, help=argparse.SUPPRESS)
    parser.add_argument("--recipe", default="demo", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.restore is not None:
        _restore(asked)
    elif asked.photo is not None:
        _ways(asked)
    else:
        _large(asked.width, asked.height)


def _large(width: int, height: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.jpg", Path(folder) / "large.jpg"
        _write(small, TILE_PX, TILE_PX)
        _write(large, width, height)
        began = time.monotonic()
        base, peak = (_told("--restore", path, "--tile", TILE_PX) for path in (small, large))
    photo = 3 * width * height / 1e6
    more = peak["highest"] - base["highest"]
    print(f"{width} × {height} px, {photo:.0f} MB as pixels: {more:.0f} MB more than for")
    print(
        f"one tile, {more / photo:.1f} times the photo's bytes; {peak['seconds']:.0f} s of the processor,"
        f" {time.monotonic() - began:.0f} s"
    )


def _ways(asked: argparse.Namespace) -> None:
    print("| net | way | processor s | MB beyond the net | largest difference | mean |")
    print("|---|---|---:|---:|---:|---:|", flush=True)
    for recipe in [str(asked.model)] if asked.model else asked.recipes:
        with tempfile.TemporaryDirectory() as folder:
            place, seen = Path(folder) / asked.photo.name, {}
            place.write_bytes(asked.photo.read_bytes())
            for way in (WHOLE, EXACT, PER_TILE):
                words = ["--restore", place, "--way", way, "--recipe", recipe, "--tile", asked.tile]
                words += ["--net-width", asked.net_width] if asked.net_width else []
                told = _told(*words)
                seen[way] = np.load(place.with_suffix(".npy"))
                away = np.abs(seen[way] - seen[WHOLE])
                print(
                    f"| {recipe} | {way} | {told['seconds']:.1f} | {told['highest'] - told['loaded']:.0f} |"
                    f" {away.max():.1e} | {away.mean():.1e} |",
                    flush=True,
                )


def _told(*words: object) -> dict[str, float]:
    """What a process of its own says of itself."""
    said = subprocess.run(
        [sys.executable, __file__, *map(str, words)], capture_output=True, text=True, check=True
    ).stdout
    return {name: float(value) for name, value in (line.split() for line in said.splitlines())}


def _restore(asked: argparse.Namespace) -> None:
    from components import recipes
    from components.core.images import decode, write_png
    from components.core.levels import to_float
    from components.nets.restore import Restorer, load_restorer

    if Path(asked.recipe).is_dir():
        loaded = load_restorer(Path(asked.recipe), device="cpu")
        net, part = loaded.net, loaded.part
    else:
        part = recipes.load(asked.recipe).train.generator
        part = part.model_copy(update={"width": asked.net_width} if asked.net_width else {})
        net = part.build(0)
    if asked.way == PER_TILE:
        part = part.model_copy(update={"test_time_tiles": "per_tile"})
    pixels = decode(asked.restore.read_bytes()).pixels
    tile_px = part.scale * max(pixels.shape[:2]) if asked.way == WHOLE else asked.tile
    restorer = Restorer(net, part, device="cpu", tile_px=tile_px)
    loaded_mb, began = _highest_mb(), time.process_time()
    if asked.photo is None and asked.recipe == "demo":
        write_png(asked.restore.with_suffix(".png"), restorer.restore_pixels(pixels))
    else:
        np.save(asked.restore.with_suffix(".npy"), restorer.restore(to_float(pixels)))
    print(f"loaded {loaded_mb}\nseconds {time.process_time() - began}\nhighest {_highest_mb()}")


def _highest_mb() -> float:
    # Not getrusage: its highest is also that of the process which started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1.024e-3


def _write(path: Path, width: int, height: int) -> None:
    noise = np.random.default_rng(1).integers(0, 40, (height, width, 3), np.uint8)
    slope = np.linspace(0, 200, width).astype(np.uint8)[None, :, None]
    cv2.imwrite(str(path), noise + slope)


if __name__ == "__main__":
    main()
