"""VGG features for perceptual losses: the frozen layers up to a named one, whatever the photo's
size.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from components.core.errors import WeightsError
from components.nets.vgg import CONVOLUTIONS, WIDTHS, Backbone, layer_names

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Features(nn.Module):
    """Photo in, feature maps of one layer out; frozen. The dense layers of VGG, which alone need
    224 px, are not there.

    imagenet: shift and scale to ImageNet's statistics first, as the weights were trained; the
    official DeblurGAN does not.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone, layer: str, imagenet: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        last = layer_names(backbone).index(layer)
        for block, (count, width) in enumerate(zip(CONVOLUTIONS[backbone], WIDTHS, strict=True)):
            for _ in range(count):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=False)]
                channels = width
            if block < 4:
                layers.append(nn.MaxPool2d(2))
        kept = [index for index, module in enumerate(layers) if not isinstance(module, nn.MaxPool2d)][last]
        self.layers = nn.Sequential(*layers[: kept + 1])
        self.imagenet = imagenet
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        self.requires_grad_(False)
        self.eval()

    def load(self, path: Path) -> Features:
        """Take the weights from a torchvision VGG state dict (keys features.N.weight); more layers
        than needed are fine.

        Raises WeightsError when a needed key is absent or has another shape.
        """
        state = torch.load(path, map_location="cpu", weights_only=True)
        wanted = self.layers.state_dict()
        for key, tensor in wanted.items():
            found = state.get(f"features.{key}")
            if found is None or found.shape != tensor.shape:
                came = "no such key" if found is None else f"shape {tuple(found.shape)}"
                wanted_shape = tuple(tensor.shape)
                raise WeightsError(
                    f"{path} does not hold this VGG: features.{key} should be {wanted_shape}, found {came};"
                    " give the state dict of torchvision's vgg16 or vgg19"
                )
        self.layers.load_state_dict({key: state[f"features.{key}"] for key in wanted})
        return self

    def forward(self, photo_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], any size from `smallest_px` up, to (N, C, h, w)."""
        x = ((photo_NCHW + 1) / 2 - self.mean) / self.std if self.imagenet else photo_NCHW
        return self.layers(x)  # type: ignore[no-any-return]
