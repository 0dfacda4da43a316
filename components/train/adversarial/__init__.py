"""The adversarial losses, one class a kind: what the discriminators lower, and what the generator
lowers through them.

The union `Adversarial` is the registry: a new kind is a class in one of these files and a word in it.
Their arithmetic, which needs torch, is in ../losses.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.train.adversarial.logits import CrossEntropy, Hinge, LeastSquares
from components.train.adversarial.part import AdversarialPart
from components.train.adversarial.relativistic import RelativisticAverage
from components.train.adversarial.wasserstein import WGANGP, Wasserstein

Adversarial = Annotated[
    CrossEntropy | LeastSquares | Hinge | Wasserstein | WGANGP | RelativisticAverage,
    Field(discriminator="kind"),
]

__all__ = [
    "WGANGP",
    "Adversarial",
    "AdversarialPart",
    "CrossEntropy",
    "Hinge",
    "LeastSquares",
    "RelativisticAverage",
    "Wasserstein",
]
