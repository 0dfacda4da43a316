"""In which arithmetic and order of memory a training computes."""

from __future__ import annotations

from pydantic import Field

from components.core.parts import Part
from components.nets.choices import Precision


class Arithmetic(Part):
    """What changes a training's speed and its rounding, and nothing else."""

    precision: Precision = Field(
        "fp32",
        description=(
            "fp32: IEEE float32 on every device; tf32: factors of 10 bits on NVIDIA's GPUs; bf16: forward"
            " passes and the gradient penalty under autocast, weights and losses in IEEE float32"
        ),
    )
    deterministic: bool = Field(
        False,
        description=(
            "the same bits each time on the same device; slower on a GPU, and refused by torch where an"
            " operation has no such way. Processors give the same bits without it"
        ),
    )
    channels_last: bool = Field(
        False, description="memory layout NHWC; measure before use, it hurts some nets"
    )
    compile: bool = Field(
        False,
        description=(
            "torch.compile of the generator, the discriminators, their penalties and the losses that look"
            " through a net: fewer and larger operations, which a GPU wants; minutes at the start"
        ),
    )
