"""LPIPS: a distance between photos, learned from people's judgements. One net for the metric and for the
loss.

Source: Zhang, Isola, Efros, Shechtman, Wang, "The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric", CVPR 2018 (arXiv 1801.03924), eq. 1; weights v0.1. The weights of its linear layers
are data of the package torchmetrics, which is not imported for them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.core.errors import WeightsError
from components.core.files import sha256_of_file
from components.nets.backbones import OfLPIPS
from components.nets.modules.features import feature_layers, load_features

# Rectifiers that are looked at, by torchvision's numbers, and how many channels each has.
LAYERS: dict[OfLPIPS, dict[int, int]] = {
    "alexnet": {1: 64, 4: 192, 7: 384, 9: 256, 11: 256},
    "vgg16": {3: 64, 8: 128, 15: 256, 22: 512, 29: 512},
}
LINEAR: dict[OfLPIPS, tuple[str, str]] = {  # file in the package, its SHA-256
    "alexnet": ("alex.pth", "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"),
    "vgg16": ("vgg.pth", "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),
}
# Of photos in [-1, 1], the authors' own: ImageNet's statistics but for rounding.
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
EPSILON = 1e-8  # under the root of a feature's squared length, so that nothing has a direction, too


class LPIPSNet(nn.Module):
    """Two photos in, how different they look to people out; frozen."""

    shift: Tensor
    scale: Tensor

    def __init__(self, backbone: OfLPIPS) -> None:
        super().__init__()
        self.backbone, self._looked_at = backbone, LAYERS[backbone]
        self.layers = feature_layers(backbone)[: max(self._looked_at) + 1]
        self.linear = nn.ParameterList(torch.zeros(1, width, 1, 1) for width in self._looked_at.values())
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1))
        self.requires_grad_(False)
        self.eval()

    def load(self, state: Mapping[str, Tensor], source: str) -> LPIPSNet:
        """Take the backbone's weights from a state dict of torchvision's, called `source` in errors, and
        those of the linear layers from torchmetrics.

        Raises WeightsError where either is not what it should be.
        """
        load_features(self.layers, state, source, self.backbone)
        linear = torch.load(_linear_file(self.backbone), map_location="cpu", weights_only=True)
        with torch.no_grad():
            for number, weight in enumerate(self.linear):
                weight.copy_(linear[f"lin{number}.model.1.weight"])
        return self

    def features(self, photo_NCHW: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] to five maps (N, C, h, w), whose places have length 1 over channels."""
        x, found = (photo_NCHW - self.shift) / self.scale, []
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in self._looked_at:
                found.append(x / (x.square().sum(1, keepdim=True) + EPSILON).sqrt())
        return found

    def apart(self, ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
        """The distance (N,) of two photos by their features: 0 for the same, else up to about 1."""
        each = [
            F.conv2d((one - two).square(), weight).mean((1, 2, 3))
            for one, two, weight in zip(ours, theirs, self.linear, strict=True)
        ]
        return torch.stack(each).sum(0)

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        """The distance (N,) of photos (N, 3, H, W) in [-1, 1]."""
        return self.apart(self.features(restored), self.features(target))


def _linear_file(backbone: OfLPIPS) -> Path:
    """Where torchmetrics has the weights of the linear layers. Raises WeightsError where it has not."""
    name, sha256 = LINEAR[backbone]
    found = importlib.util.find_spec("torchmetrics")
    again = "install torchmetrics again (pip install --force-reinstall --no-deps torchmetrics)"
    if found is None or found.origin is None:
        raise WeightsError(f"LPIPS' linear layers come with torchmetrics, which is not installed; {again}")
    path = Path(found.origin).parent / "functional" / "image" / "lpips_models" / name
    if not path.is_file() or sha256_of_file(path) != sha256:
        raise WeightsError(f"LPIPS' linear layers in {path} are missing or are not those of v0.1; {again}")
    return path
