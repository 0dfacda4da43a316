"""How a generator's body becomes a photo."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from components.nets.choices import Head

HEADS: dict[Head, Callable[[Tensor, Tensor], Tensor]] = {
    # The net learns what to change (DeblurGAN's --learn_residual).
    "clamped_residual": lambda photo, body: torch.clamp(photo + torch.tanh(body), -1.0, 1.0),
    # The net paints the whole photo.
    "direct": lambda photo, body: torch.tanh(body),
    # Not bounded: the gradient never dies at the ends of the range; whoever saves the photo clips
    # it.
    "added_residual": lambda photo, body: photo + body,
    # The Keras guide's: no residual, since the photo counts a third; to leave it as it is the net
    # must paint it.
    "seed_blend": lambda photo, body: (2.0 * torch.tanh(body) + photo) / 3.0,
    # The same in the Keras repository's later code.
    "seed_blend_half": lambda photo, body: (torch.tanh(body) + photo) / 2.0,
}


def middle_frame(window_NCHW: Tensor) -> Tensor:
    """The frame that a window is about: (N, 3 T, H, W), T odd, to (N, 3, H, W); a photo is its own."""
    first = window_NCHW.shape[1] // 6 * 3
    return window_NCHW[:, first : first + 3]


class Headed(nn.Module):
    """A body and the way its output is joined with the photo."""

    def __init__(self, body: nn.Module, head: Head) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3 T, H, W) in [-1, 1], T frames of a window or one photo, to (N, 3, H, W); only
        `added_residual` can leave the range.
        """
        return HEADS[self.head](middle_frame(x_NCHW), self.body(x_NCHW))

    def extra_repr(self) -> str:
        """What printing the net shows."""
        return f"head={self.head}"
