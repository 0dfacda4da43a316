"""Use a trained generator: any photo size, bounded memory. This file and its neighbours travel
inside every registered model.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import torch
from pydantic import Field, ValidationError, model_validator
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from components.core.errors import LineageError
from components.core.files import atomic_path, sha256_of_file, write_text
from components.core.parts import Part
from components.core.records import Checkpoint
from components.core.seeds import seed_of
from components.nets.generators import Generator, GeneratorPart
from components.nets.modules.norms import SharedBatchNorm2d
from components.nets.tiling import Photo, TiledRestorer

WEIGHTS, CONFIG = Checkpoint.WEIGHTS, Checkpoint.CONFIG


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


class Restorer(TiledRestorer):
    """A generator ready for photos of any size, run by torch.

    Where dropout stays on, it is drawn from one fixed seed a photo: the same photo, size and kind of
    device restore the same.
    """

    def __init__(
        self, net: nn.Module, part: GeneratorPart, *, device: str | None = None, tile_px: int = 1024
    ) -> None:
        """tile_px: in px of the restored photo, as TiledRestorer has it."""
        super().__init__(stride=part.stride, scale=part.scale, smallest_px=part.smallest_px, tile_px=tile_px)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.net, self.part = for_use(net.to(self.device), part), part
        self._noisy, self._ensemble = part.test_time_dropout, part.test_time_ensemble

    def without_dropout(self) -> Restorer:
        """The same weights with dropout off: another restorer, whose part says so."""
        part = self.part.model_copy(update={"test_time_dropout": False})
        return Restorer(copy.deepcopy(self.net), part, device=str(self.device), tile_px=self.tile_px)

    @contextlib.contextmanager
    def _one_photo(self) -> Iterator[None]:
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

    def _is_out_of_memory(self, error: Exception) -> bool:
        if isinstance(error, torch.OutOfMemoryError):
            torch.cuda.empty_cache()
            return True
        # On the processor torch raises a plain RuntimeError.
        return super()._is_out_of_memory(error) or "not enough memory" in str(error)

    @torch.inference_mode()
    def _whole(self, photo: Photo) -> Photo:
        height, width = photo.shape[:2]
        x = (
            torch.from_numpy(np.ascontiguousarray(photo, np.float32)).permute(2, 0, 1)[None].to(self.device)
            * 2
            - 1
        )
        down, right, reflected = self._padding(height, width)
        x = F.pad(x, (0, right, 0, down), mode="reflect" if reflected else "replicate")
        y = self._answer(x)[:, :, : self.scale * height, : self.scale * width]
        result: Photo = ((y + 1) / 2)[0].permute(1, 2, 0).float().cpu().numpy()
        return result

    def _answer(self, x_NCHW: Tensor) -> Tensor:
        """What the net makes of a photo, or the mean of what it makes of its eight turns and mirrors."""
        if not self._ensemble:
            answer: Tensor = self.net(x_NCHW)
            return answer
        answers = []
        for mirrored in (False, True):
            for turns in range(4):
                turned = torch.rot90(x_NCHW.flip(3) if mirrored else x_NCHW, turns, (2, 3))
                back = torch.rot90(self.net(turned), -turns, (2, 3))
                answers.append(back.flip(3) if mirrored else back)
        return torch.stack(answers).mean(0)


def _plain(tensor: Tensor) -> Tensor:
    """On the processor, in memory order, float32; counters stay whole numbers."""
    there = tensor.detach().cpu().contiguous()
    return there.float() if there.is_floating_point() else there
