"""Every net of a recipe, with the shape it is given in training: generator, discriminators, and the
feature nets of perceptual losses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from components.core.errors import InputError
from components.describe.boxes import Box, boxes
from components.describe.layer_names import macs_words, shape_words
from components.describe.receptive_field import Seen, receptive_field, told_of_whole_photo
from components.describe.table import Table, table
from components.describe.trace import Shape, trace
from components.nets.backbones import SMALLEST_OF_LPIPS_PX
from components.nets.modules.discriminator_view import discriminator_view
from components.nets.modules.features import Features
from components.nets.modules.lpips import LPIPSNet
from components.recipes import Recipe
from components.train.config import TrainConfig
from components.train.content import LPIPS, Perceptual

MEASURE_MACS = 12e9  # a strip dearer than this is not measured: a receptive field is worth a second, not ten
STRIP_PX = 16


@dataclass(frozen=True)
class Net:
    """One net to describe. `build` works on the meta device and on a processor."""

    name: str  # its file's name, too
    role: str  # generator, discriminator 0, features
    kind: str  # word of the recipe
    about: str  # first line of what its class says
    shape: Shape  # of its input, (C, H, W)
    build: Callable[[], nn.Module]
    stride: int = 1  # sides of the input are multiples of this
    shrink: int = 1  # px of the photo to one px of the input
    least_px: int = STRIP_PX  # smallest side of its input
    fixed: bool = False  # takes one size of photo alone, all of which it sees


@dataclass(frozen=True)
class Described:
    """A net as a table and as boxes."""

    net: Net
    shape: Shape  # of its output, (C, H, W)
    table: Table
    boxes: list[Box]
    field: Seen | None  # px of the photo; None where it was not measured
    over_photo: bool = False  # beside these px it is told numbers of the whole photo

    @property
    def title(self) -> str:
        """What heads its table and drawing."""
        return f"{self.net.role}: {self.net.kind}"

    @property
    def facts(self) -> list[str]:
        """Its figures in words."""
        whole = self.table
        found = [f"{shape_words(self.net.shape)} → {shape_words(self.shape)}"]
        found += [f"{whole.parameters:,} parameters"] if whole.parameters else []
        found += [f"{whole.frozen:,} frozen parameters"] if whole.frozen else []
        found += [f"{whole.statistics:,} statistics"] if whole.statistics else []
        found.append(macs_words(whole.macs))
        if self.net.fixed:
            return [*found, "sees the whole photo"]
        told = "numbers of the whole photo" if self.over_photo else ""
        seen = " and ".join(words for words in (str(self.field or ""), told) if words)
        return [*found, f"sees {seen}"] if seen else found


def nets_of(recipe: Recipe, crop_px: int | None = None) -> tuple[Net, ...]:
    """The nets of a recipe, at its last phase's crop or another.

    crop_px: side of the sharp photo, px. Raises InputError for a crop that a net cannot take.
    """
    train = recipe.train
    crop = train.phases[-1].crop_px if crop_px is None else crop_px
    _check_crop(train, crop)
    generator = train.generator
    input = (3 * generator.window, crop // generator.scale, crop // generator.scale)
    own = Net(
        "generator",
        "generator",
        generator.kind,
        first_line(generator),
        input,
        lambda: generator.build(train.seed),
        stride=generator.stride,
    )
    return (own, *_discriminators(train, crop), *_features(train, crop))


def describe_net(net: Net) -> Described:
    """Trace a net and measure what it sees."""
    with torch.device("meta"):
        built = net.build()
    seen = trace(built, net.shape)
    found = table(seen)
    drawn = boxes(seen)
    field = None if net.fixed else _field(net, found.macs)
    return Described(net, seen.calls[0].shape, found, drawn, field, told_of_whole_photo(built))


def _check_crop(train: TrainConfig, crop: int) -> None:
    multiple = train.generator.stride * train.generator.scale
    if crop < multiple or crop % multiple:
        raise InputError(
            f"--crop {crop} must be a multiple of {multiple}, the generator's stride times its scale"
        )
    for discriminator in train.discriminators:
        if discriminator.fixed_px not in (None, crop):
            raise InputError(
                f"--crop {crop} must be {discriminator.fixed_px}: the dense head of {discriminator.kind}"
                " takes that size alone; leave --crop out"
            )
        if crop < discriminator.smallest_px:
            raise InputError(
                f"--crop {crop} is too small for {discriminator.kind}: it needs {discriminator.smallest_px}"
                " px or more"
            )
    for _, part in train.content_losses():
        if crop < part.smallest_px:
            raise InputError(
                f"--crop {crop} is too small for {part.kind}: it needs {part.smallest_px} px or more"
            )


def _discriminators(train: TrainConfig, crop: int) -> Iterator[Net]:
    side = crop // train.generator.scale
    photo = torch.empty(1, 3, crop, crop, device="meta")
    input = torch.empty(1, 3 * train.generator.window, side, side, device="meta")
    for index, discriminator in enumerate(train.discriminators):
        shape = tuple(discriminator_view(discriminator, photo, input).shape[1:])
        build = lambda discriminator=discriminator, index=index: discriminator.build(train.seed, index)  # noqa: E731
        least = -(-discriminator.smallest_px // discriminator.shrink)
        yield Net(
            f"discriminator_{index}",
            f"discriminator {index}",
            discriminator.kind,
            first_line(discriminator),
            shape,
            build,
            shrink=discriminator.shrink,
            least_px=least,
            fixed=discriminator.fixed_px is not None,
        )


def _features(train: TrainConfig, crop: int) -> Iterator[Net]:
    parts = [part for _, part in train.content_losses()]
    for backbone, layer, imagenet in dict.fromkeys(
        (part.backbone, part.layer, part.imagenet) for part in parts if isinstance(part, Perceptual)
    ):
        build = lambda backbone=backbone, layer=layer, imagenet=imagenet: Features(backbone, layer, imagenet)  # noqa: E731
        about = "Frozen ImageNet features of the perceptual loss (Simonyan & Zisserman 2015)."
        name = f"features_{backbone}_{layer}" + ("_imagenet" if imagenet else "")
        yield Net(name, "features", f"{backbone} up to {layer}", about, (3, crop, crop), build)
    for of_lpips in dict.fromkeys(part.backbone for part in parts if isinstance(part, LPIPS)):
        build_layers = lambda of_lpips=of_lpips: LPIPSNet(of_lpips).layers  # noqa: E731
        about = "Frozen ImageNet features of LPIPS, looked at behind five rectifiers (Zhang et al. 2018)."
        least, shape = SMALLEST_OF_LPIPS_PX[of_lpips], (3, crop, crop)
        yield Net(
            f"features_{of_lpips}_lpips", "features", of_lpips, about, shape, build_layers, least_px=least
        )


def _field(net: Net, macs: int) -> Seen | None:
    """The receptive field in px of the photo, on a strip that is widened until its border is out of
    sight or the work too much.
    """
    channels, height, width = net.shape
    low = -(-max(net.least_px, STRIP_PX) // net.stride) * net.stride
    wide = max(256 // net.stride, 1) * net.stride
    found = None
    while (
        macs * low * wide / (height * width) < MEASURE_MACS and wide <= 1024 and (found is None or found.cut)
    ):
        found = receptive_field(net.build(), channels, low, wide)
        wide *= 2
    return Seen(found.px * net.shrink, found.cut) if found else None


def first_line(part: object) -> str:
    """What a part's class says it is."""
    first = (type(part).__doc__ or "").strip().split("\n\n")[0]
    return " ".join(first.split())
