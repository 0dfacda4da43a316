"""The adversarial losses, one class a kind. Each gives the discriminator's terms and the
generator's; step.py weighs and adds them up.

Logits have any shape. Every loss is a mean over the batch, so a batch of two equals the mean of two
batches of one; only the relativistic loss judges each photo beside the batch's mean, over all
workers together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F

from components.core.parts import Part
from components.nets.modules.over_workers import mean_over_workers, worker_count

DiscriminatorNet = Callable[[Tensor], Tensor]


class AdversarialPart(Part):
    """What all adversarial losses share."""

    compares: ClassVar[bool] = False  # whether generator_loss needs the judgement of the sharp photos too
    critic: ClassVar[bool] = False  # measures a distance: being sure of every photo is no sign of ill health
    unbounded: ClassVar[bool] = (
        # needs judgements of either sign and any size, which a discriminator that ends in a sigmoid
        # has not
        False
    )

    weight: float = Field(1.0, gt=0, description="weight of the adversarial term in the generator's loss")
    discriminator_weight: float = Field(
        1.0,
        gt=0,
        description=(
            "what the discriminator's summed terms, but no penalty, are multiplied by; 0.5 in the official"
            " pix2pix. Adam hardly notices"
        ),
    )

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """Terms the discriminator lowers, by name, unweighted; they are summed."""
        raise AssertionError(f"{type(self).__name__} must say what its discriminator lowers")

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """What the generator lowers, unweighted. on_real: logits of the sharp photos, needed when
        the kind `compares`.
        """
        raise AssertionError(f"{type(self).__name__} must say what its generator lowers")

    def penalty(
        self, discriminator: DiscriminatorNet, real: Tensor, restored: Tensor, mix: Tensor
    ) -> Tensor | None:
        """A regulariser of the discriminator, or None. mix: one number in [0, 1] per sample."""
        return None

    def constrain(self, parameters: Iterable[Tensor]) -> None:
        """Bring the discriminator's weights back to where they may be, after each of its steps.
        Most kinds let them be.
        """

    def accuracy(self, on_real: Tensor, on_restored: Tensor) -> tuple[Tensor, Tensor]:
        """Share of real, and of restored, logits on their own side of the line between the two, 0
        to 1 each.
        """
        line = self._line(on_real, on_restored)
        return (on_real > line).float().mean(), (on_restored < line).float().mean()

    def _line(self, on_real: Tensor, on_restored: Tensor) -> Tensor:
        return torch.zeros((), device=on_real.device)


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
        description=(
            "what the discriminator is told of sharp photos; 0.9 smooths (Salimans et al. 2016, sec. 3.4)"
        ),
    )

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """-t log D(real) - (1 - t) log(1 - D(real)) with t the label, least at D = t; and -log(1 -
        D(restored)).
        """
        return {
            "real": (F.softplus(on_real) - self.real_label * on_real).mean(),
            "restored": F.softplus(on_restored).mean(),
        }

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """-log D(restored). Smoothing is one-sided, so it stays out of here."""
        return F.softplus(-on_restored).mean()


class LeastSquares(AdversarialPart):
    """Least-squares GAN with targets t and 0, t = 1 unless smoothed (Mao et al. 2017, eq. 9).

    Accuracy: real above t / 2, restored below.
    """

    kind: Literal["least_squares"] = "least_squares"
    real_label: float = Field(
        1.0,
        gt=0.5,
        le=1,
        description="target of sharp photos, for the discriminator and for what the generator aims at",
    )

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """½ (D(real) - t)² and ½ D(restored)²."""
        return {
            "real": 0.5 * (on_real - self.real_label).square().mean(),
            "restored": 0.5 * on_restored.square().mean(),
        }

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """½ (D(restored) - t)²: as real as the real ones, no more."""
        return 0.5 * (on_restored - self.real_label).square().mean()

    def _line(self, on_real: Tensor, on_restored: Tensor) -> Tensor:
        return torch.full((), self.real_label / 2, device=on_real.device)


class Hinge(AdversarialPart):
    """Hinge loss (Lim & Ye 2017; Miyato et al. 2018, eq. 16 and 17): who is right by a margin of 1
    is left in peace.

    Accuracy: real above a logit of 0, restored below; the margin is not asked for.
    """

    unbounded: ClassVar[bool] = True

    kind: Literal["hinge"] = "hinge"

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """max(0, 1 - D(real)) and max(0, 1 + D(restored))."""
        return {"real": F.relu(1 - on_real).mean(), "restored": F.relu(1 + on_restored).mean()}

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """-D(restored)."""
        return -on_restored.mean()


class Wasserstein(AdversarialPart):
    """Wasserstein critic (Arjovsky et al. 2017, algorithm 1), written as Keras codes do: the mean
    of label · D, labels 1 and -1.

    Without `clip` nothing keeps the critic's slope in bounds, and its values measure no distance
    (the Keras DeblurGAN trains so).
    Accuracy: share on their own side of the middle between the batch's two means.
    """

    critic: ClassVar[bool] = True

    kind: Literal["wasserstein"] = "wasserstein"
    real_label: Literal[1, -1] = Field(
        -1,
        description=(
            "-1: the critic is high on sharp photos, as in the paper; 1: low on them, as the Keras DeblurGAN"
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

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """label · D(real) and -label · D(restored)."""
        return {"real": self.real_label * on_real.mean(), "restored": -self.real_label * on_restored.mean()}

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """label · D(restored): toward where the critic keeps the sharp photos."""
        return self.real_label * on_restored.mean()

    @torch.no_grad()
    def constrain(self, parameters: Iterable[Tensor]) -> None:
        """Cut every weight to ± clip."""
        if self.clip is not None:
            weights = list(parameters)
            torch._foreach_clamp_min_(weights, -self.clip)
            torch._foreach_clamp_max_(weights, self.clip)

    def accuracy(self, on_real: Tensor, on_restored: Tensor) -> tuple[Tensor, Tensor]:
        """Share on their own side, whichever side the label gives to the sharp photos."""
        return super().accuracy(-self.real_label * on_real, -self.real_label * on_restored)

    def _line(self, on_real: Tensor, on_restored: Tensor) -> Tensor:
        return _batch_means(on_real, on_restored).mean()


class WGANGP(AdversarialPart):
    """Wasserstein critic with gradient penalty (Gulrajani et al. 2017, eq. 3).

    Accuracy: share on their own side of the middle between the batch's two means.
    """

    critic: ClassVar[bool] = True

    kind: Literal["wgan_gp"] = "wgan_gp"
    penalty_weight: float = Field(10.0, ge=0, description="weight of the gradient penalty, λ in the paper")

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """-D(real) and D(restored): the negated Wasserstein estimate."""
        return {"real": -on_real.mean(), "restored": on_restored.mean()}

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """-D(restored)."""
        return -on_restored.mean()

    def penalty(
        self, discriminator: DiscriminatorNet, real: Tensor, restored: Tensor, mix: Tensor
    ) -> Tensor | None:
        """λ (‖∇D(x̂)‖₂ - 1)², x̂ between real and restored, the norm over the whole of each sample.

        In float32 whatever the precision of the rest: the square of a small bfloat16 gradient is
        mostly rounding.
        """
        if self.penalty_weight == 0:
            return None
        mixed = mix.view(-1, *[1] * (real.dim() - 1)).to(real)
        with torch.autocast(real.device.type, enabled=False):
            between = (mixed * real.float() + (1 - mixed) * restored.detach().float()).requires_grad_()
            # Summed logits: each sample's gradient is its own. Averaged over the patches, so that
            # the slope is that of one judgement.
            logits = discriminator(between)
            score = logits.flatten(1).mean(1).sum()
            (slope,) = torch.autograd.grad(score, between, create_graph=True)
            lengths: Tensor = slope.flatten(1).norm(2, dim=1)
            return self.penalty_weight * (lengths - 1).square().mean()

    def _line(self, on_real: Tensor, on_restored: Tensor) -> Tensor:
        return _batch_means(on_real, on_restored).mean()


class RelativisticAverage(AdversarialPart):
    """Relativistic average GAN (Jolicoeur-Martineau 2018; ESRGAN: Wang et al. 2018): is this more
    real than the others are on average?

    The average is over the whole batch and all patches, so a batch of two is more than two batches
    of one. ESRGAN halves the generator's sum: halve `weight` when taking its figure over.
    Accuracy: real above the restored photos' average, restored below the real ones'.
    """

    compares: ClassVar[bool] = True
    unbounded: ClassVar[bool] = True

    kind: Literal["relativistic_average"] = "relativistic_average"

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """-log σ(D(real) - mean D(restored)) and -log(1 - σ(D(restored) - mean D(real)))."""
        average_real, average_restored = _batch_means(on_real, on_restored)
        return {
            "real": F.softplus(average_restored - on_real).mean(),
            "restored": F.softplus(on_restored - average_real).mean(),
        }

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """The discriminator's loss with the roles exchanged: -log σ(D(restored) - mean D(real)) -
        log(1 - σ(D(real) - mean D(restored))).
        """
        assert on_real is not None, "a loss that compares needs the judgement of the sharp photos"
        average_real, average_restored = _batch_means(on_real, on_restored)
        return F.softplus(average_real - on_restored).mean() + F.softplus(on_real - average_restored).mean()

    def accuracy(self, on_real: Tensor, on_restored: Tensor) -> tuple[Tensor, Tensor]:
        """Share of real logits above the restored ones' average, and of restored logits below the
        real ones'.
        """
        average_real, average_restored = _batch_means(on_real, on_restored)
        return (on_real > average_restored).float().mean(), (on_restored < average_real).float().mean()


def _batch_means(on_real: Tensor, on_restored: Tensor) -> Tensor:
    """The two means over the batch of all workers together, (2,), with their graph: worker count
    changes no result.
    """
    means = torch.stack([on_real.mean(), on_restored.mean()])
    return mean_over_workers(means, worker_count())


Adversarial = Annotated[
    CrossEntropy | LeastSquares | Hinge | Wasserstein | WGANGP | RelativisticAverage,
    Field(discriminator="kind"),
]
