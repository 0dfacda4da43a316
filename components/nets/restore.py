"""Use a trained generator: any photo size, bounded memory. This file and its neighbours travel inside every registered model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field, ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from components.core.errors import InputError, LineageError
from components.core.files import sha256_of_file, write_text
from components.core.parts import Part
from components.core.records import Checkpoint
from components.nets.generators import Generator

WEIGHTS, CONFIG = Checkpoint.WEIGHTS, Checkpoint.CONFIG
OVERLAP_PX = 64


class GeneratorFile(Part):
    """generator.json: what a folder of weights is."""

    format: int = Field(1, description="version of this layout")
    generator: Generator
    scale: int = Field(1, ge=1, description="output size over input size")


def save_generator(folder: Path, config: Generator, weights: dict[str, Tensor]) -> tuple[str, str]:
    """Write weights (safetensors) and config (JSON) into a folder; gives the SHA-256 of both files."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)
    write_text(folder / CONFIG, json.dumps(GeneratorFile(generator=config).model_dump(mode="json"), indent=2) + "\n")
    return sha256_of_file(folder / WEIGHTS), sha256_of_file(folder / CONFIG)


def load_restorer(folder: Path, *, device: str | None = None, tile_px: int = 1024) -> Restorer:
    """Read a generator folder. No pickle is opened.

    Raises LineageError when a file is missing or does not fit the other.
    """
    try:
        config = GeneratorFile.model_validate_json((folder / CONFIG).read_bytes())
        net = config.generator.build(seed=0)
        net.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValidationError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise LineageError(f"{folder} holds no generator this version can load ({first}); it needs {WEIGHTS} and {CONFIG} from one training") from error
    return Restorer(net, stride=config.generator.stride, device=device, tile_px=tile_px)


class Restorer:
    """A generator in evaluation mode, ready for photos of any size.

    A photo up to tile_px on its longer side goes through whole; a larger one in overlapping tiles, joined by a linear ramp over
    64 px, so that memory stays that of one tile. Tiling changes the result slightly where a net normalises over the photo.
    """

    def __init__(self, net: nn.Module, *, stride: int, device: str | None = None, tile_px: int = 1024) -> None:
        if tile_px < 4 * OVERLAP_PX:
            raise InputError(f"tile_px must be at least {4 * OVERLAP_PX} (tiles overlap by {OVERLAP_PX} px on each side), got {tile_px}")
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.net = net.to(self.device).eval()
        self.stride = stride
        self.tile_px = tile_px

    def restore(self, photo: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """(H, W, 3) float32 in [0, 1] to the same shape, not clipped: values outside tell of a net that runs away.

        Raises InputError for another shape.
        """
        if photo.ndim != 3 or photo.shape[2] != 3 or min(photo.shape[:2]) < 1:
            raise InputError(f"a photo must be (height, width, 3), got shape {photo.shape}; repeat a grey photo three times and drop alpha")
        height, width = photo.shape[:2]
        if max(height, width) <= self.tile_px:
            return self._whole(photo)
        total = np.zeros((height, width, 3), np.float32)
        share = np.zeros((height, width, 1), np.float32)
        for rows in _spans(height, self.tile_px, self.stride):
            for columns in _spans(width, self.tile_px, self.stride):
                ramp = _ramp(rows, height)[:, None, None] * _ramp(columns, width)[None, :, None]
                total[rows, columns] += self._whole(photo[rows, columns]) * ramp
                share[rows, columns] += ramp
        return np.asarray(total / share, np.float32)

    @torch.inference_mode()
    def _whole(self, photo: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        height, width = photo.shape[:2]
        x = torch.from_numpy(np.ascontiguousarray(photo, np.float32)).permute(2, 0, 1)[None].to(self.device) * 2 - 1
        # Reflection needs more px than it adds; a photo smaller than the padding is extended by its edge instead.
        down, right = (-height) % self.stride, (-width) % self.stride
        x = F.pad(x, (0, right, 0, down), mode="reflect" if down < height and right < width else "replicate")
        y = self.net(x)[:, :, :height, :width]
        result: np.ndarray[Any, np.dtype[np.float32]] = ((y + 1) / 2)[0].permute(1, 2, 0).float().cpu().numpy()
        return result


def _spans(length: int, tile: int, stride: int) -> list[slice]:
    """The tiles along one axis, evenly spread. They begin on the net's own grid, so that a tile sees what the whole photo would show."""
    if length <= tile:
        return [slice(0, length)]
    count = -(-(length - 2 * OVERLAP_PX) // (tile - 2 * OVERLAP_PX))
    starts = [index * (length - tile) // (count - 1) // stride * stride for index in range(count)]
    return [slice(start, length if start == starts[-1] else start + tile) for start in starts]


def _ramp(span: slice, length: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Weight of a tile along one axis: 1 inside, falling over the overlap, but not at the photo's own border.

    The outermost quarter of the overlap counts next to nothing: there the net saw the tile's reflected border.
    """
    weight = np.ones(span.stop - span.start, np.float32)
    rising = np.maximum(np.linspace(-1 / 3, 1.0, OVERLAP_PX, dtype=np.float32), 1e-6)
    if span.start > 0:
        weight[:OVERLAP_PX] = rising
    if span.stop < length:
        weight[-OVERLAP_PX:] = rising[::-1]
    return weight
