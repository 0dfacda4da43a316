"""What all generators share: their fields at test time, and how a body's output becomes a photo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from components.core.parts import Part
from components.core.seeds import seed_of
from components.nets.layers import Batch, Instance, Norm

Head = Literal["clamped_residual", "direct", "added_residual", "seed_blend", "seed_blend_half"]
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


class GeneratorPart(Part):
    """What all generators share."""

    norm: Norm = Field(Instance(), description="normalisation behind each inner convolution")
    test_time_dropout: bool = Field(
        False,
        description=(
            "keep dropout on when restoring, the noise of pix2pix and DeblurGAN; a photo is still restored"
            " the same each time"
        ),
    )
    test_time_statistics: Literal["running", "photo"] = Field(
        "running",
        description=(
            "what batch normalisation uses when restoring: the training's running means, or the photo's own"
            " (the official pix2pix)"
        ),
    )

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this, in px."""
        return 1

    @property
    def smallest_px(self) -> int:
        """Least height and width of the input, in px."""
        return self.stride

    @property
    def scale(self) -> int:
        """Side of the output over side of the input."""
        return 1

    @property
    def dropout_anywhere(self) -> float:
        """Probability of the dropout layers it builds, 0 when it builds none."""
        return 0.0

    def build(self, seed: int) -> nn.Module:
        """The net with its first weights, drawn from (seed, "generator"); works on torch's meta
        device too.

        Takes (N, 3, H, W) in [-1, 1], gives (N, 3, scale · H, scale · W) in about [-1, 1].
        """
        raise AssertionError(f"{type(self).__name__} must build its net")

    @model_validator(mode="after")
    def _test_time_means_something(self) -> Self:
        if self.test_time_dropout and self.dropout_anywhere == 0:
            raise ValueError(
                "test_time_dropout is on, yet this generator has no dropout: set dropout above 0 where the"
                " kind has it, or leave test_time_dropout out"
            )
        if self.test_time_statistics == "photo" and not isinstance(self.norm, Batch):
            raise ValueError(
                f"test_time_statistics: photo is for batch normalisation, and norm is {self.norm.kind}: set"
                " norm to batch, or leave test_time_statistics out"
            )
        return self


def weight_source(seed: int) -> torch.Generator:
    """The random numbers of a generator's first weights: the same on any machine."""
    return torch.Generator().manual_seed(seed_of(seed, "generator"))


class Headed(nn.Module):
    """A body and the way its output is joined with the photo."""

    def __init__(self, body: nn.Module, head: Head) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], same out; only `added_residual` can leave the range."""
        return HEADS[self.head](x_NCHW, self.body(x_NCHW))

    def extra_repr(self) -> str:
        """What printing the net shows."""
        return f"head={self.head}"
