"""Measuring blur by what it makes of bright spots all over a photo."""

from __future__ import annotations

import math

import numpy as np

from components.optics.blurs.drawn_blur import Effect, Kernel

CELL_PX = 60


def local_severity_px(effect: Effect, rows: int = 6, columns: int = 10) -> float:
    """RMS radius of bright spots all over a photo under a blur: root of the mean square, measured."""
    y, x = np.ogrid[:CELL_PX, :CELL_PX]
    middle = (CELL_PX - 1) / 2
    spot = np.exp(-((x - middle) ** 2 + (y - middle) ** 2) / 8.0).astype(np.float32)
    blurred = effect.apply(np.tile(spot, (rows, columns)))
    cells = blurred.reshape(rows, CELL_PX, columns, CELL_PX).swapaxes(1, 2).reshape(-1, CELL_PX, CELL_PX)
    return math.sqrt(
        np.mean([Kernel(cell).severity_px ** 2 for cell in cells]) - Kernel(spot).severity_px ** 2
    )
