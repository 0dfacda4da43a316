"""Normalisation behind a convolution: the kinds a recipe may name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from components.core.parts import Part

if TYPE_CHECKING:
    from torch import nn


class Instance(Part):
    """Statistics of each photo and channel (Ulyanov et al. 2016): neither batch size nor worker
    count changes them.
    """

    kind: Literal["instance"] = "instance"
    epsilon: float = Field(1e-5, gt=0, lt=1)
    affine: bool = Field(False, description="learn a scale and a shift per channel behind it")

    def layers(self, channels: int) -> list[nn.Module]:
        """The layer, as a list to unpack."""
        from components.nets.modules.norms import PhotoNorm2d

        return [PhotoNorm2d(channels, eps=self.epsilon, affine=self.affine)]


class Batch(Part):
    """Statistics of the whole batch, over all workers (Ioffe & Szegedy 2015); running means of them
    at test time.
    """

    kind: Literal["batch"] = "batch"
    epsilon: float = Field(1e-5, gt=0, lt=1, description="PyTorch 1e-5; Keras 1e-3")
    momentum: float = Field(
        0.1,
        gt=0,
        le=1,
        description=(
            "share of the new batch in the running means. PyTorch's sense: Keras' momentum is 1 minus it"
        ),
    )

    def layers(self, channels: int) -> list[nn.Module]:
        """The layer, as a list to unpack."""
        from components.nets.modules.norms import SharedBatchNorm2d

        return [SharedBatchNorm2d(channels, eps=self.epsilon, momentum=self.momentum)]


class LayerNorm(Part):
    """Statistics of each px over its channels (Ba et al. 2016): neither the photo's size nor the batch
    changes them; a scale and a shift per channel behind it.
    """

    kind: Literal["layer"] = "layer"
    epsilon: float = Field(1e-6, gt=0, lt=1)

    def layers(self, channels: int) -> list[nn.Module]:
        """The layer, as a list to unpack."""
        from components.nets.modules.norms import ChannelNorm2d

        return [ChannelNorm2d(channels, eps=self.epsilon)]


class NoNorm(Part):
    """No normalisation: brightness stays what it is."""

    kind: Literal["none"] = "none"

    def layers(self, channels: int) -> list[nn.Module]:
        """Nothing to unpack."""
        return []


def _by_name(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


# `norm: instance` in a recipe is short for `norm: {kind: instance}`.
Norm = Annotated[
    Instance | Batch | LayerNorm | NoNorm, Field(discriminator="kind"), BeforeValidator(_by_name)
]
