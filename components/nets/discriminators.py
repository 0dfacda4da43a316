"""The discriminators, one class a kind. They give logits, never probabilities; what the logits mean is the adversarial loss's affair."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from components.core.parts import Part
from components.core.seeds import seed_of
from components.nets.blocks import Norm, begin_normal, normalisation


class PatchGAN(Part):
    """Judges overlapping patches, one logit each (Isola et al. 2017, sec. 3.2.2). Three halving layers see 70×70 px."""

    kind: Literal["patchgan"] = "patchgan"
    weight: float = Field(1.0, gt=0, description="share of this discriminator in the adversarial loss")
    layers: int = Field(3, ge=1, le=6, description="halving convolutions: 1 sees 16 px, 2: 34, 3: 70, 4: 142, 5: 286")
    width: int = Field(64, ge=4, le=512, description="channels of the first layer; doubled up to eightfold")
    norm: Norm = Field("instance", description="normalisation of the inner layers")
    conditional: bool = Field(False, description="judge the photo beside its blurred input (pix2pix), or alone (DeblurGAN)")
    shrink: int = Field(1, ge=1, le=8, description="judge the photo this many times smaller (averaged): a coarser scale")

    @property
    def receptive_field_px(self) -> int:
        """Side of the patch one logit sees, in px of the photo it is given."""
        field = 1
        for stride in [1, 1, *[2] * self.layers]:  # from the last layer back to the first
            field = (field - 1) * stride + 4
        return field * self.shrink

    def build(self, seed: int, index: int = 0) -> nn.Module:
        """The net with weights from N(0, 0.02²). Takes (N, 3 or 6, H, W), gives (N, 1, h, w) logits."""
        channels = [self.width * min(2**level, 8) for level in range(self.layers + 1)]
        layers: list[nn.Module] = [nn.Conv2d(6 if self.conditional else 3, channels[0], 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for level, (before, after) in enumerate(itertools.pairwise(channels), start=1):
            stride = 2 if level < self.layers else 1
            layers += [nn.Conv2d(before, after, 4, stride=stride, padding=1), *normalisation(self.norm, after), nn.LeakyReLU(0.2, inplace=True)]
        net = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 4, stride=1, padding=1))
        begin_normal(net, 0.02, torch.Generator().manual_seed(seed_of(seed, "discriminator", index)))
        return net

    def view(self, photo_NCHW: Tensor, blurred_NCHW: Tensor) -> Tensor:
        """What the net is shown: the photo, beside its input when conditional, smaller when told so."""
        shown = torch.cat([blurred_NCHW, photo_NCHW], dim=1) if self.conditional else photo_NCHW
        return F.avg_pool2d(shown, self.shrink) if self.shrink > 1 else shown


Discriminator = Annotated[PatchGAN, Field(discriminator="kind")]
