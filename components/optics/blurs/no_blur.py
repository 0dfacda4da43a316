"""No blur at all: a share of sharp inputs teaches a model to leave sharp photos alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Effect, Kernel


class NoBlur(Part):
    """Light goes where it went. Noise and JPEG still apply."""

    kind: Literal["none"] = "none"
    weight: float = Field(1.0, gt=0, description="share of the pairs, relative to the other blurs")

    @property
    def largest_px(self) -> int:
        """No side of a kernel is longer than this."""
        return 1

    def draw(self, rngs: Sequence[np.random.Generator]) -> list[Effect]:
        """The kernel of one pixel, once per generator; nothing is drawn from them."""
        return [Kernel(np.ones((1, 1), np.float32)) for _ in rngs]
