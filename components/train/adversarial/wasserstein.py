"""Adversarial losses of a critic, which measures a distance: with clipped weights, or with a gradient
penalty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from components.train.adversarial.part import AdversarialPart

if TYPE_CHECKING:
    from components.train.losses.adversarial import AdversarialLoss


class Wasserstein(AdversarialPart):
    """Wasserstein critic (Arjovsky et al. 2017, algorithm 1), written as Keras codes do: the mean
    of label · D, labels 1 and -1.

    Without `clip` nothing keeps the critic's slope in bounds, and its values measure no distance
    (the Keras DeblurGAN trains so).
    Accuracy: share on their own side of the middle between the batch's two means.
    """

    critic: ClassVar[bool] = True
    compares_alone: ClassVar[bool] = True

    kind: Literal["wasserstein"] = "wasserstein"
    real_label: Literal[1, -1] = Field(
        -1,
        description=(
            "-1: the critic is high on targets, as in the paper; 1: low on them, as the Keras DeblurGAN"
            " has it"
        ),
    )
    clip: float | None = Field(
        None,
        gt=0,
        description="every weight is kept within ± this after each of the critic's steps; 0.01 in the paper",
    )

    @field_validator("real_label", mode="before")
    @classmethod
    def _a_sign(cls, value: Any) -> Any:
        if value not in (1, -1):
            raise ValueError(
                f"real_label is -1 (the paper) or 1 (the Keras DeblurGAN), got {value!r}: a label of 0"
                " multiplies the judgement away, so that its photos give no gradient and a critic of"
                " constant 0 is as good as any"
            )
        return int(value)

    def build(self) -> AdversarialLoss:
        """label · D(real) and -label · D(restored); label · D(restored)."""
        from components.train.losses.wasserstein import WassersteinLoss

        return WassersteinLoss(self.real_label, self.clip)


class WGANGP(AdversarialPart):
    """Wasserstein critic with gradient penalty (Gulrajani et al. 2017, eq. 3).

    Accuracy: share on their own side of the middle between the batch's two means.
    """

    critic: ClassVar[bool] = True
    compares_alone: ClassVar[bool] = True

    kind: Literal["wgan_gp"] = "wgan_gp"
    penalty_weight: float = Field(10.0, ge=0, description="weight of the gradient penalty, λ in the paper")

    def build(self) -> AdversarialLoss:
        """-D(real), D(restored) and the penalty; -D(restored)."""
        from components.train.losses.wasserstein import WGANGPLoss

        return WGANGPLoss(self.penalty_weight)
