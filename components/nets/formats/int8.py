"""A generator's convolutions in whole numbers of 8 bits, their ranges taken from photos (torchao's
PT2E).

Inputs and weights of convolutions are rounded, a scale a channel for weights; all but the last, which
makes the photo or what is added to it. What is rounded matters more than how it is calibrated: with the
photo's addition at the end rounded, or the outputs that instance normalisation reads, 0.03 to 0.25 dB
are lost, with the input of the last convolution up to 0.07, without them 0.000 to 0.009
(benchmarks/exports.py).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from components.core.errors import InputError
from components.core.seeds import stream
from components.nets.formats.onnx_writer import UnitRange, example_for, free_sizes, quiet
from components.nets.formats.part import Photo, PhotoPair

if TYPE_CHECKING:
    from components.nets.restore import Restorer


def calibrated(restorer: Restorer, photos: Sequence[Photo], crop_px: int) -> nn.Module:
    """The generator as a graph whose convolutions are quantised, [0, 1] to [0, 1].

    photos: inputs (H, W, 3) in [0, 1], at least one; crop_px: side of the middle of each that is
    looked at. Raises InputError without photos.
    """
    _need(photos)
    with quiet():
        prepared = _prepared(restorer, aware=False)
        with torch.no_grad():
            for photo in photos:
                prepared(_tensor(_cut(photo, _middle(photo, _side(photo, crop_px, restorer)))))
        return _converted(prepared)


def trained(
    restorer: Restorer, pairs: Sequence[PhotoPair], crop_px: int, *, images: int, batch: int, lr: float
) -> nn.Module:
    """The same, its weights trained for so many images with the rounding in place.

    pairs: inputs (H, W, 3) and targets (scale · H, scale · W, 3) in [0, 1], at least one. Crops are
    drawn by a fixed seed: the same pairs give the same net. Raises InputError without pairs.
    """
    _need(pairs)
    rng, scale = stream("int8-aware training"), restorer.scale
    with quiet():
        prepared = _prepared(restorer, aware=True)
        optimizer = torch.optim.Adam(prepared.parameters(), lr)
        least = min(_side(input, crop_px, restorer) for input, _ in pairs)
        for _ in range(-(-images // batch)):
            inputs, targets = [], []
            for place in rng.integers(len(pairs), size=batch):
                input, target = pairs[int(place)]
                corner = tuple(int(rng.integers(side - least + 1)) for side in input.shape[:2])
                inputs.append(_tensor(_cut(input, (*corner, least))))
                targets.append(_tensor(_cut(target, tuple(scale * each for each in (*corner, least)))))
            loss = (prepared(torch.cat(inputs)) - torch.cat(targets)).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return _converted(prepared)


def _need(photos: Sequence[object]) -> None:
    if not photos:
        raise InputError(
            "8 bits need photos to take ranges from, and there are none; give the pairs of the training"
        )


def _prepared(restorer: Restorer, *, aware: bool) -> nn.Module:
    """The generator as a graph that watches the ranges of what its convolutions are given."""
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e, prepare_qat_pt2e
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        X86InductorQuantizer,
        get_default_x86_inductor_quantization_config,
    )

    # The annotations are x86's by name; what they say holds for any runtime.
    quantizer = X86InductorQuantizer()
    quantizer.set_global(get_default_x86_inductor_quantization_config(is_qat=aware))
    # Copied, since training would change the restorer's own weights.
    net, example = UnitRange(copy.deepcopy(restorer.net).cpu()), example_for(restorer)
    last, layer = _last_convolution(net, example)
    if isinstance(layer, nn.Conv2d):  # a transposed one is not rounded anyway
        quantizer.set_module_name_qconfig(last, None)
    graph = torch.export.export(net, (example,), dynamic_shapes=free_sizes())
    made: nn.Module = (prepare_qat_pt2e if aware else prepare_pt2e)(graph.module(), quantizer)
    return made


def _last_convolution(net: nn.Module, example: torch.Tensor) -> tuple[str, nn.Module]:
    """The one that runs behind all others: its name in the net, and itself."""
    run: list[tuple[str, nn.Module]] = []
    hooks = [
        layer.register_forward_hook(lambda layer, _, __, name=name: run.append((name, layer)))
        for name, layer in net.named_modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    ]
    with torch.no_grad():
        net(example)
    for hook in hooks:
        hook.remove()
    return run[-1]


def _converted(prepared: nn.Module) -> nn.Module:
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    made: nn.Module = convert_pt2e(prepared)
    return made


def _side(photo: Photo, crop_px: int, restorer: Restorer) -> int:
    """The largest side that a square crop of a photo can have: a multiple of the stride, crop_px at the
    most. Raises InputError when the photo is smaller than the net takes.
    """
    found: int = min(*photo.shape[:2], crop_px) // restorer.stride * restorer.stride
    if found < max(restorer.smallest_px, 1):
        raise InputError(
            f"a training photo of {photo.shape[1]} × {photo.shape[0]} px is smaller than the"
            f" {restorer.smallest_px} px that this generator takes; 8 bits cannot be made of it"
        )
    return found


def _middle(photo: Photo, side: int) -> tuple[int, int, int]:
    return (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2, side


def _cut(photo: Photo, place: tuple[int, ...]) -> Photo:
    """A square: top, left, side."""
    top, left, side = place
    return photo[top : top + side, left : left + side]


def _tensor(photo: Photo) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(photo, np.float32)).permute(2, 0, 1)[None]
