"""What real cameras' colour filters see, as linear sRGB sees it.

The numbers are the matrices (CIE XYZ to camera, D65) that Adobe states in its DNG converter for
each camera, in ten-thousandths; dcraw's and LibRaw's tables list the same. None of those below
makes a negative value of a colour that a screen can show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
CameraName = Literal["canon_eos_5d_mark_iii", "nikon_d810", "olympus_e_m10", "sony_a7r_ii"]
CAMERAS: tuple[CameraName, ...] = get_args(CameraName)

XYZ_TO_CAMERA: dict[str, tuple[int, ...]] = {
    "canon_eos_5d_mark_iii": (6722, -635, -963, -4287, 12460, 2028, -908, 2162, 5668),
    "nikon_d810": (9369, -3195, -791, -4488, 12430, 2301, -893, 1796, 6872),
    "olympus_e_m10": (8380, -2630, -639, -2887, 10725, 2496, -627, 1427, 5438),
    "sony_a7r_ii": (6629, -1900, -483, -4618, 12349, 2550, -622, 1381, 6514),
}
# Linear sRGB to CIE XYZ, D65 (IEC 61966-2-1).
SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def to_camera(shares: Mapping[str, float]) -> Matrix:
    """(3, 3) from linear sRGB to the colours of a mean of cameras; each row sums to 1, so that
    white and greys stay as they are.

    shares: by camera, adding up to 1.

    >>> to_camera({"nikon_d810": 1.0}).sum(axis=1).round(12).tolist()
    [1.0, 1.0, 1.0]
    """
    mean = np.tensordot(
        np.array(list(shares.values())), np.array([XYZ_TO_CAMERA[camera] for camera in shares]), axes=1
    )
    matrix = mean.reshape(3, 3) @ SRGB_TO_XYZ
    rows_sum_to_one: Matrix = matrix / matrix.sum(axis=1, keepdims=True)
    return rows_sum_to_one
