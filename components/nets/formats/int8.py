"""A generator's convolutions in whole numbers of 8 bits, their ranges taken from photos (torchao's
PT2E).

Inputs and weights of convolutions are rounded, a scale a channel for weights. What is rounded
matters more than how it is calibrated: rounding the photo's addition at the end, or the outputs that
instance normalisation reads, loses 0.03 to 0.25 dB where this loses 0.001 to 0.009.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from components.core.errors import InputError
from components.nets.formats.onnx_writer import UnitRange, example_for, free_sizes, quiet
from components.nets.formats.part import Photo

if TYPE_CHECKING:
    from components.nets.restore import Restorer


def calibrated(restorer: Restorer, photos: Sequence[Photo], crop_px: int) -> nn.Module:
    """The generator as a graph whose convolutions are quantised, [0, 1] to [0, 1].

    photos: inputs (H, W, 3) in [0, 1], at least one; crop_px: side of the middle of each that is
    looked at. Raises InputError without photos.
    """
    if not photos:
        raise InputError(
            "8 bits need photos to take ranges from, and there are none; give the pairs of the training"
        )
    with quiet():
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
            X86InductorQuantizer,
            get_default_x86_inductor_quantization_config,
        )

        # The annotations are x86's by name; what they say holds for any runtime.
        quantizer = X86InductorQuantizer()
        quantizer.set_global(get_default_x86_inductor_quantization_config())
        restorer.net.cpu()
        graph = torch.export.export(
            UnitRange(restorer.net), (example_for(restorer),), dynamic_shapes=free_sizes()
        )
        prepared = prepare_pt2e(graph.module(), quantizer)
        with torch.no_grad():
            for photo in photos:
                prepared(_middle(photo, crop_px, restorer.stride, restorer.smallest_px))
        made: nn.Module = convert_pt2e(prepared)
    return made


def _middle(photo: Photo, crop_px: int, stride: int, smallest_px: int) -> torch.Tensor:
    """The middle of a photo as (1, 3, h, w), its sides multiples of the stride and no more than
    crop_px; a smaller photo is reflected or repeated to the least size.
    """
    for axis in (0, 1):
        least = stride * -(-max(smallest_px, stride) // stride)
        while photo.shape[axis] < least:
            photo = np.concatenate([photo, np.flip(photo, axis)], axis=axis)
        side = min(photo.shape[axis], max(crop_px, least)) // stride * stride
        start = (photo.shape[axis] - side) // 2
        photo = photo.take(range(start, start + side), axis)
    return torch.from_numpy(np.ascontiguousarray(photo, np.float32)).permute(2, 0, 1)[None]
