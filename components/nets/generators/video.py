"""The generators of video: a window of neighbouring frames in, its middle frame restored.

What blur took from one frame another may still show. The 3-D net finds it by convolutions over time,
the flow net by moving the neighbours onto the middle frame first. Their discriminators, losses and
measures are those of photos.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from components.nets.generators.part import GeneratorPart
from components.nets.norms import NoNorm, Norm

if TYPE_CHECKING:
    from torch import nn


class VideoPart(GeneratorPart):
    """What both share: the small U-Net's sizes, and the window."""

    frames: int = Field(5, ge=3, le=15, description="neighbouring frames, odd; the middle one is restored")
    width: int = Field(
        32, ge=4, le=512, description="channels at full size; doubled at each level up to `widest`"
    )
    depth: int = Field(3, ge=1, le=7, description="halvings")
    widest: int = Field(192, ge=4, le=2048, description="most channels at any level")
    fold: Literal[1, 2, 4] = Field(
        2,
        description=(
            "work on blocks of so many px a side as channels: the square of it less work, a view as much"
            " wider"
        ),
    )
    norm: Norm = Field(NoNorm(), description="normalisation behind each convolution of the way back")

    @field_validator("frames")
    @classmethod
    def _one_in_the_middle(cls, frames: int) -> int:
        if frames % 2 == 0:
            raise ValueError(
                f"frames is {frames}: an even number has no frame in the middle; take {frames - 1} or"
                f" {frames + 1}"
            )
        return frames

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this, in px."""
        return int(self.fold * 2**self.depth)

    @property
    def window(self) -> int:
        """Its frames."""
        return self.frames


class Video3D(VideoPart):
    """Early fusion: a U-Net whose way down convolves over height, width and time (Tran et al. 2015,
    3×3×3), and whose way back is the small U-Net's.

    Each level's time is closed by a convolution over all its frames before it is joined. Adds its
    output to the middle frame; untrained it changes nothing. With the defaults and width 16 it takes what
    the small U-Net of width 32 takes.
    """

    kind: Literal["video_3d"] = "video_3d"
    width: int = Field(
        16, ge=4, le=512, description="channels at full size; doubled at each level up to `widest`"
    )

    def build(self, seed: int) -> nn.Module:
        """The net with He-normal weights; the head begins at zero."""
        from components.nets.modules.first_weights import draw_first_weights, generator_source
        from components.nets.modules.heads import Headed
        from components.nets.modules.unet import SLOPE
        from components.nets.modules.video import Video3DBody

        body = Video3DBody(
            frames=self.frames,
            width=self.width,
            depth=self.depth,
            widest=self.widest,
            fold=self.fold,
            norm=self.norm,
        )
        draw_first_weights(body, "he", generator_source(seed), slope=SLOPE)
        body.begin_at_zero()
        return Headed(body, "added_residual")


class VideoFlow(VideoPart):
    """Flow-aligned: a small net of optical flow (after Ranjan & Black 2017, SPyNet: residual flows from
    coarse to fine) moves every neighbour onto the middle frame, then the small U-Net restores it.

    The flow is trained with the rest. Behind a head that begins at zero it gets no gradient at first:
    give it the content loss `photometric`. Untrained nothing is moved and nothing changed.
    """

    kind: Literal["video_flow"] = "video_flow"
    flow_width: int = Field(24, ge=4, le=256, description="channels of the flow net")
    flow_levels: int = Field(3, ge=1, le=6, description="sizes that flow is found at, each half of the next")
    flow_shrink: Literal[1, 2, 4, 8] = Field(
        4, description="the finest of them is so many times smaller than the photo"
    )

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this, in px."""
        return math.lcm(super().stride, self.flow_shrink * 2 ** (self.flow_levels - 1))

    @property
    def aligns(self) -> bool:
        """Whether it moves frames onto each other, which a loss may look at."""
        return True

    def build(self, seed: int) -> nn.Module:
        """The net with He-normal weights; the head and each level's last layer of flow begin at zero."""
        from components.nets.modules.first_weights import draw_first_weights, generator_source
        from components.nets.modules.flow import FlowNet
        from components.nets.modules.heads import Headed
        from components.nets.modules.unet import SLOPE, UNetBody
        from components.nets.modules.video import AlignedBody

        flow = FlowNet(width=self.flow_width, levels=self.flow_levels, shrink=self.flow_shrink)
        restoring = UNetBody(
            width=self.width,
            depth=self.depth,
            widest=self.widest,
            fold=self.fold,
            norm=self.norm,
            channels_in=3 * self.frames,
        )
        body = AlignedBody(flow, restoring)
        draw_first_weights(body, "he", generator_source(seed), slope=SLOPE)
        restoring.begin_at_zero()
        flow.begin_at_zero()
        return Headed(body, "added_residual")
