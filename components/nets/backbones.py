"""Nets trained on ImageNet as a recipe may name them: their files, their layers, and the smallest photo
each of them takes. Needs no torch.
"""

from __future__ import annotations

from typing import Literal

Vgg = Literal["vgg16", "vgg19"]
OfLPIPS = Literal["alexnet", "vgg16"]  # those that LPIPS was learned for, but SqueezeNet
Backbone = Literal["alexnet", "vgg16", "vgg19"]
# Convolutions of each of the five blocks (Simonyan & Zisserman 2015, table 1: D and E).
CONVOLUTIONS: dict[Backbone, tuple[int, ...]] = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
# torchvision's names of the files with its ImageNet weights; each ends in the start of its SHA-256.
FILES: dict[Backbone, str] = {
    "alexnet": "alexnet-owt-7be5be79.pth",
    "vgg16": "vgg16-397923af.pth",
    "vgg19": "vgg19-dcbb9e9d.pth",
}
WIDTHS = (64, 128, 256, 512, 512)
# Below it a pooling before the fifth layer that LPIPS looks at has no whole window.
SMALLEST_OF_LPIPS_PX: dict[OfLPIPS, int] = {"alexnet": 31, "vgg16": 16}


def layer_names(backbone: Vgg) -> tuple[str, ...]:
    """Names a layer can have, in order: conv1_1, relu1_1, … conv5_4, relu5_4."""
    return tuple(
        f"{kind}{block}_{number}"
        for block, count in enumerate(CONVOLUTIONS[backbone], 1)
        for number in range(1, count + 1)
        for kind in ("conv", "relu")
    )


def smallest_px(layer: str) -> int:
    """The smallest side of a photo that has features of this layer of VGG: each block behind the first
    halves.

    >>> smallest_px("conv3_3"), smallest_px("relu5_4")
    (4, 16)
    """
    return int(2 ** (int(layer.removeprefix("conv").removeprefix("relu")[0]) - 1))
