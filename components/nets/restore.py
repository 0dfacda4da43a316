"""Use a trained generator: any photo size, bounded memory. This file and its neighbours travel
inside every registered model.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from pydantic import Field, ValidationError, model_validator
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from components.core.errors import InputError, LineageError
from components.core.files import atomic_path, sha256_of_file, write_text
from components.core.levels import Pixels, bits_of, to_float, to_pixels
from components.core.parts import Part
from components.core.records import Checkpoint
from components.core.seeds import seed_of
from components.nets.generators import Generator, GeneratorPart
from components.nets.modules.norms import SharedBatchNorm2d
from components.nets.tiles import Strip, joined

WEIGHTS, CONFIG = Checkpoint.WEIGHTS, Checkpoint.CONFIG
OVERLAP_PX = 64
Photo = np.ndarray[Any, np.dtype[np.float32]]


class GeneratorFile(Part):
    """generator.json: what a folder of weights is."""

    format: int = Field(1, description="version of this layout")
    generator: Generator
    scale: int = Field(1, ge=1, description="output size over input size")

    @model_validator(mode="after")
    def _scale_is_the_generators(self) -> Self:
        if self.scale != self.generator.scale:
            raise ValueError(
                f"scale is {self.scale}, yet the generator enlarges {self.generator.scale} times: the file"
                " was altered, take it from its training"
            )
        return self


def save_generator(folder: Path, config: Generator, weights: dict[str, Tensor]) -> tuple[str, str]:
    """Write weights (safetensors) and config (JSON) into a folder; gives the SHA-256 of both files."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file({name: _plain(tensor) for name, tensor in weights.items()}, temporary)
    write_text(
        folder / CONFIG,
        json.dumps(GeneratorFile(generator=config, scale=config.scale).model_dump(mode="json"), indent=2)
        + "\n",
    )
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
        raise LineageError(
            f"{folder} holds no generator this version can load ({first}); it needs {WEIGHTS} and {CONFIG}"
            " from one training"
        ) from error
    return Restorer(net, config.generator, device=device, tile_px=tile_px)


def for_use(net: nn.Module, part: GeneratorPart) -> nn.Module:
    """Put a net into the mode it restores in: evaluation, with dropout or the photo's own
    statistics where its part says so.

    Neither mode writes to the running means. `net.train()` and `net.eval()` work as ever
    afterwards, but that the photo's own statistics stay chosen for evaluation.
    """
    net.eval()
    for layer in net.modules():
        if isinstance(layer, nn.Dropout):
            layer.train(part.test_time_dropout)
        elif isinstance(layer, SharedBatchNorm2d):
            layer.photo_statistics = part.test_time_statistics == "photo"
    return net


