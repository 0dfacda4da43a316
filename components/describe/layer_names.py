"""What layers and operations are called in tables and drawings."""

from __future__ import annotations

import re

from torch import nn

from components.describe.trace import Operation, Shape

LETTER = 6.9  # px, mean width of a letter of 12 px in the common sans-serif fonts, generously
JOINS = {"add": "addition", "cat": "concatenation", "mul": "multiplication", "sub": "subtraction"}
LAYERS = {
    "InstanceNorm2d": "instance norm",
    "BatchNorm2d": "batch norm",
    "SharedBatchNorm2d": "batch norm",
    "ReLU": "ReLU",
    "LeakyReLU": "leaky ReLU",
    "PReLU": "PReLU",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "PixelShuffle": "pixel shuffle",
}
FUNCTIONS = {
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "clamp": "clamp",
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "pixel_shuffle": "pixel shuffle",
    "pixel_unshuffle": "fold",
    "max_pool2d_with_indices": "max pool ↓{}",
    "avg_pool2d": "mean pool ↓{}",
    "upsample_nearest2d": "nearest ↑{}",
    "upsample_bilinear2d": "bilinear ↑{}",
    "upsample_bicubic2d": "bicubic ↑{}",
}


def function_words(done: Operation, before: Shape = ()) -> str:
    """An operation's word, with the factor by which it changes the side where `before` tells the
    shape it takes; empty for one that needs none.
    """
    if done.word == "leaky_relu" and done.slope == 0:
        return FUNCTIONS["relu"]
    factor = max(done.shape[-1] // before[-1], before[-1] // done.shape[-1]) if before else ""
    return FUNCTIONS.get(done.word, "").format(factor).strip()


def work_words(done: Operation) -> list[str]:
    """The lines for a convolution or a dense layer."""
    found = done.convolution
    if found is None:
        return ["dense"]
    size = "×".join(str(length) for length in found.size)
    if found.transposed:
        return ["transposed", f"conv {size} ↑{found.stride}"]
    return [
        f"{'depthwise' if found.per_channel else 'conv'} {size}"
        + (f" ↓{found.stride}" if found.stride > 1 else "")
    ]


def layer_words(module: nn.Module) -> str:
    """A layer's word for a drawing; empty for those that say nothing there (padding, cropping) or
    are said by what they do.
    """
    if isinstance(module, nn.Dropout | nn.Dropout2d):
        return f"dropout {module.p:g}"
    return LAYERS.get(type(module).__name__, "")


def spaced(name: str) -> str:
    """Words of a class's name.

    >>> spaced("ResidualBlock")
    'residual block'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def shape_words(shape: Shape) -> str:
    """A shape without its batch.

    >>> shape_words((64, 128, 128))
    '64×128×128'
    """
    return "×".join(str(length) for length in shape)


def big(number: float) -> str:
    """A count with three figures and a letter.

    >>> big(11_378_179), big(663_745), big(56_900_000_000), big(12)
    ('11.4 M', '664 k', '56.9 G', '12')
    """
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit * 0.9995:
            return f"{float(f'{number / limit:.3g}'):g} {letter}"
    return f"{number:g}"


def macs_words(macs: int) -> str:
    """Multiply-accumulates in words.

    >>> macs_words(49_551_507_456), macs_words(12)
    ('49.6 GMACs', '12 MACs')
    """
    text = big(macs)
    return f"{text}{'' if text[-1].isalpha() else ' '}MACs"
