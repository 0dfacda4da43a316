"""Earlier restored photos for the discriminators to see again, so that they do not forget what the
generator has left behind.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from components.core.seeds import stream
from components.train.config import History


class ImagePool:
    """Up to `size` pairs (input, restored) of earlier steps (Shrivastava et al. 2017, sec. 2.3;
    with probability ½, as pix2pix's code).

    What is drawn is named by the place in training. The pool holds half precision from the start,
    so that a resumed training finds what it had.
    """

    def __init__(self, config: History, seed: int) -> None:
        self._size, self._seed = config.size, seed
        self._held: list[tuple[Tensor, Tensor]] = []

    def exchange(
        self, input: Tensor, restored: Tensor, images_seen: int, update: int
    ) -> tuple[Tensor, Tensor]:
        """Photos of the whole batch in, as many out: each is kept, and either itself or an earlier
        one is shown.
        """
        if self._held and (self._held[0][0].shape, self._held[0][1].shape) != (
            input.shape[1:],
            restored.shape[1:],
        ):
            self._held.clear()  # another crop size: a new phase
        draws = stream(self._seed, "history", images_seen, update)
        # Copies, not stacks of photos: a stack would be in the order that the discriminators are not in.
        shown_input, shown = input.clone(), restored.clone()
        for row, pair in enumerate(zip(input, restored, strict=True)):
            kept = (pair[0].half(), pair[1].half())
            if len(self._held) < self._size:
                self._held.append(kept)
            elif draws.random() < 0.5:
                place = int(draws.integers(self._size))
                shown_input[row], shown[row] = self._held[place]
                self._held[place] = kept
        return shown_input, shown

    def state(self) -> dict[str, Any]:
        """What is held, as plain tensors."""
        return {"input": [pair[0] for pair in self._held], "restored": [pair[1] for pair in self._held]}

    def load_state(self, state: dict[str, Any], device: torch.device) -> None:
        """Hold what a state held."""
        self._held = [
            (input.to(device), restored.to(device))
            for input, restored in zip(state["input"], state["restored"], strict=True)
        ]
