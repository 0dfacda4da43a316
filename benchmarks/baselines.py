"""What doing nothing scores on super-resolution's test sets: bicubic ×4 against the published
figures, photo by photo.

    python benchmarks/baselines.py FOLDER [--scale 4]

FOLDER holds the large photos. They are cut to a multiple of the scale, shrunk and enlarged as
MATLAB's imresize does, with rounding to 8 bit both times, and measured on Y. Published for ×4: Set5
28.42 dB and 0.8104, Set14 26.00 dB and 0.7027.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from components.core.baseline import enlarged
from components.core.images import Bytes8, decode, to_float, to_uint8
from components.metrics import psnr_rgb, psnr_y_crop4, ssim_y_crop4
from components.optics.downscale import Downscale

MEASURES = {"PSNR-Y": psnr_y_crop4, "SSIM-Y": ssim_y_crop4, "PSNR": psnr_rgb}


def scores(photo: Bytes8, downscale: Downscale) -> list[float]:
    """The three measures of one photo (H, W, 3) made small and enlarged again."""
    large = np.ascontiguousarray(downscale.cut(photo))
    small = to_uint8(downscale.apply(to_float(large)))
    x, y = (
        torch.from_numpy(to_float(each)).permute(2, 0, 1)[None].contiguous()
        for each in (enlarged(small, downscale.scale), large)
    )
    return [measure(x, y).item() for measure in MEASURES.values()]


def main() -> None:
    """Print a line a photo and the means."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=int, default=4)
    chosen = parser.parse_args()
    downscale = Downscale(scale=chosen.scale)
    files = sorted(
        path for path in chosen.folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")
    )
    if not files:
        raise SystemExit(
            f"no PNG, JPEG or WebP photo in {chosen.folder}; name a folder such as Set5's large photos"
        )
    rows = {
        path.stem: scores(np.asarray(decode(path.read_bytes()).pixels, np.uint8), downscale) for path in files
    }
    print(f"bicubic ×{chosen.scale}: {len(rows)} photos of {chosen.folder}")
    print(f"{'':<16}" + "".join(f"{name:>10}" for name in MEASURES))
    for name, values in [
        *rows.items(),
        ("mean", [fmean(column) for column in zip(*rows.values(), strict=True)]),
    ]:
        print(f"{name:<16}{values[0]:10.3f}{values[1]:10.4f}{values[2]:10.3f}")


if __name__ == "__main__":
    main()
