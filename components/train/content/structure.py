"""Content losses on local structure: SSIM and its five-scale form, with the window and constants of
the metric `ssim_gauss11_rgb`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from components.metrics.ssim import WINDOW_PX
from components.train.content.part import ContentLoss, ContentPart

if TYPE_CHECKING:
    import torch


SCALES = 5  # of Wang et al. 2003


class SSIM(ContentPart):
    """One minus the structural similarity (Wang et al. 2004, eq. 13; as a loss Zhao et al. 2017)."""

    kind: Literal["ssim"] = "ssim"

    @property
    def smallest_px(self) -> int:
        """One window."""
        return WINDOW_PX

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """1 - mean SSIM over windows wholly inside and channels: 0 for equal photos, at most 2."""
        from components.train.losses.structure import similarity, window_column
        from components.train.precision import in_float32

        column = window_column(device)
        return in_float32(
            lambda restored, target: 1 - similarity((restored + 1) / 2, (target + 1) / 2, column)[0].mean()
        )


class MSSSIM(ContentPart):
    """One minus the five-scale structural similarity (Wang, Simoncelli & Bovik 2003, eq. 7; as a
    loss Zhao et al. 2017).

    Contrast and structure are compared at every scale, brightness at the coarsest alone. A halving
    averages 2×2 px; an odd last row or column stays as it is.
    """

    kind: Literal["ms_ssim"] = "ms_ssim"

    @property
    def smallest_px(self) -> int:
        """One window after four halvings: 161 px become 81, 41, 21 and 11."""
        return int((WINDOW_PX - 1) * 2 ** (SCALES - 1)) + 1

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """1 - MS-SSIM per photo over its three channels, 0 for equal photos, beyond 1 for negatives of each
        other; the mean over the batch.
        """
        from components.train.losses.structure import multiscale_similarity, window_column
        from components.train.precision import in_float32

        column = window_column(device)
        return in_float32(
            lambda restored, target: (
                1 - multiscale_similarity((restored + 1) / 2, (target + 1) / 2, column).mean()
            )
        )
