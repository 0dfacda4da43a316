"""Bayer mosaics: one colour a pixel, and the two others found again from the neighbours.

Every pixel's missing colours are one of four linear filters of the mosaic, which `filters` gives:
"green" at red and blue pixels; a colour at a green pixel that has it left and right ("across") or
above and below ("down"); red at blue and blue at red ("diagonal").
"""

from __future__ import annotations

from functools import cache
from typing import Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from components.optics.blurs.convolve import with_spare
from components.optics.blurs.drawn_blur import Floats
from components.optics.sensor import Demosaic

Filter = Literal["green", "across", "down", "diagonal"]
Site = tuple[int, int]
REACH = 2  # of the filters
Value = TypeVar("Value", bound=np.generic)


def mosaicked(colours: npt.NDArray[Value], red: Site) -> npt.NDArray[Value]:
    """(H, W, 3) RGB to (H, W): at each pixel the one value that a Bayer filter lets through. red:
    row and column of the first red pixel, 0 or 1.
    """
    mosaic = np.empty(colours.shape[:2], colours.dtype)
    for channel, sites in enumerate(_sites(red)):
        for site in sites:
            mosaic[site] = colours[:, :, channel][site]
    return mosaic


def demosaicked(mosaic: Floats, red: Site, kind: Demosaic) -> Floats:
    """(H, W) mosaic to (H, W, 3) RGB, not clipped; measured values are kept. Borders are reflected,
    which continues the pattern.

    Source: Malvar, He & Cutler 2004, "High-quality linear interpolation for demosaicing of
    Bayer-patterned color images", fig. 2.
    """
    width = mosaic.shape[1]
    # A pixel must come out the same wherever it lies, and OpenCV rounds a row's last few otherwise.
    around = with_spare(np.asarray(cv2.copyMakeBorder(mosaic, 0, 0, REACH, REACH, cv2.BORDER_REFLECT_101)))
    found = {
        name: cv2.filter2D(around, -1, kernel, borderType=cv2.BORDER_REFLECT_101)[:, REACH : REACH + width]
        for name, kernel in filters(kind).items()
    }
    (reds,), (beside_red, beside_blue), (blues,) = _sites(red)
    colours = np.empty((*mosaic.shape, 3), np.float32)
    for channel, own, across, down, far in (
        (0, reds, beside_red, beside_blue, blues),
        (2, blues, beside_blue, beside_red, reds),
    ):
        plane = colours[:, :, channel]
        plane[own], plane[across], plane[down], plane[far] = (
            mosaic[own],
            found["across"][across],
            found["down"][down],
            found["diagonal"][far],
        )
    green = colours[:, :, 1]
    for site in (beside_red, beside_blue):
        green[site] = mosaic[site]
    for site in (reds, blues):
        green[site] = found["green"][site]
    return colours


@cache
def filters(kind: Demosaic) -> dict[Filter, Floats]:
    """The four filters, each (5, 5) float32, to be laid over the mosaic as they stand (all are
    symmetric); each sums to 1.
    """
    if kind == "bilinear":
        cross = _quarters([[0, 0, 0], [0, 0, 1], [0, 1, 0]], 4)
        across = _quarters([[0, 0, 0], [0, 0, 0], [0, 1, 0]], 2)
        diagonal = _quarters([[0, 0, 0], [0, 1, 0]], 4)
    else:
        cross = _quarters([[0, 0, -1], [0, 0, 2], [-1, 2, 4]], 8)
        across = _quarters([[0, 0, 0.5], [0, -1, 0], [-1, 4, 5]], 8)
        diagonal = _quarters([[0, 0, -1.5], [0, 2, 0], [-1.5, 0, 6]], 8)
    found: dict[Filter, Floats] = {
        "green": cross,
        "across": across,
        "down": np.ascontiguousarray(across.T),
        "diagonal": diagonal,
    }
    for kernel in found.values():
        kernel.setflags(write=False)
    return found


def _quarters(corner: list[list[float]], whole: float) -> Floats:
    """A (5, 5) filter, symmetric both ways, from its upper left rows and columns with the middle
    ones; shares of `whole`.
    """
    quarter = np.zeros((3, 3), np.float32)
    quarter[: len(corner)] = corner
    half = np.concatenate([quarter, quarter[:, 1::-1]], axis=1)
    return np.ascontiguousarray(np.concatenate([half, half[1::-1]], axis=0) / np.float32(whole))


def _sites(red: Site) -> tuple[tuple[tuple[slice, slice], ...], ...]:
    """Where red, green (in red's rows, then in blue's) and blue pixels lie."""
    row, column = (slice(start, None, 2) for start in red)
    other_row, other_column = (slice(1 - start, None, 2) for start in red)
    return ((row, column),), ((row, other_column), (other_row, column)), ((other_row, other_column),)
