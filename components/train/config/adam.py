"""The optimiser of a net: one class a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from components.core.parts import Part

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Adam(Part):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"] = "adam"
    lr: float = Field(1e-4, gt=0, le=1, description="learning rate before the phase's schedule")
    beta1: float = Field(0.5, ge=0, lt=1, description="decay of the mean gradient")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of the squared gradient")
    epsilon: float = Field(1e-8, gt=0)
    spectral_step: float | None = Field(
        0.1,
        gt=0,
        description=(
            "in a net without normalisation: most that one step may add to a layer's spectral norm (its own"
            " is about 2), which bounds the learning rate of wide layers; null: one rate for all"
        ),
    )

    def build(self, nets: Sequence[nn.Module], without_effect: Sequence[Tensor] = ()) -> torch.optim.Adam:
        """The optimiser of all weights of these nets but those on which no loss hangs."""
        from components.train.step import optimizers

        return self._built(optimizers.Adam, nets, without_effect)

    def _built(
        self,
        kind: type[torch.optim.Adam],
        nets: Sequence[nn.Module],
        without_effect: Sequence[Tensor],
        weight_decay: float = 0.0,
    ) -> torch.optim.Adam:
        from components.train.step.parameter_groups import parameter_groups

        groups = parameter_groups(
            nets,
            spectral_step=self.spectral_step,
            weight_decay=weight_decay,
            without_effect=without_effect,
        )
        return kind(groups, lr=self.lr, betas=(self.beta1, self.beta2), eps=self.epsilon, fused=True)


class AdamW(Adam):
    """Adam whose weight decay is apart from the gradient (Loshchilov & Hutter 2019). NAFNet's: lr 1e-3,
    betas 0.9 and 0.9, weight decay 1e-3; Restormer's: 3e-4, 0.9 and 0.999, 1e-4.

    Biases and scales of norms, which have one dimension, do not decay.
    """

    kind: Literal["adamw"] = "adamw"  # type: ignore[assignment]
    weight_decay: float = Field(
        1e-2, ge=0, lt=1, description="share of a weight, times the learning rate, that each step takes off"
    )

    def build(self, nets: Sequence[nn.Module], without_effect: Sequence[Tensor] = ()) -> torch.optim.Adam:
        """The optimiser of all weights of these nets but those on which no loss hangs."""
        from components.train.step import optimizers

        return self._built(optimizers.AdamW, nets, without_effect, self.weight_decay)


def _adam_unless_named(value: Any) -> Any:
    return {"kind": "adam", **value} if isinstance(value, dict) else value


# Recipes name an optimiser's settings alone where it is Adam, as there was no other.
Optimizer = Annotated[Adam | AdamW, Field(discriminator="kind"), BeforeValidator(_adam_unless_named)]
