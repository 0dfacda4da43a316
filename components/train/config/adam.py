"""The optimiser of a net."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from components.core.parts import Part

if TYPE_CHECKING:
    import torch
    from torch import nn


class Adam(Part):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"] = "adam"
    lr: float = Field(1e-4, gt=0, le=1, description="learning rate before the phase's schedule")
    beta1: float = Field(0.5, ge=0, lt=1, description="decay of the mean gradient")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of the squared gradient")
    epsilon: float = Field(1e-8, gt=0)

    def build(self, nets: Sequence[nn.Module]) -> torch.optim.Adam:
        """The optimiser of all weights of these nets."""
        import torch

        parameters = [parameter for net in nets for parameter in net.parameters()]
        return torch.optim.Adam(
            parameters, lr=self.lr, betas=(self.beta1, self.beta2), eps=self.epsilon, fused=True
        )
