"""What all content losses share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from components.core.parts import Part
from components.train.pretrained_weights import BackboneWeights

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

ContentLoss = Callable[["Tensor", "Tensor"], "Tensor"]
# generator, input, restored, target
StepLoss = Callable[["nn.Module", "Tensor", "Tensor", "Tensor"], "Tensor"]


class ContentPart(Part):
    """What all content losses share."""

    # False: does not look at the target, so is not zero when the two are equal.
    compares_with_target: ClassVar[bool] = True
    # True: looks at how a generator of video moves frames, so that it needs one that does.
    looks_at_flow: ClassVar[bool] = False

    weight: float = Field(1.0, gt=0, description="weight of this term in the generator's loss")

    @property
    def smallest_px(self) -> int:
        """Below this side of the photo the loss has no value."""
        return 1

    @property
    def looks_through(self) -> str:
        """In words the frozen net whose features it compares; nothing for most."""
        return ""

    def weights(self) -> BackboneWeights | None:
        """Pretrained weights it needs, None for most."""
        return None

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """The loss as a function (restored, target), both (N, 3, H, W) in [-1, 1], to a scalar: a
        mean over batch and px.

        The restored photo may stray out of the range; values and gradients stay finite.
        """
        raise AssertionError(f"{type(self).__name__} must build its loss")

    def build_for_step(self, device: torch.device, weights: Path | None) -> StepLoss:
        """The same as a step calls it: (generator, input, restored, target) to a scalar. What looks at
        more than two pictures has its own.
        """
        loss = self.build(device, weights)
        return lambda generator, input, restored, target: loss(restored, target)
