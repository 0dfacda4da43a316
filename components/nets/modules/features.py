"""Features of nets that were trained on ImageNet, for losses and metrics: their frozen convolutions,
whatever the photo's size.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from components.core.errors import WeightsError
from components.nets.backbones import CONVOLUTIONS, WIDTHS, Backbone, Vgg, layer_names
from components.nets.modules.tiled_convolutions import fewer_products

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def feature_layers(backbone: Backbone) -> nn.Sequential:
    """The layers of torchvision's `features`, under the same numbers. The dense layers behind them, which
    alone need photos of 224 px, are not there.

    Sources: Krizhevsky 2014, "One weird trick" (AlexNet); Simonyan & Zisserman 2015 (VGG).
    """
    if backbone == "alexnet":
        return nn.Sequential(
            *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
        )
    layers: list[nn.Module] = []
    channels = 3
    for count, width in zip(CONVOLUTIONS[backbone], WIDTHS, strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def read_features(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of weights. Nothing in it can run."""
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def load_features(layers: nn.Sequential, state: Mapping[str, Tensor], source: str, backbone: str) -> None:
    """Take the layers' weights from a state dict of torchvision's (keys features.N.weight); more layers
    than needed are fine. source: what it is called.

    Raises WeightsError when a needed key is absent or has another shape.
    """
    wanted = layers.state_dict()
    for key, tensor in wanted.items():
        found = state.get(f"features.{key}")
        if found is None or found.shape != tensor.shape:
            came = "no such key" if found is None else f"shape {tuple(found.shape)}"
            raise WeightsError(
                f"{source} does not hold this {backbone}: features.{key} should be {tuple(tensor.shape)},"
                f" found {came}; give the state dict of torchvision's {backbone}"
            )
    layers.load_state_dict({key: state[f"features.{key}"] for key in wanted})


class Features(nn.Module):
    """Photo in, feature maps of one layer of VGG out; frozen.

    imagenet: shift and scale to ImageNet's statistics first, as the weights were trained; the
    official DeblurGAN does not.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Vgg, layer: str, imagenet: bool) -> None:
        super().__init__()
        layers, last = feature_layers(backbone), layer_names(backbone).index(layer)
        kept = [index for index, module in enumerate(layers) if not isinstance(module, nn.MaxPool2d)][last]
        self.layers = layers[: kept + 1]
        fewer_products(self.layers)
        self.backbone, self.imagenet = backbone, imagenet
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        self.requires_grad_(False)
        self.eval()

    def load(self, path: Path) -> Features:
        """Take the weights from a torchvision VGG state dict; more layers than needed are fine.

        Raises WeightsError when a needed key is absent or has another shape.
        """
        load_features(self.layers, read_features(path), str(path), self.backbone)
        return self

    def forward(self, photo_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], any size from `smallest_px` up, to (N, C, h, w)."""
        x = ((photo_NCHW + 1) / 2 - self.mean) / self.std if self.imagenet else photo_NCHW
        return self.layers(x)  # type: ignore[no-any-return]
