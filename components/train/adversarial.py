"""The adversarial losses, one class a kind. Each gives the discriminator's terms and the generator's; step.py adds them up.

Logits have any shape; every loss is a mean over the batch, so a batch of two equals the mean of two batches of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from components.core.parts import Part

Judge = Callable[[Tensor], Tensor]


class AdversarialPart(Part):
    """What all adversarial losses share."""

    weight: float = Field(1.0, gt=0, description="weight of the adversarial term in the generator's loss")

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """Terms the discriminator lowers, by name; they are summed."""
        raise AssertionError(f"{type(self).__name__} must say what its discriminator lowers")

    def generator_loss(self, on_restored: Tensor) -> Tensor:
        """What the generator lowers, unweighted."""
        raise AssertionError(f"{type(self).__name__} must say what its generator lowers")

    def penalty(self, judge: Judge, real: Tensor, restored: Tensor, mix: Tensor) -> Tensor | None:
        """A regulariser of the discriminator, or None. mix: one number in [0, 1] per sample."""
        return None

    def accuracy(self, on_real: Tensor, on_restored: Tensor) -> tuple[Tensor, Tensor]:
        """Share of real, and of restored, logits on their own side of the line between the two."""
        line = self._line(on_real, on_restored)
        return (on_real > line).float().mean(), (on_restored < line).float().mean()

    def _line(self, on_real: Tensor, on_restored: Tensor) -> Tensor:
        return torch.zeros((), device=on_real.device)


class CrossEntropy(AdversarialPart):
    """The non-saturating GAN on logits (Goodfellow et al. 2014, sec. 3)."""

    kind: Literal["cross_entropy"] = "cross_entropy"

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """-log D(real) and -log(1 - D(restored))."""
        return {"real": F.softplus(-on_real).mean(), "restored": F.softplus(on_restored).mean()}

    def generator_loss(self, on_restored: Tensor) -> Tensor:
        """-log D(restored)."""
        return F.softplus(-on_restored).mean()


class LeastSquares(AdversarialPart):
    """Least-squares GAN with targets 1 and 0 (Mao et al. 2017, eq. 9)."""

    kind: Literal["least_squares"] = "least_squares"

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """½ (D(real) - 1)² and ½ D(restored)²."""
        return {"real": 0.5 * (on_real - 1).square().mean(), "restored": 0.5 * on_restored.square().mean()}

    def generator_loss(self, on_restored: Tensor) -> Tensor:
        """½ (D(restored) - 1)²."""
        return 0.5 * (on_restored - 1).square().mean()

    def _line(self, on_real: Tensor, on_restored: Tensor) -> Tensor:
        return torch.full((), 0.5, device=on_real.device)


class WGANGP(AdversarialPart):
    """Wasserstein critic with gradient penalty (Gulrajani et al. 2017, eq. 3)."""

    kind: Literal["wgan_gp"] = "wgan_gp"
    penalty_weight: float = Field(10.0, ge=0, description="weight of the gradient penalty, λ in the paper")

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """-D(real) and D(restored): the negated Wasserstein estimate."""
        return {"real": -on_real.mean(), "restored": on_restored.mean()}

    def generator_loss(self, on_restored: Tensor) -> Tensor:
        """-D(restored)."""
        return -on_restored.mean()

    def penalty(self, judge: Judge, real: Tensor, restored: Tensor, mix: Tensor) -> Tensor | None:
        """λ (‖∇D(x̂)‖₂ - 1)², x̂ between real and restored, the norm over the whole of each sample.

        In float32 whatever the precision of the rest: the square of a small bfloat16 gradient is mostly rounding.
        """
        if self.penalty_weight == 0:
            return None
        share = mix.view(-1, *[1] * (real.dim() - 1)).to(real)
        with torch.autocast(real.device.type, enabled=False):
            between = (share * real.float() + (1 - share) * restored.detach().float()).requires_grad_()
            # Summed logits: each sample's gradient is its own. Averaged over the patches, so that the slope is that of one judgement.
            logits = judge(between)
            score = logits.flatten(1).mean(1).sum()
            (slope,) = torch.autograd.grad(score, between, create_graph=True)
            lengths: Tensor = slope.flatten(1).norm(2, dim=1)
            return self.penalty_weight * (lengths - 1).square().mean()

    def _line(self, on_real: Tensor, on_restored: Tensor) -> Tensor:
        return (on_real.mean() + on_restored.mean()) / 2


Adversarial = Annotated[CrossEntropy | LeastSquares | WGANGP, Field(discriminator="kind")]
