"""The bodies of the generators of video."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.modules.flow import FlowNet, enlarged_flow, warped
from components.nets.modules.heads import middle_frame
from components.nets.modules.px_by_px import pixel_shuffle, pixel_unshuffle
from components.nets.modules.unet import SLOPE, UNetBody, reflected, twice
from components.nets.norms import Norm


class Video3DBody(nn.Module):
    """The small U-Net with a way down over height, width and time; see `Video3D`."""

    def __init__(self, *, frames: int, width: int, depth: int, widest: int, fold: int, norm: Norm) -> None:
        super().__init__()
        self.frames, self.fold = frames, fold
        channels = [min(width * 2**level, widest) for level in range(depth + 1)]
        self.stem = _twice_in_time(3 * fold**2, channels[0], stride=1)
        self.down = nn.ModuleList(
            _twice_in_time(above, below, stride=2) for above, below in itertools.pairwise(channels)
        )
        self.close = nn.ModuleList(nn.Conv3d(one, one, (frames, 1, 1)) for one in channels)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), reflected(below, above))
            for above, below in itertools.pairwise(channels)
        )
        self.merge = nn.ModuleList(twice(2 * above, above, norm, stride=1) for above in channels[:-1])
        self.head = reflected(channels[0], 3 * fold**2)

    def begin_at_zero(self) -> None:
        """Let the last layer give zero, whatever comes."""
        nn.init.zeros_(self.head.weight)

    def forward(self, window_NCHW: Tensor) -> Tensor:
        """(N, 3 · frames, H, W), H and W multiples of fold · 2**depth; (N, 3, H, W) out, any range."""
        folded = pixel_unshuffle(window_NCHW, self.fold)
        y = self.stem(torch.unflatten(folded, 1, (self.frames, 3 * self.fold**2)).transpose(1, 2))
        levels = [y]
        for down in self.down:
            levels.append(down(levels[-1]))
        flat = [close(level).squeeze(2) for close, level in zip(self.close, levels, strict=True)]
        y = flat.pop()
        for up, merge in zip(reversed(self.up), reversed(self.merge), strict=True):
            y = merge(torch.cat([up(y), flat.pop()], dim=1))
        return pixel_shuffle(self.head(y), self.fold)


class Aligned(NamedTuple):
    """A window's neighbours against its middle frame, at the size that flow is found at."""

    middle: Tensor  # (N, 1, 3, h, w)
    neighbours: Tensor  # (N, T - 1, 3, h, w), in the order of time
    moved: Tensor  # the same, moved onto the middle
    flow: Tensor  # (N, T - 1, 2, h, w) px of that size


class AlignedBody(nn.Module):
    """Neighbours are moved onto the middle frame; then a net for photos looks at all of them."""

    def __init__(self, flow: FlowNet, restoring: UNetBody) -> None:
        super().__init__()
        self.flow, self.restoring = flow, restoring

    def forward(self, window_NCHW: Tensor) -> Tensor:
        """(N, 3 T, H, W) to (N, 3, H, W), any range."""
        frames = torch.unflatten(window_NCHW, 1, (-1, 3))
        middle, neighbours = middle_frame(window_NCHW), _without_middle(frames)
        flow = self._flow(middle, neighbours)
        moved = warped(neighbours.flatten(0, 1), enlarged_flow(flow, self.flow.shrink))
        moved = torch.unflatten(moved.to(middle), 0, (-1, neighbours.shape[1])).flatten(1, 2)
        half = moved.shape[1] // 2
        result: Tensor = self.restoring(torch.cat([moved[:, :half], middle, moved[:, half:]], dim=1))
        return result

    def aligned(self, window_NCHW: Tensor) -> Aligned:
        """What the flow makes of a window: the loss that it is trained by looks at this."""
        frames = torch.unflatten(window_NCHW, 1, (-1, 3))
        neighbours = _without_middle(frames)
        flow = self._flow(middle_frame(window_NCHW), neighbours)
        count = neighbours.shape[1]
        small = torch.unflatten(F.avg_pool2d(window_NCHW, self.flow.shrink).float(), 1, (-1, 3))
        beside = _without_middle(small)
        moved = torch.unflatten(warped(beside.flatten(0, 1), flow), 0, (-1, count))
        place = count // 2
        return Aligned(small[:, place : place + 1], beside, moved, torch.unflatten(flow, 0, (-1, count)))

    def _flow(self, middle: Tensor, neighbours: Tensor) -> Tensor:
        """From the middle frame to each neighbour, all in one batch: (N (T - 1), 2, h, w)."""
        again = middle.unsqueeze(1).expand(-1, neighbours.shape[1], -1, -1, -1)
        flow: Tensor = self.flow(again.flatten(0, 1), neighbours.flatten(0, 1))
        return flow


def _without_middle(frames_NTCHW: Tensor) -> Tensor:
    place = frames_NTCHW.shape[1] // 2
    return torch.cat([frames_NTCHW[:, :place], frames_NTCHW[:, place + 1 :]], dim=1)


def _twice_in_time(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(channels_in, channels_out, 3, stride=(1, stride, stride), padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv3d(channels_out, channels_out, 3, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
    )