class Restorer:
    """A generator ready for photos of any size.

    A photo whose restoration is up to tile_px on its longer side goes through whole; a larger one
    in overlapping tiles, joined by a linear ramp, so that memory stays that of one tile. Tiling
    changes the result slightly where a net normalises or attends over the photo. Where dropout
    stays on, it is drawn from one fixed seed a photo: the same photo, size and kind of device
    restore the same.
    """

    def __init__(
        self, net: nn.Module, part: GeneratorPart, *, device: str | None = None, tile_px: int = 1024
    ) -> None:
        """tile_px: in px of the restored photo; an enlarging net is given tiles as many times
        smaller, but never less than its overlap needs.
        """
        if tile_px < 4 * OVERLAP_PX:
            raise InputError(
                f"tile_px must be at least {4 * OVERLAP_PX} (tiles overlap by {OVERLAP_PX} px on each side),"
                f" got {tile_px}"
            )
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.net = for_use(net.to(self.device), part)
        self.stride, self.scale, self.smallest_px = part.stride, part.scale, part.smallest_px
        self.tile_px = tile_px
        # In px of the input. What SRResNet sees beyond 16 px changes a tile by a tenth of a
        # level; 64 would double the work of its small tiles.
        self._overlap = OVERLAP_PX if self.scale == 1 else OVERLAP_PX // 2
        self._tile = max(tile_px // self.scale, 4 * self._overlap, self.stride + 2 * self._overlap)
        self._noisy = part.test_time_dropout

    def restore(self, photo: Photo) -> Photo:
        """(H, W, 3) float32 in [0, 1] to (scale · H, scale · W, 3), not clipped: values outside
        tell of a net that runs away.

        Raises InputError for another shape.
        """
        _refuse_other_shapes(photo)
        result = np.empty((self.scale * photo.shape[0], self.scale * photo.shape[1], 3), np.float32)
        for rows, columns, piece in self._pieces(photo):
            result[rows, columns] = piece
        return result

    def restore_pixels(self, pixels: Pixels) -> Pixels:
        """(H, W, 3) uint8 or uint16 to the same of (scale · H, scale · W, 3): what lies outside is
        clipped. Beside the two pictures this takes the memory of a few tiles.

        Raises InputError for another shape.
        """
        _refuse_other_shapes(pixels)
        bits = bits_of(pixels)
        result = np.empty((self.scale * pixels.shape[0], self.scale * pixels.shape[1], 3), pixels.dtype)
        for rows, columns, piece in self._pieces(pixels):
            result[rows, columns] = to_pixels(piece, bits)
        return result

    def _pieces(self, photo: Pixels) -> Iterator[tuple[slice, slice, Photo]]:
        """The restored photo's pieces, and the rows and columns that they fill."""
        height, width = photo.shape[:2]
        rows, columns = (_spans(side, self._tile, self.stride, self._overlap) for side in (height, width))
        with self._same_noise():
            if max(height, width) <= self._tile:
                yield slice(None), slice(None), self._whole(to_float(photo))
                return
            yield from joined(
                [self._strip(span, height) for span in rows],
                [self._strip(span, width) for span in columns],
                lambda row, column: self._whole(to_float(photo[rows[row], columns[column]])),
            )

    def _strip(self, span: slice, length: int) -> Strip:
        place = slice(self.scale * span.start, self.scale * span.stop)
        return Strip(place, _ramp(place, self.scale * length, self.scale * self._overlap))

    @contextlib.contextmanager
    def _same_noise(self) -> Iterator[None]:
        """Dropout's draws begin at one place for every photo, and leave the process's own random
        numbers as they were.
        """
        if not self._noisy:
            yield
            return
        on_gpu = self.device.type == "cuda"
        with torch.random.fork_rng(devices=[self.device] if on_gpu else []):
            seed = seed_of("test-time dropout")
            if on_gpu:
                with torch.cuda.device(self.device):
                    torch.cuda.manual_seed(seed)
            else:
                torch.default_generator.manual_seed(seed)
            yield

    @torch.inference_mode()
    def _whole(self, photo: Photo) -> Photo:
        height, width = photo.shape[:2]
        x = (
            torch.from_numpy(np.ascontiguousarray(photo, np.float32)).permute(2, 0, 1)[None].to(self.device)
            * 2
            - 1
        )
        # Reflection needs more px than it adds; a photo smaller than the padding is extended by its
        # edge instead.
        down, right = (max(-side % self.stride, self.smallest_px - side) for side in (height, width))
        x = F.pad(x, (0, right, 0, down), mode="reflect" if down < height and right < width else "replicate")
        y = self.net(x)[:, :, : self.scale * height, : self.scale * width]
        result: Photo = ((y + 1) / 2)[0].permute(1, 2, 0).float().cpu().numpy()
        return result


def _refuse_other_shapes(photo: Pixels) -> None:
    if photo.ndim != 3 or photo.shape[2] != 3 or min(photo.shape[:2]) < 1:
        raise InputError(
            f"a photo must be (height, width, 3), got shape {photo.shape}; repeat a grey photo three"
            " times and drop alpha"
        )


def _plain(tensor: Tensor) -> Tensor:
    """On the processor, in memory order, float32; counters stay whole numbers."""
    there = tensor.detach().cpu().contiguous()
    return there.float() if there.is_floating_point() else there


def _spans(length: int, tile: int, stride: int, overlap: int) -> list[slice]:
    """The tiles along one axis, evenly spread. They begin on the net's own grid, so that a tile
    sees what the whole photo would show.
    """
    if length <= tile:
        return [slice(0, length)]
    # Rounding up to the grid parts two tiles by up to stride - 1 px more; each pair must still
    # share its ramp.
    furthest = min(tile - 2 * overlap, tile - overlap - stride + 1)
    count = -(-(length - tile) // furthest) + 1
    starts = sorted(
        {-(-index * (length - tile) // ((count - 1) * stride)) * stride for index in range(count)}
    )
    return [slice(start, length if start == starts[-1] else start + tile) for start in starts]


def _ramp(span: slice, length: int, overlap: int) -> Photo:
    """Weight of a tile along one axis: 1 inside, falling over the overlap, but not at the photo's
    own border.

    The outer half of the overlap counts next to nothing: there the net saw the tile's border, not
    what lies beyond it.
    """
    weight = np.ones(span.stop - span.start, np.float32)
    rising = np.maximum(np.linspace(-1.0, 1.0, overlap, dtype=np.float32), 1e-6)
    if span.start > 0:
        weight[:overlap] = rising
    if span.stop < length:
        weight[-overlap:] = rising[::-1]
    return weight
