"""Adversarial losses on each logit by itself: cross-entropy, least squares, hinge."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.train.adversarial.part import AdversarialPart

if TYPE_CHECKING:
    from components.train.losses.adversarial import AdversarialLoss


class CrossEntropy(AdversarialPart):
    """The non-saturating GAN on logits (Goodfellow et al. 2014, sec. 3), on request with one-sided
    label smoothing.

    Accuracy: real above a logit of 0, that is probability ½, restored below.
    """

    unbounded: ClassVar[bool] = True

    kind: Literal["cross_entropy"] = "cross_entropy"
    real_label: float = Field(
        1.0,
        gt=0.5,
        le=1,
        description="what the discriminator is told of targets; 0.9 smooths (Salimans et al. 2016, sec. 3.4)",
    )

    def build(self) -> AdversarialLoss:
        """-t log D(real) - (1 - t) log(1 - D(real)), and -log(1 - D(restored)); -log D(restored)."""
        from components.train.losses.adversarial import CrossEntropyLoss

        return CrossEntropyLoss(self.real_label)


class LeastSquares(AdversarialPart):
    """Least-squares GAN with targets t and 0, t = 1 unless smoothed (Mao et al. 2017, eq. 9).

    Accuracy: real above t / 2, restored below.
    """

    kind: Literal["least_squares"] = "least_squares"
    real_label: float = Field(
        1.0,
        gt=0.5,
        le=1,
        description="label of targets, for the discriminator and for what the generator aims at",
    )

    def build(self) -> AdversarialLoss:
        """½ (D(real) - t)² and ½ D(restored)²; ½ (D(restored) - t)²."""
        from components.train.losses.adversarial import LeastSquaresLoss

        return LeastSquaresLoss(self.real_label)


class Hinge(AdversarialPart):
    """Hinge loss (Lim & Ye 2017; Miyato et al. 2018, eq. 16 and 17): who is right by a margin of 1
    is left in peace.

    Accuracy: real above a logit of 0, restored below; the margin is not asked for.
    """

    unbounded: ClassVar[bool] = True

    kind: Literal["hinge"] = "hinge"

    def build(self) -> AdversarialLoss:
        """max(0, 1 - D(real)) and max(0, 1 + D(restored)); -D(restored)."""
        from components.train.losses.adversarial import HingeLoss

        return HingeLoss()
