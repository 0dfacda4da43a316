"""Pictures to ingest, drawn from a seed: each with a structure of its own, so that none resembles
another.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from components.core.images import Bytes8
from components.ingest.config import IngestConfig


def picture(seed: int, *, width: int = 120, height: int = 90) -> Bytes8:
    """A colour picture with coarse and fine structure, different for each seed."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.random((side, side, 3), np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        for side in (4, 9, 21)
    ]
    mixed = 0.5 * layers[0] + 0.3 * layers[1] + 0.2 * layers[2]
    return np.clip(mixed * 255, 0, 255).astype(np.uint8)


def write(path: Path, pixels: np.ndarray, **settings: object) -> Path:
    """Write a picture; the extension decides the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **settings)
    return path


def write_many(folder: Path, count: int, *, first: int = 0) -> Path:
    """COUNT different PNG photos named by their seed."""
    for seed in range(first, first + count):
        write(folder / f"{seed:03d}.png", picture(seed))
    return folder


def config_of(folder: Path, **settings: object) -> IngestConfig:
    """The default settings for a folder."""
    return IngestConfig.model_validate({"photos": str(folder), **settings})


def everything_below(folder: Path) -> dict[str, bytes]:
    """All files with their bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
