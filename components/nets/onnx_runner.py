"""An exported ONNX file restores photos of any size, with numpy and onnxruntime alone: padding to
the stride, tiles, joins. What the file needs stands in its own metadata.

    restorer = OnnxRestorer(Path("generator.onnx"))
    restored = restorer.restore_pixels(pixels)    # (H, W, 3) uint8 or uint16, RGB
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from components.core.errors import InputError
from components.nets.tiling import Photo, TiledRestorer

ERRORS_ONLY = 3


class OnnxRestorer(TiledRestorer):
    """The file's generator in ONNX Runtime, on the processor unless told otherwise."""

    def __init__(
        self,
        path: Path,
        *,
        tile_px: int = 1024,
        threads: int | None = None,
        providers: tuple[str, ...] = ("CPUExecutionProvider",),
    ) -> None:
        """threads: of the processor, None for all; providers: ONNX Runtime's names of what runs it.

        Raises InputError when it is no such file, or does not say its scale and stride.
        """
        settings: Any = onnxruntime.SessionOptions()
        settings.log_severity_level = ERRORS_ONLY
        settings.intra_op_num_threads = threads or 0
        try:
            self._session = onnxruntime.InferenceSession(str(path), settings, providers=list(providers))
            self.about: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
            stride, scale, smallest = (int(self.about[name]) for name in ("stride", "scale", "smallest_px"))
        except Exception as error:  # ONNX Runtime has a class for each of its codes
            raise InputError(
                f"{path} is no file of `refocus export`: {type(error).__name__}: {error};"
                " make it with `refocus export`"
            ) from error
        # Files written before there were nets of video say nothing of a window.
        window = int(self.about.get("window", "1"))
        super().__init__(stride=stride, scale=scale, smallest_px=smallest, tile_px=tile_px, window=window)

    def alone(self, height: int, width: int) -> bool:
        """Whether the net looks over the whole photo (instance norm, attention), and this photo is
        larger than a tile: then each tile sees itself alone, which is another picture than the whole.
        """
        return self.about.get("tiles") == "per_tile" and height * width > self._tile**2

    def _reach_px(self) -> int | None:
        return int(self.about["reach_px"]) if self.about.get("tiles") == "exact" else None

    def _whole(self, photo: Photo) -> Photo:
        height, width = photo.shape[:2]
        down, right, reflected = self._padding(height, width)
        padded = np.pad(photo, ((0, down), (0, right), (0, 0)), "reflect" if reflected else "edge")
        x = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32)
        y = self._session.run(None, {self._session.get_inputs()[0].name: x})[0][0]
        result: Photo = y[:, : self.scale * height, : self.scale * width].transpose(1, 2, 0)
        return result
