"""Use a trained generator: any photo size, bounded memory. This file and its neighbours travel
inside every registered model.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

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
from components.nets.choices import Precision
from components.nets.devices import device_named
from components.nets.generators import Generator, GeneratorPart
from components.nets.modules.norms import SharedBatchNorm2d
from components.nets.modules.over_photo import Box, Place, Reached, Survey
from components.nets.modules.placed_dropout import placed_dropout
from components.nets.modules.px_by_px import keep_order
from components.nets.modules.tiled_convolutions import fewer_products
from components.nets.precision import arithmetic
from components.nets.reach import looking, reach_of
from components.nets.tiles import Tile
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


def load_restorer(
    folder: Path, *, device: str | None = None, tile_px: int = 1024, precision: Precision = "fp32"
) -> Restorer:
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
    return Restorer(net, config.generator, device=device, tile_px=tile_px, precision=precision)


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


class View(NamedTuple):
    """A photo mirrored, then turned so many quarters."""

    mirrored: bool
    turns: int

    def place(self, place: Place, photo: Box) -> Place:
        """Where a tile lies in this view of the photo."""
        tile, own = place.tile, place.own
        whole, within = photo, tile
        if self.mirrored:
            tile, own = tile.mirrored(whole), own.mirrored(within)
        for _ in range(self.turns):
            tile, own = tile.turned(whole), own.turned(within)
            whole, within = (Box(0, 0, box.width, box.height) for box in (whole, within))
        return Place(tile, own)


VIEWS = tuple(View(mirrored, turns) for mirrored in (False, True) for turns in range(4))


class Restorer(TiledRestorer):
    """A generator ready for photos of any size, run by torch.

    Where dropout stays on, its draws hang on the place in the photo alone: the same photo restores the
    same, whole and in tiles. What looks over the whole photo sees it whole in tiles too, unless the part
    says per_tile: each such layer takes one more pass over the tiles.
    """

    def __init__(
        self,
        net: nn.Module,
        part: GeneratorPart,
        *,
        device: str | None = None,
        tile_px: int = 1024,
        precision: Precision = "fp32",
    ) -> None:
        """net: becomes the restorer's own, whose mode, device and order of memory it changes. tile_px: in
        px of the restored photo, as TiledRestorer has it. precision: as precision.py has it; bf16 takes
        about half the time and is off by about a level of 255.
        """
        super().__init__(
            stride=part.stride,
            scale=part.scale,
            smallest_px=part.smallest_px,
            tile_px=tile_px,
            window=part.window,
        )
        self.device = device_named(device)
        net = keep_order(pixel_by_pixel(net.to(self.device)), self.device)
        fewer_products(net)
        self.net, self.part = for_use(net, part), part
        self.precision: Precision = precision
        self._noisy, self._views = part.test_time_dropout, VIEWS if part.test_time_ensemble else VIEWS[:1]
        self._surveys: dict[View, Survey] = {}

    def without_dropout(self) -> Restorer:
        """The same weights with dropout off: another restorer, whose part says so."""
        part = self.part.model_copy(update={"test_time_dropout": False})
        return Restorer(
            copy.deepcopy(self.net),
            part,
            device=str(self.device),
            tile_px=self.tile_px,
            precision=self.precision,
        )

    def _reach_px(self) -> int | None:
        return None if self.part.test_time_tiles == "per_tile" else reach_of(self.part)

    @contextlib.contextmanager
    def _one_photo(self) -> Iterator[None]:
        """In the restorer's own precision; leaves the process's own random numbers as they were, and
        forgets the photo.
        """
        on_gpu = self.device.type == "cuda"
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(arithmetic(self.precision, self.device))
                if self._noisy:
                    stack.enter_context(torch.random.fork_rng(devices=[self.device] if on_gpu else []))
                yield
        finally:
            self._surveys = {}

    def _is_out_of_memory(self, error: Exception) -> bool:
        if isinstance(error, torch.OutOfMemoryError):
            torch.cuda.empty_cache()
            return True
        return super()._is_out_of_memory(error)

    def _whole(self, photo: Photo) -> Photo:
        height, width = photo.shape[:2]
        down, right, reflected = self._padding(height, width)
        x = F.pad(self._input(photo), (0, right, 0, down), mode="reflect" if reflected else "replicate")
        everything = Box(0, 0, height + down, width + right)
        restored = self._restored(x, Place(everything, everything), everything)
        return restored[: self.scale * height, : self.scale * width]

    def _tile_of_whole(self, photo: Photo, tile: Tile) -> Photo:
        return self._restored(self._input(photo), *_places(tile))

    @torch.inference_mode()
    def _look_over(self, seen: Callable[[Tile], Photo], tiles: Sequence[Tile]) -> None:
        """One pass over the tiles for each layer and view that must know the whole photo."""
        layers = len(looking(self.net))
        for view in self._views if layers else ():
            survey = Survey()
            self._surveys[view] = survey
            while len(survey) < layers:
                for tile in tiles:
                    with contextlib.suppress(Reached):
                        self._seen(self._input(seen(tile)), view, *_places(tile))
                survey.settle()

    def _input(self, photo: Photo) -> Tensor:
        """(H, W, 3) in [0, 1] to (1, 3, H, W) in [-1, 1], on the device."""
        plain = torch.from_numpy(np.ascontiguousarray(photo, np.float32))
        if self.device.type == "cuda":  # from pinned memory a GPU takes it by itself, without a wait
            plain = plain.pin_memory()
        return plain.to(self.device, non_blocking=True).permute(2, 0, 1)[None] * 2 - 1

    @torch.inference_mode()
    def _restored(self, x_NCHW: Tensor, place: Place, photo: Box) -> Photo:
        """What the net makes of a photo or tile, or the mean of what it makes of its eight turns and
        mirrors, as a photo in about [0, 1].
        """
        answers = []
        for view in self._views:
            answer = torch.rot90(self._seen(x_NCHW, view, place, photo), -view.turns, (2, 3))
            answers.append(answer.flip(3) if view.mirrored else answer)
        y = answers[0] if len(answers) == 1 else torch.stack(answers).mean(0)
        return self._output(((y + 1) / 2)[0].permute(1, 2, 0).float())

    def _output(self, photo: Tensor) -> Photo:
        """(H, W, 3) on the device to the same in memory."""
        if self.device.type == "cuda":
            pinned = torch.empty(photo.shape, dtype=photo.dtype, pin_memory=True)
            photo = pinned.copy_(photo, non_blocking=True)
            torch.cuda.current_stream(self.device).synchronize()
        result: Photo = photo.numpy()
        return result

    def _seen(self, x_NCHW: Tensor, view: View, place: Place, photo: Box) -> Tensor:
        """The net's answer to one view of a tile, as the net sees it. photo: all of it."""
        turned = torch.rot90(x_NCHW.flip(3) if view.mirrored else x_NCHW, view.turns, (2, 3))
        # Convolutions take this order faster, on processors by up to half.
        turned = turned.contiguous(memory_format=torch.channels_last)
        place = view.place(place, photo)
        survey = self._surveys.get(view)
        layers = looking(self.net)
        with contextlib.ExitStack() as stack:
            if survey is not None:
                for layer in layers:
                    layer.survey = survey.at(place)
                    stack.callback(setattr, layer, "survey", None)
            if self._noisy:
                stack.enter_context(placed_dropout(self.net, place, seed_of("test-time dropout", *view)))
            answer: Tensor = self.net(turned)
        return answer.float()


def pixel_by_pixel(net: nn.Module) -> nn.Module:
    """The net with its weights in the order that convolutions take (`_seen`), which each pass would bring
    them into otherwise.
    """
    for weight in net.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return net


def _places(tile: Tile) -> tuple[Place, Box]:
    """Where a tile lies in the padded photo, its own part of it, and the photo."""
    top, left = tile.rows.start, tile.columns.start
    seen = Box(top, left, tile.rows.stop - top, tile.columns.stop - left)
    rows, columns = tile.own
    own = Box(rows.start - top, columns.start - left, rows.stop - rows.start, columns.stop - columns.start)
    return Place(seen, own), Box(0, 0, *tile.whole)


def _plain(tensor: Tensor) -> Tensor:
    """On the processor, in memory order, float32; counters stay whole numbers."""
    there = tensor.detach().cpu().contiguous()
    return there.float() if there.is_floating_point() else there
