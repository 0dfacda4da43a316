"""The discriminators, one class a kind; the union `Discriminator` is the registry: a new kind is a
class here and a word in it.

They give logits, never probabilities (but for the DeblurGAN guide's head, PatchDense); what the
logits mean is the adversarial loss's affair.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.nets.discriminators.dense import PatchDense
from components.nets.discriminators.part import DiscriminatorPart
from components.nets.discriminators.patch import PatchGAN, Pixel, TemporalPatchGAN
from components.nets.discriminators.srgan import SRGANDiscriminator
from components.nets.discriminators.unet import UNetDiscriminator

Discriminator = Annotated[
    PatchGAN | TemporalPatchGAN | Pixel | PatchDense | SRGANDiscriminator | UNetDiscriminator,
    Field(discriminator="kind"),
]

__all__ = [
    "Discriminator",
    "DiscriminatorPart",
    "PatchDense",
    "PatchGAN",
    "Pixel",
    "SRGANDiscriminator",
    "TemporalPatchGAN",
    "UNetDiscriminator",
]
