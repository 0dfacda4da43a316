"""Super-resolution's small photos: the sharp photo, smaller by a whole factor, which a net then has
to make large again.

downscale: {scale: 4}                       # plain: one clean resize, as published figures have it
downscale: {kind: second_order, scale: 4}   # as photos on the web are: blurred, resized, noisy and
compressed, twice over
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from components.optics.downscale.part import SMALLEST_PX, DownscalePart, Shrinking
from components.optics.downscale.resize import Downscale
from components.optics.downscale.second_order import SecondOrder


def _plain_unless_named(value: object) -> object:
    """Recipes of the time before kinds name none."""
    return {"kind": "plain", **value} if isinstance(value, dict) else value


Downscaling = Annotated[
    Downscale | SecondOrder, Field(discriminator="kind"), BeforeValidator(_plain_unless_named)
]

__all__ = ["SMALLEST_PX", "Downscale", "DownscalePart", "Downscaling", "SecondOrder", "Shrinking"]
