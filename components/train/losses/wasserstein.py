"""A critic's losses: means of its values, its clipped weights, its gradient penalty."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from components.train.compiled import slope
from components.train.losses.adversarial import AdversarialLoss, DiscriminatorFunction
from components.train.losses.batch_means import batch_means


class WassersteinLoss(AdversarialLoss):
    """real_label: -1 keeps the critic high on targets, 1 low. clip: every weight is kept within ± this."""

    def __init__(self, real_label: int, clip: float | None) -> None:
        self._real_label, self._clip = real_label, clip

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """label · D(real) and -label · D(restored)."""
        return {"real": self._real_label * on_real.mean(), "restored": -self._real_label * on_restored.mean()}

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """label · D(restored): toward where the critic keeps the targets."""
        return self._real_label * on_restored.mean()

    @torch.no_grad()
    def constrain(self, parameters: Iterable[Tensor]) -> None:
        """Cut every weight to ± clip."""
        if self._clip is not None:
            weights = list(parameters)
            torch._foreach_clamp_min_(weights, -self._clip)
            torch._foreach_clamp_max_(weights, self._clip)

    def accuracy(self, on_real: Tensor, on_restored: Tensor) -> tuple[Tensor, Tensor]:
        """Share on their own side, whichever side the label gives to the targets."""
        return super().accuracy(-self._real_label * on_real, -self._real_label * on_restored)

    def _line(self, on_real: Tensor, on_restored: Tensor) -> Tensor:
        return batch_means(on_real, on_restored).mean()


# Slopes of a critic that learns stay below 3; a flat crop under instance normalisation has 10² to 10⁷.
LONGEST_SQUARED = 10.0


def _off_one(lengths: Tensor) -> Tensor:
    """(length - 1)², from LONGEST_SQUARED on its logarithm with the same slope there: one crop without
    structure, which instance normalisation divides by next to nothing, is not the loss of the night.
    """
    longest = LONGEST_SQUARED
    beyond = (longest - 1) ** 2 + 2 * (longest - 1) * longest * (lengths.clamp_min(longest) / longest).log()
    return torch.where(lengths <= longest, (lengths - 1).square(), beyond)


class WGANGPLoss(AdversarialLoss):
    """penalty_weight: of the gradient penalty, λ in the paper."""

    def __init__(self, penalty_weight: float) -> None:
        self._penalty_weight = penalty_weight

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """-D(real) and D(restored): the negated Wasserstein estimate."""
        return {"real": -on_real.mean(), "restored": on_restored.mean()}

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """-D(restored)."""
        return -on_restored.mean()

    @property
    def penalises(self) -> bool:
        """Whether it has any weight."""
        return self._penalty_weight != 0

    def penalty(
        self, discriminator: DiscriminatorFunction, real: Tensor, restored: Tensor, mix: Tensor
    ) -> Tensor | None:
        """λ (‖∇D(x̂)‖₂ - 1)², beyond a slope of 10 its logarithm; x̂ between real and
        restored, the norm over the whole of each sample.

        The critic works in the precision around it, the slope's length is taken in float32. In
        bfloat16 lengths are those of float32 to half a percent, and the weights' gradient points
        where float32's does (cosine above 0.99 in every layer of a critic in training).
        """
        if not self.penalises:
            return None
        mixed = mix.view(-1, *[1] * (real.dim() - 1)).to(real)
        between = mixed * real.float() + (1 - mixed) * restored.detach().float()
        # Summed logits: each sample's gradient is its own. Averaged over the patches, so that
        # the slope is that of one logit.
        found = slope(lambda photo: discriminator(photo).float().flatten(1).mean(1).sum(), between)
        found = found.float()
        lengths: Tensor = torch.linalg.vector_norm(found, dim=list(range(1, found.dim())))
        return self._penalty_weight * _off_one(lengths).mean()

    def _line(self, on_real: Tensor, on_restored: Tensor) -> Tensor:
        return batch_means(on_real, on_restored).mean()
