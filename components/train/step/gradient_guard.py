"""Gradients before an optimiser steps on them: the too long are shortened, and a step with a wild one
is left out. All of it stays on the device: no step waits for a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from components.train.config import Gradients
from components.train.step.terms import Terms

# Norms of the phase that must be known before anything is measured by their median.
LEAST_NORMS = 5
UNKNOWN = -1.0


class GradientGuard:
    """Watches the nets of one optimiser, each against its own running median."""

    def __init__(self, config: Gradients, nets: Sequence[nn.Module], device: torch.device) -> None:
        self._config, self._weights = config, [list(net.parameters()) for net in nets]
        self._norms = torch.full((len(nets), config.window), UNKNOWN, device=device)
        self._phase, self._known = "", 0

    def begin(self, phase: str) -> None:
        """A step of the phase of that name follows: another phase has gradients of its own length."""
        if phase != self._phase:
            self._phase, self._known = phase, 0
            self._norms.fill_(UNKNOWN)

    @torch.no_grad()
    def __call__(self, norms: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> list[Terms]:
        """Shorten the gradients of each net, and tell the optimiser whether to step.

        norms: of each net's gradient over all workers. Gives for each net: gradient_norm as it came,
        clipped and skipped, 0 or 1.
        """
        skip = torch.zeros((), dtype=torch.bool, device=self._norms.device)
        found = []
        for place, (weights, norm) in enumerate(zip(self._weights, norms, strict=True)):
            longest, wild = self._limits(place)
            factor = (longest / norm).clamp_max(1.0)  # exactly 1 where nothing is to be done
            if not _unlimited(self._config) and not _is_known_to_be_one(factor):
                gradients = [weight.grad for weight in weights if weight.grad is not None]
                torch._foreach_mul_(gradients, factor)
            beyond = ~torch.isfinite(norm) | (norm > wild)
            skip |= beyond
            self._norms[place, self._known % self._config.window] = norm.where(norm.isfinite(), UNKNOWN)
            found.append({"gradient_norm": norm, "clipped": (factor < 1).float(), "skipped": beyond.float()})
        self._known += 1
        # What torch's fused optimisers look at before they change anything (its GradScaler sets it).
        optimizer.found_inf = skip.float()  # type: ignore[attr-defined]
        return found

    def _limits(self, place: int) -> tuple[Tensor, Tensor]:
        """The norms from which a net's gradient is shortened, and its step skipped."""
        config, endless = self._config, torch.full((), torch.inf, device=self._norms.device)
        longest = endless if config.clip_norm is None else endless.clamp_max(config.clip_norm)
        if self._known < LEAST_NORMS:
            return longest, endless
        norms = self._norms[place]
        median = norms.where(norms >= 0, torch.nan).nanmedian()
        median = median.where(median > 0, endless)
        if config.clip_times is not None:
            longest = torch.minimum(longest, config.clip_times * median)
        return longest, endless if config.skip_times is None else config.skip_times * median

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {"phase": self._phase, "known": self._known, "norms": self._norms.clone()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self._phase, self._known = state["phase"], state["known"]
        self._norms.copy_(state["norms"])


def _unlimited(config: Gradients) -> bool:
    return config.clip_norm is None and config.clip_times is None


def _is_known_to_be_one(factor: Tensor) -> bool:
    """A GPU is not asked: the step would wait for its answer."""
    return factor.device.type == "cpu" and bool(factor == 1)
