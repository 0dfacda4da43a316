"""The generators, one class a kind. The union `Generator` is the registry: a new kind is a class in
a file here and a word in it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.nets.attention import Attention
from components.nets.generators.conv_unet import ConvUNet
from components.nets.generators.mobile import Mobile
from components.nets.generators.nafnet import NAFNet
from components.nets.generators.part import GeneratorPart
from components.nets.generators.resnet import ResNet
from components.nets.generators.srresnet import SRResNet
from components.nets.generators.unet import UNet
from components.nets.generators.video import Video3D, VideoFlow
from components.nets.generators.wiener_unet import WienerUNet

__all__ = [
    "Attention",
    "ConvUNet",
    "Generator",
    "GeneratorPart",
    "Mobile",
    "NAFNet",
    "ResNet",
    "SRResNet",
    "UNet",
    "Video3D",
    "VideoFlow",
    "WienerUNet",
]

Generator = Annotated[
    ResNet | SRResNet | UNet | ConvUNet | NAFNet | Mobile | Video3D | VideoFlow | WienerUNet,
    Field(discriminator="kind"),
]
