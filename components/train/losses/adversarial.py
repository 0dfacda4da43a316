"""What an adversarial loss is to the step, and the losses on each logit by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

DiscriminatorFunction = Callable[[Tensor], Tensor]  # a photo to its logits


class AdversarialLoss:
    """The discriminator's terms and the generator's; the step weighs and adds them up."""

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """Terms the discriminator lowers, by name, unweighted; they are summed."""
        raise AssertionError(f"{type(self).__name__} must say what its discriminator lowers")

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """What the generator lowers, unweighted. on_real: logits of the targets, needed when the kind
        `compares`.
        """
        raise AssertionError(f"{type(self).__name__} must say what its generator lowers")

    @property
    def penalises(self) -> bool:
        """Whether there is a penalty."""
        return False

    def penalty(
        self, discriminator: DiscriminatorFunction, real: Tensor, restored: Tensor, mix: Tensor
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


class CrossEntropyLoss(AdversarialLoss):
    """real_label: what the discriminator is told of targets, above ½ to 1."""

    def __init__(self, real_label: float) -> None:
        self._real_label = real_label

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """-t log D(real) - (1 - t) log(1 - D(real)) with t the label, least at D = t; and -log(1 -
        D(restored)).
        """
        return {
            "real": (F.softplus(on_real) - self._real_label * on_real).mean(),
            "restored": F.softplus(on_restored).mean(),
        }

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """-log D(restored). Smoothing is one-sided, so it stays out of here."""
        return F.softplus(-on_restored).mean()


class LeastSquaresLoss(AdversarialLoss):
    """real_label: the value that targets should have, above ½ to 1; restored photos should have 0."""

    def __init__(self, real_label: float) -> None:
        self._real_label = real_label

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """½ (D(real) - t)² and ½ D(restored)²."""
        return {
            "real": 0.5 * (on_real - self._real_label).square().mean(),
            "restored": 0.5 * on_restored.square().mean(),
        }

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """½ (D(restored) - t)²: as real as the real ones, no more."""
        return 0.5 * (on_restored - self._real_label).square().mean()

    def _line(self, on_real: Tensor, on_restored: Tensor) -> Tensor:
        return torch.full((), self._real_label / 2, device=on_real.device)


class HingeLoss(AdversarialLoss):
    """Nothing to lower beyond the margin of 1."""

    def discriminator_terms(self, on_real: Tensor, on_restored: Tensor) -> dict[str, Tensor]:
        """max(0, 1 - D(real)) and max(0, 1 + D(restored))."""
        return {"real": F.relu(1 - on_real).mean(), "restored": F.relu(1 + on_restored).mean()}

    def generator_loss(self, on_restored: Tensor, on_real: Tensor | None = None) -> Tensor:
        """-D(restored)."""
        return -on_restored.mean()
