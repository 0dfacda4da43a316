"""The content loss of a net that moves frames onto each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.train.content.part import ContentLoss, ContentPart, StepLoss

if TYPE_CHECKING:
    import torch


class Photometric(ContentPart):
    """How much a window's neighbours, moved onto the middle frame, still differ from it; and how uneven
    the flow is that moves them (Yu, Harley & Derpanis 2016, eq. 1 to 3: unsupervised flow).

    It looks at the input frames, as the flow does when it restores, and trains the flow net alone.
    """

    compares_with_target: ClassVar[bool] = False
    looks_at_flow: ClassVar[bool] = True

    kind: Literal["photometric"] = "photometric"
    epsilon: float = Field(
        1e-2, gt=0, description="half width of the rounding at zero, in units of the photo's range"
    )
    smoothness: float = Field(
        0.02, ge=0, description="weight of the mean difference of neighbouring flows, a px of the flow's size"
    )

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """It has no value for two pictures: a step builds it by `build_for_step`."""
        raise AssertionError("photometric looks at a generator's flow, not at two pictures")

    def build_for_step(self, device: torch.device, weights: Path | None) -> StepLoss:
        """mean sqrt((moved - middle)² + ε²) - ε over neighbours and px, in float32, plus the unevenness."""
        from components.train.losses.flow import photometric_loss

        return lambda generator, input, restored, target: photometric_loss(
            generator, input, self.epsilon, self.smoothness
        )
