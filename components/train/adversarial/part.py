"""What all adversarial losses share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from components.core.parts import Part

if TYPE_CHECKING:
    from components.train.losses.adversarial import AdversarialLoss


class AdversarialPart(Part):
    """What all adversarial losses share."""

    compares: ClassVar[bool] = False  # whether the generator's loss needs the logits of the targets too
    critic: ClassVar[bool] = False  # measures a distance: being sure of every photo is no sign of ill health
    # Needs logits of either sign and any size, which a discriminator that ends in a sigmoid has not.
    unbounded: ClassVar[bool] = False
    # No loss changes when all logits rise alike: the bias that they end in is never told anything.
    compares_alone: ClassVar[bool] = False

    weight: float = Field(1.0, gt=0, description="weight of the adversarial term in the generator's loss")
    discriminator_weight: float = Field(
        1.0,
        gt=0,
        description=(
            "what the discriminator's summed terms, but no penalty, are multiplied by; 0.5 in the official"
            " pix2pix. Adam hardly notices"
        ),
    )

    def build(self) -> AdversarialLoss:
        """The loss: its terms for the discriminators and for the generator, unweighted."""
        raise AssertionError(f"{type(self).__name__} must build its loss")
