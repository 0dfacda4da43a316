"""A sheet of the first pairs, so that a person sees what was made: the target above, what is given
below, a blur's point spread function between.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from components.core.images import Bytes8, rgb_of, write_png
from components.core.levels import at_bits
from components.core.records import Pair
from components.optics.blurs.drawn_blur import Floats
from components.optics.degradation import plans
from components.services.content import Reader
from components.synthesize.config import SynthesizeConfig

CELL_PX = 160
GAP_PX = 4
COLUMNS = 8


def write_sheet(path: Path, config: SynthesizeConfig, rows: Sequence[Pair], pictures: Reader) -> None:
    """Draw up to eight pairs, evenly spread over the rows, as columns: crop of the target, PSF
    where there is a blur, the same crop of what is given.

    A small photo is shown as large as its target, pixel by pixel.
    """
    shown = [
        rows[place]
        for place in sorted({round(at) for at in np.linspace(0, len(rows) - 1, min(COLUMNS, len(rows)))})
    ]
    # Nothing was drawn for a pair that was given.
    known = config.blurred and all(row.blur_kind != "imported" for row in shown)
    psfs = [
        [_psf_picture(plan.effect.psf)] if known else []
        for plan in plans(config.degradation, [row.seed for row in shown])
    ]
    columns = []
    for row, psf in zip(shown, psfs, strict=True):  # one photo in memory at a time
        target, input = (at_bits(rgb_of(pictures.read(name), name), 8) for name in (row.target, row.input))
        shown_input = _crop(_enlarged(input, config.scale))
        columns.append(_stacked([_crop(target), *psf, shown_input], axis=0))
    write_png(path, _stacked(columns, axis=1))


def _enlarged(pixels: Bytes8, scale: int) -> Bytes8:
    """Every pixel as a square."""
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def _crop(pixels: Bytes8) -> Bytes8:
    """The middle of a picture, one cell large; smaller pictures are enlarged."""
    height, width = pixels.shape[:2]
    if min(height, width) < CELL_PX:
        scale = CELL_PX / min(height, width)
        pixels = np.asarray(
            cv2.resize(
                pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_NEAREST
            ),
            dtype=np.uint8,
        )
        height, width = pixels.shape[:2]
    top, left = (height - CELL_PX) // 2, (width - CELL_PX) // 2
    return pixels[top : top + CELL_PX, left : left + CELL_PX]


def _psf_picture(psf: Floats) -> Bytes8:
    """A PSF as light on black, enlarged so that 33 px, or all of a larger one, fill the cell; its
    brightest pixel is white.
    """
    side = max(33, *psf.shape)
    frame = np.zeros((side, side), np.float32)
    top, left = (side - psf.shape[0]) // 2, (side - psf.shape[1]) // 2
    frame[top : top + psf.shape[0], left : left + psf.shape[1]] = psf / psf.max()
    # The square root shows the faint parts too.
    shades = np.rint(255 * np.sqrt(frame)).astype(np.uint8)
    enlarged = cv2.resize(shades, (CELL_PX, CELL_PX), interpolation=cv2.INTER_NEAREST)
    return np.repeat(np.asarray(enlarged, dtype=np.uint8)[:, :, None], 3, axis=2)


def _stacked(pictures: Sequence[Bytes8], axis: int) -> Bytes8:
    """Pictures in a row or column with a white gap between."""
    gap = list(pictures[0].shape)
    gap[axis] = GAP_PX
    parts: list[Bytes8] = []
    for picture in pictures:
        parts += [picture, np.full(gap, 255, np.uint8)]
    return np.concatenate(parts[:-1], axis=axis)
