"""What kind of photo it is, in a few numbers: to see whether those that come in are like those that a
model was trained on. None of them needs a target.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.core.images import to_float
from components.core.levels import Pixels

CROP_PX = 512  # of the middle; noise and sharpness are those of pixels as they came, so nothing is resized
BLOCK_PX = 32
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
UNITS = {
    "size": "megapixels",
    "noise": "levels of 255",
    "sharpness": "",
    "brightness": "of 1",
    "colour": "levels of 255",
}
Plane = npt.NDArray[np.float64]


def photo_statistics(pixels: Pixels) -> dict[str, float]:
    """The numbers of one photo, (H, W, 3) of 8 or 16 bits, at least 3 px on each side.

    size: megapixels. noise: standard deviation in levels of 255, by the Laplacian mask of Immerkær
    (1996), which plain slopes do not excite, of the flattest tenth of blocks, so that texture does not
    count. sharpness: standard deviation of the Laplacian over that of the brightness, 0 for a plain
    photo. brightness: mean of luma in [0, 1]. colour: colourfulness of Hasler and Süsstrunk (2003),
    levels of 255.
    """
    height, width = pixels.shape[:2]
    top, left = max(0, (height - CROP_PX) // 2), max(0, (width - CROP_PX) // 2)
    photo = to_float(pixels[top : top + CROP_PX, left : left + CROP_PX]).astype(np.float64)
    luma = photo @ np.asarray(LUMA)
    contrast = float(luma.std())
    return {
        "size": height * width / 1e6,
        "noise": 255 * _noise(luma),
        "sharpness": float(_laplacian(luma).std()) / contrast if contrast > 1e-6 else 0.0,
        "brightness": float(luma.mean()),
        "colour": 255 * _colourfulness(photo),
    }


def _laplacian(luma: Plane) -> Plane:
    middle = luma[1:-1, 1:-1]
    found: Plane = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * middle
    return found


def _noise(luma: Plane) -> float:
    """Immerkær's estimate, sqrt(pi / 2) mean |I * N| / 6 with N = (1 -2 1)^T (1 -2 1), a block."""
    rows = luma[:-2] - 2 * luma[1:-1] + luma[2:]
    answer = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])
    height, width = (max(1, side // BLOCK_PX) for side in answer.shape)
    blocks = [
        float(block.mean())
        for band in np.array_split(answer, height)
        for block in np.array_split(band, width, axis=1)
    ]
    return float(np.sqrt(np.pi / 2) * np.quantile(blocks, 0.1) / 6)


def _colourfulness(photo: npt.NDArray[np.float64]) -> float:
    red, green, blue = (photo[..., channel] for channel in range(3))
    first, second = red - green, (red + green) / 2 - blue
    spread = np.hypot(first.std(), second.std())
    return float(spread + 0.3 * np.hypot(first.mean(), second.mean()))
