"""The generators, one class a kind. The union `Generator` is the registry: a new kind is a class here and a word in it."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from components.core.parts import Part
from components.core.seeds import seed_of
from components.nets.blocks import (
    AddedResidual,
    ClampedResidual,
    Direct,
    Norm,
    ResidualBlock,
    UNetBody,
    Upsampling,
    begin_he,
    begin_normal,
    normalisation,
    upsampler,
)


class ResNet(Part):
    """Residual generator of DeblurGAN (Kupyn et al. 2018, fig. 3; after Johnson et al. 2016): stem 7×7, two halvings, blocks, two doublings, head 7×7."""

    kind: Literal["resnet"] = "resnet"
    width: int = Field(64, ge=4, le=512, description="channels after the stem; doubled at each halving")
    blocks: int = Field(9, ge=1, le=32, description="residual blocks at a quarter of the size")
    norm: Norm = Field("instance", description="normalisation behind each inner convolution")
    dropout: float = Field(0.5, ge=0, lt=1, description="probability inside each block; 0 leaves it out")
    upsampling: Upsampling = Field("transposed", description="the paper's, or resize convolution against checkerboard")
    residual: bool = Field(True, description="add the net's output to the photo and clamp; otherwise the net paints the whole photo")

    @property
    def stride(self) -> int:
        """Height and width must be multiples of this, in px."""
        return 4

    def build(self, seed: int) -> nn.Module:
        """The net with weights from N(0, 0.02²), as the official code begins."""
        w = self.width
        body = nn.Sequential(
            nn.ReflectionPad2d(3),
            nn.Conv2d(3, w, 7),
            *normalisation(self.norm, w),
            nn.ReLU(inplace=True),
            *self._halve(w),
            *self._halve(2 * w),
            *(ResidualBlock(4 * w, self.norm, self.dropout) for _ in range(self.blocks)),
            *self._double(4 * w),
            *self._double(2 * w),
            nn.ReflectionPad2d(3),
            nn.Conv2d(w, 3, 7),
        )
        begin_normal(body, 0.02, torch.Generator().manual_seed(seed_of(seed, "generator")))
        return ClampedResidual(body) if self.residual else Direct(body)

    def _halve(self, channels: int) -> list[nn.Module]:
        return [nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), *normalisation(self.norm, 2 * channels), nn.ReLU(inplace=True)]

    def _double(self, channels: int) -> list[nn.Module]:
        return [*upsampler(self.upsampling, channels, channels // 2), *normalisation(self.norm, channels // 2), nn.ReLU(inplace=True)]


class UNet(Part):
    """Small U-Net (Ronneberger et al. 2015) that adds its output to the photo; untrained it changes nothing."""

    kind: Literal["unet"] = "unet"
    width: int = Field(32, ge=4, le=512, description="channels at full size; doubled at each level up to `widest`")
    depth: int = Field(3, ge=1, le=7, description="halvings")
    widest: int = Field(256, ge=4, le=2048, description="most channels at any level")
    fold: Literal[1, 2, 4] = Field(1, description="work on blocks of so many px a side as channels: the square of it less work, a view as much wider")
    norm: Norm = Field("none", description="normalisation behind each convolution; none keeps brightness as it is")

    @property
    def stride(self) -> int:
        """Height and width must be multiples of this, in px."""
        return int(self.fold * 2**self.depth)

    def build(self, seed: int) -> nn.Module:
        """The net with He-normal weights; the head begins at zero."""
        body = UNetBody(self.width, self.depth, self.widest, self.norm, self.fold)
        begin_he(body, 0.1, torch.Generator().manual_seed(seed_of(seed, "generator")))
        nn.init.zeros_(body.head.weight)
        return AddedResidual(body)


Generator = Annotated[ResNet | UNet, Field(discriminator="kind")]
