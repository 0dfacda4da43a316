"""Weights of nets trained on ImageNet, drawn from a seed, for benchmarks without a download: their speed
is the real ones', their sense of likeness is not.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from components.nets.backbones import Backbone
from components.nets.modules.features import feature_layers
from components.train.config import TrainConfig


def stand_in_weights(backbone: Backbone, folder: Path) -> Path:
    """Write FOLDER/BACKBONE-stand-in.pt, a state dict with torchvision's names for all
    convolutions; gives its path.
    """
    path = folder / f"{backbone}-stand-in.pt"
    if not path.is_file():
        layers = feature_layers(backbone)
        source = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for layer in layers:
                if isinstance(layer, nn.Conv2d):
                    # As large as the signal stays through rectifiers (He et al. 2015), so that no
                    # depth is drowned out.
                    layer.weight.normal_(0.0, (2.0 / layer.weight[0].numel()) ** 0.5, generator=source)
                    assert layer.bias is not None
                    layer.bias.zero_()
        torch.save({f"features.{key}": value for key, value in layers.state_dict().items()}, path)
    return path


def stand_ins_for(config: TrainConfig, folder: Path) -> dict[int, Path]:
    """Weights for each content loss that needs some, by its place in config.content_losses()."""
    needed = {index: part.weights() for index, (_, part) in enumerate(config.content_losses())}
    return {index: stand_in_weights(one.backbone, folder) for index, one in needed.items() if one}
