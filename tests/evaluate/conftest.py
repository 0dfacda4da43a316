"""A small PairSet of real photos (skimage's, cut to 120 × 96 px) under box blurs of three widths,
and a checkpoint of an untrained generator.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from untrained_checkpoints import checkpoint_of

from components.core.files import sha256_of_bytes
from components.core.images import png_bytes
from components.core.records import Checkpoint, Pair, PairSet
from components.nets.generators import UNet

SOURCES = ("astronaut.png", "coffee.png", "chelsea.png")
WIDTHS = {"mild": 3, "medium": 5, "strong": 9}

MakePairs = Callable[..., PairSet]


def photo(name: str, width: int = 120, height: int = 96) -> np.ndarray:
    import skimage

    whole = np.asarray(Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB"))
    return whole[60 : 60 + height, 90 : 90 + width].copy()


@pytest.fixture
def make_pairs(tmp_path: Path) -> MakePairs:
    """make_pairs(folder_name, split=..., width=..., height=..., scale=..., mean_colour=...) writes
    a PairSet of nine pairs and gives it.

    scale: small pictures for super-resolution, without a blur; mean_colour: translation from
    negative to positive, without a blur.
    """

    def make(
        name: str = "pairs",
        *,
        split: str = "test",
        width: int = 120,
        height: int = 96,
        scale: int = 1,
        mean_colour: tuple[int, int, int] | None = None,
    ) -> PairSet:
        folder = tmp_path / name
        plain = scale > 1 or mean_colour is not None
        task = "super_resolution" if scale > 1 else "translation" if plain else "deblurring"
        baseline = "bicubic" if scale > 1 else "mean_colour" if plain else "input"
        rows = []
        for source in SOURCES:
            target = photo(source, width, height)
            for severity, size in WIDTHS.items():
                blurred = cv2.blur(target, (size, size), borderType=cv2.BORDER_REFLECT_101)
                if scale > 1:
                    blurred = cv2.resize(
                        blurred, (width // scale, height // scale), interpolation=cv2.INTER_AREA
                    )
                if mean_colour is not None:
                    blurred = 255 - blurred
                data = {"input": png_bytes(blurred), "target": png_bytes(target)}
                key = f"{Path(source).stem}-{severity}"
                for kind, content in data.items():
                    path = folder / split / kind / f"{key}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                rows.append(
                    Pair(
                        id=key,
                        split=split,
                        photo=sha256_of_bytes(source.encode()),
                        input=f"{split}/input/{key}.png",
                        target=f"{split}/target/{key}.png",
                        input_sha256=sha256_of_bytes(data["input"]),
                        target_sha256=sha256_of_bytes(data["target"]),
                        width=width,
                        height=height,
                        blur_kind={"super_resolution": "downscale", "translation": "negative"}.get(
                            task, "box" if size < 9 else "wide_box"
                        ),
                        drawn={"size_px": size},
                        severity=0.0 if plain else size / 3.46,  # RMS radius of a box, width / sqrt(12)
                        severity_class="mild" if plain else severity,
                        seed=0,
                    )
                )
        rows.sort(key=lambda row: row.id)
        counts = {"train": 0, "val": 0, "test": 0} | {split: len(rows)}
        table = PairSet.write_table(folder, tuple(rows))
        return PairSet.model_validate(
            {
                "table_sha256": table,
                "photoset": "0" * 64,
                "config_digest": "1" * 64,
                "counts": counts,
                "task": task,
                "scale": scale,
                "baseline": baseline,
                "mean_colour": mean_colour,
            }
        ).save(folder)

    return make


@pytest.fixture
def pairset(make_pairs: MakePairs) -> PairSet:
    return make_pairs()


@pytest.fixture
def untrained(tmp_path: Path, pairset: PairSet) -> Checkpoint:
    """A U-Net straight from its seed: it adds nothing to the photo, so it is do-nothing as a
    checkpoint.
    """
    return checkpoint_of(UNet(width=4, depth=1), pairset, tmp_path / "checkpoint")
