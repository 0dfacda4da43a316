"""What all discriminators share: how they are built, and what is known of a net before it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from components.core.parts import Part
from components.core.seeds import seed_of
from components.nets.choices import Bias, First, Padding
from components.nets.convolution_table import Convolution, field_px, smallest_px
from components.nets.norms import Instance, Norm

if TYPE_CHECKING:
    from torch import nn


class DiscriminatorPart(Part):
    """A net that tells targets from restored photos, and its weight in the adversarial loss."""

    weight: float = Field(1.0, gt=0, description="weight of this discriminator in the adversarial loss")
    conditional: bool = Field(
        False, description="look at the photo beside its input (pix2pix), or alone (DeblurGAN, SRGAN)"
    )
    shrink: int = Field(
        1, ge=1, le=8, description="look at the photo this many times smaller (averaged): a coarser scale"
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
    def beside(self) -> Literal["nothing", "input", "neighbours", "restored"]:
        """What is shown beside the photo: of the generator's input, or of what it restored."""
        return "input" if self.conditional else "nothing"

    @property
    def fixed_px(self) -> int | None:
        """The only side it takes, in px of the photo it is shown; None when it takes any."""
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
        return self.shrink * smallest_px(self._table(), self.norm, self.padding)

    @property
    def receptive_field_px(self) -> int | None:
        """Side of the patch that one logit sees, in px of the photo it is shown, norms aside; None
        when it sees everything.
        """
        return self.shrink * field_px(self._table())

    def build(self, seed: int, index: int = 0) -> nn.Module:
        """The net, drawn from the seed and its place among the discriminators.

        It takes (N, 3, H, W), (N, 6, H, W) when conditional, or (N, 9, H, W) with its neighbours in time,
        in [-1, 1], and gives logits (N, 1, h, w).
        """
        from components.nets.modules.discriminators import SLOPE, normalise_spectrally
        from components.nets.modules.first_weights import discriminator_source, draw_first_weights

        net = self._net({"nothing": 3, "input": 6, "neighbours": 9, "restored": 9}[self.beside])
        draw_first_weights(net, self.first, discriminator_source(seed, index), slope=SLOPE)
        if self.spectral_norm:
            normalise_spectrally(net, seed_of(seed, "spectral norm", index))
        return net

    def _table(self) -> tuple[Convolution, ...]:
        """Its convolutions."""
        raise AssertionError(f"{type(self).__name__} must list its convolutions")

    def _net(self, channels: int) -> nn.Module:
        """The layers, whatever their weights."""
        raise AssertionError(f"{type(self).__name__} must lay out its net")
