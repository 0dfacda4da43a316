"""The content losses, one class a kind: how far a restored photo is from the sharp one. Several at once, each with its weight."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from components.core.errors import nearest
from components.core.parts import Part
from components.nets.features import Backbone, Features, layer_names
from components.train.weights import TORCHVISION, VggWeights

ContentLoss = Callable[[Tensor, Tensor], Tensor]


class ContentPart(Part):
    """What all content losses share."""

    weight: float = Field(1.0, gt=0, description="weight of this term in the generator's loss")

    def weights(self) -> VggWeights | None:
        """Pretrained weights it needs, None for most."""
        return None

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """The loss as a function (restored, sharp), both (N, 3, H, W) in [-1, 1], to a scalar: a mean over batch and px."""
        raise AssertionError(f"{type(self).__name__} must build its loss")


class L1(ContentPart):
    """Mean absolute difference (Isola et al. 2017, eq. 3)."""

    kind: Literal["l1"] = "l1"

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean |restored - sharp|."""
        return F.l1_loss


class L2(ContentPart):
    """Mean squared difference: the one that PSNR measures, and that blurs."""

    kind: Literal["l2"] = "l2"

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean (restored - sharp)²."""
        return F.mse_loss


class Charbonnier(ContentPart):
    """L1, rounded at zero (Lai et al. 2017, eq. 4)."""

    kind: Literal["charbonnier"] = "charbonnier"
    epsilon: float = Field(1e-3, gt=0, description="half width of the rounding, in units of the photo's range")

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean sqrt((restored - sharp)² + ε²) - ε, so that equal photos cost nothing."""
        return lambda restored, sharp: ((restored - sharp).square() + self.epsilon**2).sqrt().mean() - self.epsilon


class Perceptual(ContentPart):
    """Mean squared difference of VGG features (Johnson et al. 2016, sec. 3.2; Kupyn et al. 2018, eq. 4)."""

    kind: Literal["perceptual"] = "perceptual"
    backbone: Backbone = "vgg19"
    layer: str = Field("conv3_3", description="convN_M before, reluN_M after its rectifier; the official DeblurGAN stops at conv3_3")
    imagenet: bool = Field(False, description="normalise to ImageNet statistics first; the official DeblurGAN does not")
    scale: float = Field(1.0, gt=0, description="features are multiplied by this; 1/12.75 in the SRGAN paper")
    weights_from: str = Field(TORCHVISION, description='"torchvision" (downloaded once, checksum in its name), a path, or an s3:// URI')
    weights_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="expected SHA-256 of a path or URI")

    @model_validator(mode="after")
    def _layer_exists(self) -> Self:
        known = layer_names(self.backbone)
        if self.layer not in known:
            raise ValueError(f'layer "{self.layer}" is not in {self.backbone}: it has {known[0]} to {known[-1]}.{nearest(self.layer, known)}')
        return self

    def weights(self) -> VggWeights | None:
        """The backbone's ImageNet weights."""
        return VggWeights(self.backbone, self.weights_from, self.weights_sha256)

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean (φ(restored) - φ(sharp))²; the sharp photo's features carry no graph."""
        assert weights is not None, "preflight fetches the weights before anything is built"
        features = Features(self.backbone, self.layer, self.imagenet).load(weights).to(device)

        def loss(restored: Tensor, sharp: Tensor) -> Tensor:
            with torch.no_grad():
                wanted = features(sharp)
            return F.mse_loss(features(restored) * self.scale, wanted * self.scale)

        return loss


Content = Annotated[L1 | L2 | Charbonnier | Perceptual, Field(discriminator="kind")]
