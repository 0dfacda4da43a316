"""Content losses on colour: of the photos seen from afar, and in the coordinates of human vision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from components.train.content.part import ContentLoss, ContentPart

if TYPE_CHECKING:
    import torch


class ColourConsistency(ContentPart):
    """Mean squared difference of the two photos behind a Gaussian blur: colour and brightness, not
    texture (DPED: Ignatov et al. 2017).

    Their paper's formula blurs by about 1.7 px and says 3; their code blurs by 4.7 px. They sum
    over pixels where this is a mean. At the photo's border the window is cut, and its weights sum
    to 1 again.
    """

    kind: Literal["colour_consistency"] = "colour_consistency"
    sigma_px: float = Field(
        3.0,
        ge=0.5,
        le=32,
        description="standard deviation of the blur; texture finer than about twice this does not count",
    )

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean (blur(restored) - blur(target))²: a cast of c everywhere costs c²."""
        from components.train.losses.colour import bell_of, smoothed
        from components.train.precision import in_float32

        bell = bell_of(self.sigma_px, device)
        # The blur is linear: one of the difference does for both.
        return in_float32(lambda restored, target: smoothed(restored - target, bell).square().mean())


class LAB(ContentPart):
    """Mean absolute difference in CIE L*a*b* (CIE 15; D65, 2° observer): steps that look alike
    count alike, brightness apart from colour.
    """

    kind: Literal["lab"] = "lab"
    lightness: float = Field(
        1.0, ge=0, description="weight of L* beside a* and b*; 0 compares the colours alone"
    )

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean over px of (lightness · |ΔL*| + |Δa*| + |Δb*|) / 100: black against white costs 1."""
        import torch

        from components.train.losses.colour import lab, xyz_matrix
        from components.train.precision import in_float32

        scales = torch.tensor([self.lightness, 1.0, 1.0], device=device).view(1, 3, 1, 1) / 100
        matrix = xyz_matrix(device)
        return in_float32(
            lambda restored, target: (
                ((lab(restored, matrix) - lab(target, matrix)).abs() * scales).sum(1).mean()
            )
        )
