"""The adversarial loss that compares real and restored photos with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from components.train.adversarial.part import AdversarialPart

if TYPE_CHECKING:
    from components.train.losses.adversarial import AdversarialLoss


class RelativisticAverage(AdversarialPart):
    """Relativistic average GAN (Jolicoeur-Martineau 2018; ESRGAN: Wang et al. 2018): is this more
    real than the others are on average?

    The average is over the whole batch and all patches, so a batch of two is more than two batches
    of one. ESRGAN halves the generator's sum: halve `weight` when taking its figure over.
    Accuracy: real above the restored photos' average, restored below the real ones'.
    """

    compares: ClassVar[bool] = True
    unbounded: ClassVar[bool] = True
    compares_alone: ClassVar[bool] = True

    kind: Literal["relativistic_average"] = "relativistic_average"

    def build(self) -> AdversarialLoss:
        """Cross-entropy of D(real) - mean D(restored) and D(restored) - mean D(real); the same with
        the roles exchanged.
        """
        from components.train.losses.relativistic import RelativisticAverageLoss

        return RelativisticAverageLoss()
