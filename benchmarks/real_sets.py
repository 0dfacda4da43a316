"""Real blurred photos with their sharp ones, and how each set is scored: GoPro pairs pixel by
pixel, Levin's with the shift that fits best.

DATA/gopro_pairs/{blur,sharp}/NAME.png (Nah et al. 2017): RGB, aligned, whole photos.
DATA/levin09_part/{blur/imI_kernelK.png,sharp/imI.png} (Levin et al. 2009): grey; the photos are
shifted against each other by some px, so the best score over whole-pixel shifts counts, the border
cut off.

In both sets the blur is a mean of the stored values, not of light: GoPro's frames were averaged so
(blurred and sharp photos have the same mean of stored values, and light that differs by 3 to 7 %),
and Levin's photos are stored as the sensor counted, without the sRGB curve (their kernels, applied
to the sharp photos, fit best so; `benchmarks/realism.py` shows both). `levin_srgb` is Levin's set
with that curve, as a camera stores photos.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from components.core.images import Bytes8, decode, linear_to_srgb, to_float, to_uint8
from components.metrics import psnr_rgb, ssim_gauss11_rgb

BORDER_PX, SHIFT_PX = 20, 12
# What doing nothing scores in PSNR, by the sets' own notes (with the same metrics): a change of
# protocol shows before hours are spent.
KNOWN_DB = {
    **{
        "gopro/campus": 22.8665,
        "gopro/flower": 25.1070,
        "gopro/istanbul": 24.0500,
        "gopro/park_path": 20.2802,
    },
    **{
        "levin/im1_kernel1": 24.13,
        "levin/im1_kernel2": 23.30,
        "levin/im1_kernel3": 26.64,
        "levin/im1_kernel4": 19.54,
    },
    **{
        "levin/im2_kernel1": 22.98,
        "levin/im2_kernel2": 21.87,
        "levin/im2_kernel3": 24.62,
        "levin/im2_kernel4": 19.67,
    },
}


@dataclass(frozen=True)
class ScoredPair:
    """One blurred photo and its sharp one, (H, W, 3) uint8."""

    group: str
    name: str
    input: Bytes8
    target: Bytes8
    shifted: bool = False  # scored by the best shift

    def scores(self, restored: Bytes8) -> tuple[float, float]:
        """PSNR in dB and SSIM of a photo against the sharp one, as this set is scored."""
        ours, truth = best_shift(restored, self.target) if self.shifted else (restored, self.target)
        x, y = (
            torch.from_numpy(to_float(np.ascontiguousarray(each))).permute(2, 0, 1)[None].contiguous()
            for each in (ours, truth)
        )
        return psnr_rgb(x, y).item(), ssim_gauss11_rgb(x, y).item()


def best_shift(
    photo: Bytes8, target: Bytes8, *, border_px: int = BORDER_PX, shift_px: int = SHIFT_PX
) -> tuple[Bytes8, Bytes8]:
    """The inner part of a photo, and the part of the sharp one that lies nearest to it, squared
    error over all shifts up to `shift_px`.

    Both are (H, W, 3) uint8 of one size, larger than twice the border. Returns two of (H - 2
    border, W - 2 border, 3).
    """
    assert photo.shape == target.shape, f"one size is compared, got {photo.shape} and {target.shape}"
    assert shift_px <= border_px < min(target.shape[:2]) / 2, (
        f"border {border_px}, shift {shift_px} do not fit {target.shape}"
    )
    height, width = (side - 2 * border_px for side in target.shape[:2])
    inner = photo[border_px:-border_px, border_px:-border_px]
    shifts = range(border_px - shift_px, border_px + shift_px + 1)
    parts = (target[top : top + height, left : left + width] for top in shifts for left in shifts)
    nearest = min(parts, key=lambda part: int(np.sum((part.astype(np.int32) - inner) ** 2, dtype=np.int64)))
    return inner, nearest


def gopro(data: Path) -> list[ScoredPair]:
    """The four GoPro pairs."""
    folder = data / "gopro_pairs"
    return [
        ScoredPair("gopro", file.stem, read(file), read(folder / "sharp" / file.name))
        for file in _files(folder / "blur")
    ]


def levin(data: Path) -> list[ScoredPair]:
    """The eight photos of Levin's set, grey repeated to three channels."""
    folder = data / "levin09_part"
    return [
        ScoredPair(
            "levin",
            file.stem,
            read(file),
            read(folder / "sharp" / f"{file.stem.split('_')[0]}.png"),
            shifted=True,
        )
        for file in _files(folder / "blur")
    ]


def levin_srgb(data: Path) -> list[ScoredPair]:
    """The same photos, their values taken for light and stored as sRGB: real camera shake as any
    camera would have written it.
    """

    def stored(photo: Bytes8) -> Bytes8:
        return to_uint8(linear_to_srgb(to_float(photo)))

    return [
        replace(pair, group="levin_srgb", input=stored(pair.input), target=stored(pair.target))
        for pair in levin(data)
    ]


def read(file: Path) -> Bytes8:
    """A photo as (H, W, 3) uint8."""
    return np.asarray(decode(file.read_bytes()).pixels, np.uint8)


def refuse_other_protocol(pairs: list[ScoredPair]) -> None:
    """Stop when doing nothing does not score what the sets' notes say: then metric or photos are
    others.
    """
    for pair in pairs:
        wanted = KNOWN_DB.get(f"{pair.group}/{pair.name}")
        found = pair.scores(pair.input)[0]
        if wanted is not None and abs(found - wanted) > 0.006:
            raise SystemExit(
                f"doing nothing scores {found:.4f} dB on {pair.group}/{pair.name}, its notes say {wanted:g}:"
                " metric or photos are others"
            )


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.png"))
    if not files:
        raise SystemExit(
            f"no PNG photo in {folder}; --data names the folder that holds gopro_pairs and levin09_part"
        )
    return files
