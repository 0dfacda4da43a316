"""What the tests of describe share: every kind of net at its defaults, on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args
from xml.etree import ElementTree

import torch
from torch import nn

from components.describe.trace import Trace, trace
from components.nets.discriminators import Discriminator
from components.nets.generators import Generator
from components.nets.modules.features import Features

SVG = "{http://www.w3.org/2000/svg}"


def on_paper(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return build()


def traced(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> Trace:
    return trace(on_paper(build), shape)


def every_kind() -> dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]]:
    """Each member of the unions, full size, with an input it takes."""
    found: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {}
    for kind in (*get_args(get_args(Generator)[0]), *get_args(get_args(Discriminator)[0])):
        part = kind()
        side = getattr(part, "fixed_px", None) or 256
        channels = 9 if getattr(part, "beside", "") == "neighbours" else 3 * getattr(part, "window", 1)
        found[part.kind] = ((lambda part=part: part.build(0)), (channels, side, side))
    found["patchgan, spectral norm"] = (
        (lambda: get_args(get_args(Discriminator)[0])[0](spectral_norm=True).build(0)),
        (3, 256, 256),
    )
    found["vgg19"] = (lambda: Features("vgg19", "relu5_4", imagenet=True)), (3, 64, 64)
    return found


def of_class(svg_text: str, tag: str, style: str) -> list[ElementTree.Element]:
    """Elements of a drawing with that class, its arrow heads left out."""
    root = ElementTree.fromstring(svg_text.encode())
    heads = set(root.findall(f"{SVG}defs//{SVG}{tag}"))
    return [each for each in root.iter(f"{SVG}{tag}") if each.get("class") == style and each not in heads]
