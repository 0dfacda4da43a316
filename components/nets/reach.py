"""How far a generator looks, measured: how wide a border a tile needs for what lies inside it to be
what the whole photo would give.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from components.nets.generators import Generator, GeneratorPart
from components.nets.modules.over_photo import OverPhoto

FIRST_PX = 512  # length of the first strip it is measured on
NARROW = {"width": 4, "widest": 4, "up_width": 4, "input_range": "signed"}


def reach_of(part: Generator | GeneratorPart) -> int | None:
    """`reach_px`; None of a net that moves frames: how far it fetches a px depends on what it is shown."""
    return None if part.aligns else reach_px(part)


@functools.cache
def reach_px(part: Generator | GeneratorPart) -> int:
    """The farthest px of the input that one cell of the net's grid (its stride) depends on, beyond the
    cell's own border; a multiple of the stride. What looks over the whole photo is left out.

    Measured on a net of the same layers, narrow, of positive weights: where an input of zeros but for
    one cell gives something else than zero, the output depends on that cell.
    """
    fields = {name: value for name, value in NARROW.items() if name in type(part).model_fields}
    narrow = part.model_copy(update=fields)
    net = narrow.build(0).eval()
    _make_positive(net)
    stride = part.stride
    height = max(stride, part.smallest_px)
    length = max(FIRST_PX, 4 * stride)
    while True:
        cells = length // stride
        strip = torch.zeros(1, 3 * part.window, height, cells * stride)
        begin = cells // 2 * stride
        strip[..., begin : begin + stride] = 1.0
        with torch.inference_mode():
            felt = net(strip)[0].ne(0).flatten(0, 1).any(0).nonzero()
        first, last = int(felt.min()) // part.scale, int(felt.max()) // part.scale
        if first > 0 and last < cells * stride - 1:
            beyond = max(begin - first, last + 1 - begin - stride, 0)
            return -(-beyond // stride) * stride
        length *= 2


def looking(net: nn.Module) -> list[OverPhoto]:
    """The layers that look over the whole photo, as they are set."""
    return [layer for layer in net.modules() if isinstance(layer, OverPhoto) and layer.looks_over_photo]


@torch.no_grad()
def _make_positive(net: nn.Module) -> None:
    """Zero stays zero, and what is more than zero stays so: positive weights, no shifts, no norms."""
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, OverPhoto):
                setattr(module, name, child.looking_as_far())
            elif isinstance(child, nn.BatchNorm2d | nn.LayerNorm):
                setattr(module, name, nn.Identity())
    for name, parameter in net.named_parameters():
        parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d):
            module.register_forward_hook(_as_one)


def _as_one(module: nn.Module, args: tuple[Tensor, ...], result: Tensor) -> Tensor:
    """Behind each convolution 0 or 1: sums over many layers would leave float32's range."""
    return result.ne(0).to(result.dtype)
