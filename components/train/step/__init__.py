"""One step of a training: what changes the weights once. `GanStep` composes it."""

from __future__ import annotations

from components.train.step.gan_step import GanStep

__all__ = ["GanStep"]
