"""The kinds of blur: one frozen part each, and the union of them, which is the registry.

A kind is a class with `kind`, `weight` (its share of the pairs), `largest_px` (no side of its
kernels is longer) and `draw(rngs)`: one Effect per generator, the same whether drawn alone or among
others. To add one, write the class in a module of its own and add its name to `Blur`; recipes,
validation and the contract tests follow from that line. A kind that can take a photo's own mask or
depth map says which, if its settings ask for it, by a property `map_kind`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from components.optics.blurs.camera_shake import CameraShake6DoF
from components.optics.blurs.defocus import Defocus
from components.optics.blurs.gaussian import Gaussian
from components.optics.blurs.linear_motion import LinearMotion
from components.optics.blurs.no_blur import NoBlur
from components.optics.blurs.object_motion import ObjectMotion
from components.optics.blurs.radial import Spin, Zoom
from components.optics.blurs.random_trajectory import RandomTrajectory
from components.optics.blurs.turbulence import Turbulence

if TYPE_CHECKING:
    from components.core.records import MapKind

__all__ = [
    "Blur",
    "CameraShake6DoF",
    "Defocus",
    "Gaussian",
    "LinearMotion",
    "NoBlur",
    "ObjectMotion",
    "RandomTrajectory",
    "Spin",
    "Turbulence",
    "Zoom",
    "map_of",
]

Blur = Annotated[
    RandomTrajectory
    | CameraShake6DoF
    | ObjectMotion
    | Defocus
    | Gaussian
    | LinearMotion
    | Zoom
    | Spin
    | Turbulence
    | NoBlur,
    Field(discriminator="kind"),
]


def map_of(blur: Blur) -> MapKind | None:
    """Which of a photo's own maps the effects of a kind take, by its settings (see `Completable`)."""
    found: MapKind | None = getattr(blur, "map_kind", None)
    return found
