"""Optical flow that is learned with the net that uses it, and frames moved along it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.1


def warped(frame_NCHW: Tensor, flow_N2HW: Tensor) -> Tensor:
    """A frame as it is seen from where its flow begins: each px is fetched from as far away as the flow
    says, bilinearly; beyond the border its last px.

    frame: (N, C, H, W); flow: (N, 2, H, W) px, to the right and down. Source: Jaderberg et al. 2015, as
    `grid_sample` has it.
    """
    # Sixteen bits cannot tell neighbouring px of a wide frame apart.
    flow = flow_N2HW.float()
    height, width = flow.shape[2:]
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype).view(1, height, 1)
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype).view(1, 1, width)
    # -1 and 1 are the outer edges of the border px.
    x = (2 * (columns + flow[:, 0]) + 1) / width - 1
    y = (2 * (rows + flow[:, 1]) + 1) / height - 1
    return F.grid_sample(
        frame_NCHW.float(),
        torch.stack([x, y], dim=-1),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )


def enlarged_flow(flow_N2HW: Tensor, times: int) -> Tensor:
    """The same flow of a photo so many times larger."""
    return times * F.interpolate(flow_N2HW, scale_factor=float(times), mode="bilinear", align_corners=False)


class FlowNet(nn.Module):
    """Flow from one frame to another, from coarse to fine: at each size a few convolutions look at one
    frame, the other as it is moved so far, and the flow so far, and add to it (Ranjan & Black 2017,
    eq. 1 to 4, at a hundredth of the size).
    """

    def __init__(self, *, width: int, levels: int, shrink: int) -> None:
        super().__init__()
        self.shrink = shrink
        self.levels = nn.ModuleList(_residual(width) for _ in range(levels))

    def begin_at_zero(self) -> None:
        """Let nothing move."""
        for level in self.levels:
            assert isinstance(level, nn.Sequential)
            nn.init.zeros_(level[-1].weight)  # type: ignore[arg-type]

    def forward(self, one_NCHW: Tensor, other_NCHW: Tensor) -> Tensor:
        """Where each px of `one` is found in `other`: (N, 2, H / shrink, W / shrink), in px of that size.

        one, other: (N, 3, H, W), sides multiples of shrink · 2**(levels - 1).
        """
        ones, others = (self.pyramid(frame) for frame in (one_NCHW, other_NCHW))
        flow: Tensor | None = None
        for level, one, other in zip(self.levels, reversed(ones), reversed(others), strict=True):
            flow = torch.zeros_like(one[:, :2]) if flow is None else enlarged_flow(flow, 2)
            flow = flow + level(torch.cat([one, warped(other, flow).to(one), flow.to(one)], dim=1)).float()
        assert flow is not None
        return flow

    def pyramid(self, frame_NCHW: Tensor) -> list[Tensor]:
        """A frame at each size, the finest first."""
        sizes = [F.avg_pool2d(frame_NCHW, self.shrink) if self.shrink > 1 else frame_NCHW]
        for _ in self.levels[1:]:
            sizes.append(F.avg_pool2d(sizes[-1], 2))
        return sizes


def _residual(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(8, width, 3, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(width, width, 3, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(width, width, 3, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(width, 2, 3, padding=1),
    )
