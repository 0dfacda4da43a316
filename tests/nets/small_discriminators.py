"""What the tests of the discriminators share: a part from its recipe form, its net, something to
look at.
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from components.nets.discriminators import Discriminator, DiscriminatorPart
from components.nets.modules.discriminator_view import discriminator_view

ADAPTER: TypeAdapter[Discriminator] = TypeAdapter(Discriminator)


def part_of(config: dict[str, Any]) -> Discriminator:
    return ADAPTER.validate_python(config)


def name_of(config: object) -> str | None:
    """What a case is called; None leaves numbers and tables to pytest."""
    if not isinstance(config, dict):
        return None
    return "-".join(value["kind"] if isinstance(value, dict) else str(value) for value in config.values())


def on_paper(part: DiscriminatorPart) -> nn.Module:
    """The net without its weights: enough to count and to measure shapes."""
    with torch.device("meta"):
        return part.build(seed=0)


def photo_of(side: int, batch: int = 1) -> Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(side)) * 2 - 1


def logits_of(part: DiscriminatorPart, net: nn.Module, side: int, batch: int = 1) -> Tensor:
    photo = photo_of(side, batch)
    logits: Tensor = net(discriminator_view(part, photo, -photo))
    return logits
