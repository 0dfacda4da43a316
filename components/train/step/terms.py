"""What goes into a step and what comes out of it."""

from __future__ import annotations

from torch import Tensor

Batch = tuple[Tensor, Tensor]  # input and target, one worker's photos of one update
WeightedTerm = tuple[str, float, Tensor]  # name, weight, value with its graph
Terms = dict[str, Tensor]  # losses and their like by name, 0-dim, on the device
