"""The content losses, one class a kind: how far a restored photo is from its target. Several at
once, each with its weight.

The union `Content` is the registry: a new kind is a class in one of these files and a word in it.
What of their arithmetic needs more than a line is in ../losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from components.train.content.colour import LAB, ColourConsistency
from components.train.content.part import ContentLoss, ContentPart
from components.train.content.perceptual import LPIPS, Perceptual
from components.train.content.pixels import FFT, L1, L2, Charbonnier, Gradient, TotalVariation
from components.train.content.structure import MSSSIM, SSIM
from components.train.content.video import Photometric

Content = Annotated[
    L1
    | L2
    | Charbonnier
    | Perceptual
    | LPIPS
    | SSIM
    | MSSSIM
    | TotalVariation
    | ColourConsistency
    | LAB
    | Gradient
    | FFT
    | Photometric,
    Field(discriminator="kind"),
]


def named(parts: Sequence[Content], before: str = "") -> tuple[str, ...]:
    """A name for each of them: its kind, numbered when a kind comes twice. before: what each begins with."""
    kinds = [part.kind for part in parts]
    return tuple(
        before + (kind if kinds.count(kind) == 1 else f"{kind}_{kinds[:index].count(kind) + 1}")
        for index, kind in enumerate(kinds)
    )


__all__ = [
    "FFT",
    "L1",
    "L2",
    "LAB",
    "LPIPS",
    "MSSSIM",
    "SSIM",
    "Charbonnier",
    "ColourConsistency",
    "Content",
    "ContentLoss",
    "ContentPart",
    "Gradient",
    "Perceptual",
    "Photometric",
    "TotalVariation",
    "named",
]
