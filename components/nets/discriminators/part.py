"""What all discriminators share: how they are built, and what they are shown."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from components.core.parts import Part
from components.core.seeds import seed_of
from components.nets.discriminators.steps import SLOPE, Bias, Step, field_px, smallest_px
from components.nets.layers import First, Instance, Norm, Padding, begin


class DiscriminatorPart(Part):
    """A net that judges photos, and its share in the adversarial loss."""

    weight: float = Field(1.0, gt=0, description="share of this discriminator in the adversarial loss")
    conditional: bool = Field(
        False, description="judge the photo beside its input (pix2pix), or alone (DeblurGAN, SRGAN)"
    )
    shrink: int = Field(
        1, ge=1, le=8, description="judge the photo this many times smaller (averaged): a coarser scale"
    )
    spectral_norm: bool = Field(
        False, description="divide every weight by its largest singular value (Miyato et al. 2018)"
    )
    norm: Norm = Field(default_factory=Instance, description="normalisation behind the inner convolutions")
    padding: Padding = Field("torch", description="equal border on all sides, or Keras' `same`")
    bias: Bias = Field(
        "all",
        description=(
            "convolutions that have one: all; ends: those without a norm behind them; last: the one that"
            " gives the logits"
        ),
    )
    first: First = Field("normal", description="how the weights begin; normal is N(0, 0.02²)")

    @property
    def fixed_px(self) -> int | None:
        """The only side it takes, in px of the photo it is given; None when it takes any."""
        return None

    @property
    def bounded(self) -> bool:
        """Whether what it gives lies in 0..1, so that it is no logit."""
        return False

    @property
    def smallest_px(self) -> int:
        """Below this side of the photo there is no output, or in a batch of one a norm has a single
        value a channel and leaves nothing of it.
        """
        return self.shrink * smallest_px(self._steps(), self.norm, self.padding)

    @property
    def receptive_field_px(self) -> int | None:
        """Side of the patch that one logit sees, in px of the photo it is given, norms aside; None
        when it sees everything.
        """
        return self.shrink * field_px(self._steps())

    def build(self, seed: int, index: int = 0) -> nn.Module:
        """The net, drawn from the seed and its place among the discriminators.

        It takes (N, 3, H, W), or (N, 6, H, W) when conditional, in [-1, 1], and gives logits (N, 1,
        h, w).
        """
        net = self._net(6 if self.conditional else 3)
        begin(
            net, self.first, torch.Generator().manual_seed(seed_of(seed, "discriminator", index)), slope=SLOPE
        )
        if self.spectral_norm:
            _normalise_spectrally(net, seed_of(seed, "spectral norm", index))
        return net

    def view(self, photo_NCHW: Tensor, input_NCHW: Tensor) -> Tensor:
        """What the net is shown: the photo, behind its input when conditional, smaller when told
        so.

        given_NCHW: the generator's input; a smaller one (super-resolution) is enlarged bicubically
        (a = -0.5) to the photo's size.
        """
        shown = (
            torch.cat([_enlarged(input_NCHW, photo_NCHW), photo_NCHW], dim=1)
            if self.conditional
            else photo_NCHW
        )
        return F.avg_pool2d(shown, self.shrink) if self.shrink > 1 else shown

    def _steps(self) -> tuple[Step, ...]:
        """The table of its convolutions."""
        raise AssertionError(f"{type(self).__name__} must list its convolutions")

    def _net(self, channels: int) -> nn.Module:
        """The layers, whatever their weights."""
        raise AssertionError(f"{type(self).__name__} must lay out its net")


def _enlarged(input_NCHW: Tensor, photo_NCHW: Tensor) -> Tensor:
    if input_NCHW.shape[2:] == photo_NCHW.shape[2:]:
        return input_NCHW
    # antialias changes nothing when enlarging, but for the kernel: a = -0.5, as MATLAB and Pillow
    # have it, instead of -0.75.
    return F.interpolate(input_NCHW, size=photo_NCHW.shape[2:], mode="bicubic", antialias=True)


def _normalise_spectrally(net: nn.Module, seed: int) -> None:
    """Hang the norm on every convolution and dense layer. torch draws its start vectors from the
    global source alone, so that is lent.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for layer in list(net.modules()):
            if isinstance(layer, nn.Conv2d | nn.Linear):
                spectral_norm(layer)
