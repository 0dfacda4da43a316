"""The loss that compares each logit with the other side's average."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from components.train.losses.adversarial import AdversarialLoss
from components.train.losses.batch_means import batch_means


class RelativisticAverageLoss(AdversarialLoss):
    """More real than the others are on average?"""

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """-log σ(D(real) - mean D(restored)) and -log(1 - σ(D(restored) - mean D(real)))."""
        average_real, average_restored = batch_means(on_real, on_restored)
        return {
            "real": F.softplus(average_restored - on_real).mean(),
            "restored": F.softplus(on_restored - average_real).mean(),
        }

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """The discriminator's loss with the roles exchanged: -log σ(D(restored) - mean D(real)) -
        log(1 - σ(D(real) - mean D(restored))).
        """
        assert on_real is not None, "a loss that compares needs the logits of the targets"
        average_real, average_restored = batch_means(on_real, on_restored)
        return F.softplus(average_real - on_restored).mean() + F.softplus(on_real - average_restored).mean()

    def accuracy(self, on_real: Tensor, on_restored: Tensor) -> tuple[Tensor, Tensor]:
        """Share of real logits above the restored ones' average, and of restored logits below the
        real ones'.
        """
        average_real, average_restored = batch_means(on_real, on_restored)
        return (on_real > average_restored).float().mean(), (on_restored < average_real).float().mean()
