"""What may be measured: two batches of photos of the same shape, floats in [0, 1]. Anything else
would give a number that means nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def check_photos(restored: Tensor, target: Tensor, *, smallest_px: int = 1, why: str = "one window") -> None:
    """Refuse what cannot be compared.

    restored, target: (N, 3, H, W) floats in [0, 1], N at least 1, sides at least smallest_px; why:
    what needs that many.
    Raises InputError, naming what came, for another shape, type, size or range, and for NaN or
    infinity.
    """
    if restored.shape != target.shape:
        raise InputError(
            "two photos are compared pixel by pixel, so they must have one shape; got"
            f" {tuple(restored.shape)} and {tuple(target.shape)}"
        )
    if restored.ndim != 4 or restored.shape[1] != 3 or restored.shape[0] < 1:
        raise InputError(
            f"a metric takes (N, 3, height, width) with N at least 1, got {tuple(restored.shape)}; repeat a"
            " grey photo three times"
        )
    height, width = restored.shape[2:]
    if min(height, width) < smallest_px:
        raise InputError(
            f"the photos must be at least {smallest_px} px on each side ({why}), got {width} × {height} px"
        )
    for name, photo in (("first", restored), ("second", target)):
        if not photo.is_floating_point():
            raise InputError(
                f"a metric takes floats in [0, 1], the {name} photo is {photo.dtype}; divide 8-bit values"
                " by 255"
            )
        low, high = (float(end) for end in photo.detach().aminmax())
        if not (low >= 0.0 and high <= 1.0):
            raise InputError(
                f"a metric takes values in [0, 1], the {name} photo spans {low:g} to {high:g}; clip it, and"
                " replace NaN, before measuring"
            )
