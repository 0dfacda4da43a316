"""The phone's net: inverted residual blocks on folded pixels, of operators that every phone runtime has."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.choices import Skips
from components.nets.modules.px_by_px import pixel_shuffle, pixel_unshuffle


class InvertedResidual(nn.Module):
    """Widen by 1×1, 3×3 a channel, back by 1×1, added to what came in (Sandler et al. 2018,
    MobileNetV2); no norm, nothing behind the sum.
    """

    def __init__(self, channels: int, expand: int, dense: bool) -> None:
        """dense: one 3×3 over all channels in place of the three; what NPUs are fastest at."""
        super().__init__()
        wide = channels * expand
        self.body = (
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(channels, channels, 3, padding=1),
            )
            if dense
            else nn.Sequential(
                nn.Conv2d(channels, wide, 1),
                nn.ReLU(inplace=True),
                nn.Conv2d(wide, wide, 3, padding=1, groups=wide),
                nn.ReLU(inplace=True),
                nn.Conv2d(wide, channels, 1),
            )
        )

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        y: Tensor = x_NCHW + self.body(x_NCHW)
        return y


class MobileBody(nn.Module):
    """A U of inverted residual blocks: fold × fold px as channels, halved by 2×2 convolutions of
    stride 2, doubled by 1×1 and nearest neighbours, levels joined by addition or concatenation.

    No norm, so that nothing has to be folded and rounding to 8 bits is safe; plain ReLU.
    """

    def __init__(
        self,
        *,
        fold: int,
        width: int,
        blocks: Sequence[int],
        widest: int,
        expand: int,
        dense: bool,
        skips: Skips,
    ) -> None:
        """blocks: of each level, from full size down."""
        super().__init__()
        self.fold, self.skips = fold, skips
        channels = [min(width * 2**level, widest) for level in range(len(blocks))]

        def level(place: int) -> nn.Sequential:
            made = (InvertedResidual(channels[place], expand, dense) for _ in range(blocks[place]))
            return nn.Sequential(*made)

        self.stem = nn.Conv2d(3 * fold**2, channels[0], 3, padding=1)
        self.encode = nn.ModuleList(level(place) for place in range(len(blocks)))
        pairs = list(itertools.pairwise(channels))
        self.down = nn.ModuleList(nn.Conv2d(above, below, 2, stride=2) for above, below in pairs)
        self.up = nn.ModuleList(nn.Conv2d(below, above, 1) for above, below in pairs)
        self.merge = nn.ModuleList(
            nn.Conv2d(2 * above, above, 1) if skips == "concat" else nn.Identity() for above, _ in pairs
        )
        self.decode = nn.ModuleList(level(place) for place in range(len(pairs)))
        self.head = nn.Conv2d(channels[0], 3 * fold**2, 3, padding=1)

    def begin_at_zero(self) -> None:
        """Let the last layer give zero, whatever comes, and each block what it is given (Zhang et al. 2019,
        "Fixup Initialization", sec. 3): without a norm eleven blocks that add to what they are given make a
        signal hundreds of times as large, and a step of the last layer with it.
        """
        blocks = [each for each in self.modules() if isinstance(each, InvertedResidual)]
        for weight in (self.head.weight, *(block.body[-1].get_parameter("weight") for block in blocks)):
            nn.init.zeros_(weight)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W), H and W multiples of fold · 2**(levels - 1); same shape out, any range."""
        y = self.encode[0](self.stem(pixel_unshuffle(x_NCHW, self.fold)))
        levels = [y]
        for down, encode in zip(self.down, self.encode[1:], strict=True):
            levels.append(encode(down(levels[-1])))
        y = levels.pop()
        for up, merge, decode in zip(
            reversed(self.up), reversed(self.merge), reversed(self.decode), strict=True
        ):
            enlarged = F.interpolate(up(y), scale_factor=2.0, mode="nearest")
            y = decode(merge(_joined(enlarged, levels.pop(), self.skips)))
        return pixel_shuffle(self.head(y), self.fold)


def _joined(one: Tensor, other: Tensor, skips: Skips) -> Tensor:
    from torch import cat

    return one + other if skips == "add" else cat([one, other], dim=1)
