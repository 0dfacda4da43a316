"""What the training tests share: weights of nets trained on ImageNet, drawn from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import nn

from components.nets.backbones import Backbone
from components.nets.modules.features import feature_layers


@pytest.fixture(scope="session")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stand-ins for the backbones, drawn from a seed."""
    folder, found = tmp_path_factory.mktemp("vgg"), {}
    for backbone in get_args(Backbone):
        layers = feature_layers(backbone)
        source = torch.Generator().manual_seed(3)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                layer.weight.data.normal_(0.0, (2 / layer.weight[0].numel()) ** 0.5, generator=source)
                nn.init.zeros_(layer.bias)  # else torch's own chance, other in every process
        found[backbone] = folder / f"{backbone}.pt"
        torch.save({f"features.{key}": value for key, value in layers.state_dict().items()}, found[backbone])
    return found
