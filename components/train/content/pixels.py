"""Content losses on pixels, on their differences to neighbours, and on their frequencies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.train.content.part import ContentLoss, ContentPart

if TYPE_CHECKING:
    import torch


class L1(ContentPart):
    """Mean absolute difference (Isola et al. 2017, eq. 3)."""

    kind: Literal["l1"] = "l1"

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean |restored - target|."""
        from torch.nn import functional as F

        return F.l1_loss


class L2(ContentPart):
    """Mean squared difference: the one that PSNR measures, and that blurs."""

    kind: Literal["l2"] = "l2"

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean (restored - target)²."""
        from torch.nn import functional as F

        return F.mse_loss


class Charbonnier(ContentPart):
    """L1, rounded at zero (Lai et al. 2017, eq. 4)."""

    kind: Literal["charbonnier"] = "charbonnier"
    epsilon: float = Field(
        1e-3, gt=0, description="half width of the rounding, in units of the photo's range"
    )

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean sqrt((restored - target)² + ε²) - ε, so that equal photos cost nothing."""
        return lambda restored, target: (
            ((restored - target).square() + self.epsilon**2).sqrt().mean() - self.epsilon
        )


class TotalVariation(ContentPart):
    """How much neighbouring pixels of the restored photo differ: calms checkerboards and noise, and
    flattens texture when heavy.

    Rudin, Osher & Fatemi 1992 in its anisotropic form: the two directions are added, not taken as a
    length, which leaves no corner in the gradient of flat areas.
    """

    compares_with_target: ClassVar[bool] = False

    kind: Literal["total_variation"] = "total_variation"

    @property
    def smallest_px(self) -> int:
        """Two pixels make a difference."""
        return 2

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean |right - left| + mean |below - above| over the restored photo; the target is not looked
        at.
        """
        from components.train.losses.pixels import variation

        return lambda restored, target: variation(restored)


class Gradient(ContentPart):
    """Mean absolute difference of the two photos' edges.

    The differences keep their sign, so an edge that runs the wrong way costs; the gradient
    difference loss of Mathieu et al. (2016, eq. 6) compares their sizes alone. A shift of
    brightness costs nothing: put a loss on pixels beside it.
    """

    kind: Literal["gradient"] = "gradient"

    @property
    def smallest_px(self) -> int:
        """Two pixels make a difference."""
        return 2

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean |∂x restored - ∂x target| + mean |∂y restored - ∂y target|."""
        from components.train.losses.pixels import variation

        return lambda restored, target: variation(restored - target)


class FFT(ContentPart):
    """Mean absolute difference of the Fourier transforms' real and imaginary parts (Cho et al.
    2021, MIMO-UNet).

    The transform is orthonormal here: noise costs the same at any crop size. The authors' code does
    not scale, so its values are sqrt(height · width) times these: its weight of 0.1 on 256 px crops
    is 25.6 here.
    """

    kind: Literal["fft"] = "fft"

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean of |Re| and |Im| of F(restored) - F(target), over all frequencies."""
        from components.train.losses.pixels import spectral_distance
        from components.train.precision import in_float32

        return in_float32(spectral_distance)
