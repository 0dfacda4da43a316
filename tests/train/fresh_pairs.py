"""A small set whose training pairs are made on the fly, of photos of every sort: colour, grey, 16 bits, and one that is shrunk."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from components.core.files import sha256_of_bytes
from components.core.records import SPLITS, PairSet, Photo, PhotoSet
from components.core.seeds import stream
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run

SIZES = ((96, 80), (80, 104), (90, 70), (192, 144), (70, 90), (80, 80))  # width, height
SPLIT: tuple[Literal["train", "val", "test"], ...] = ("train", "train", "train", "train", "val", "test")
BLUR = {"kind": "random_trajectory", "canvas_px": 24, "max_len_px": 20, "steps": 200}
SETTINGS: dict[str, Any] = {"seed": 5, "delivery": "on_the_fly", "blurs": [BLUR], "max_side_px": 104}


def photos_into(folder: Path) -> PhotoSet:
    """Six photos drawn from their numbers; the second is grey, the third of 16 bits, the fourth larger than max_side_px."""
    (folder / "photos").mkdir(parents=True)
    rows = []
    for index, (width, height) in enumerate(SIZES):
        grey, bits = index == 1, 16 if index == 2 else 8
        shape = (height, width) if grey else (height, width, 3)
        coarse = stream("photo", index).random((8, 8, *shape[2:]))
        pixels = np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1) * (2**bits - 1)
        done, data = cv2.imencode(".png", pixels.astype(np.uint16 if bits == 16 else np.uint8))
        assert done
        name = sha256_of_bytes(data.tobytes())
        (folder / "photos" / f"{name}.png").write_bytes(data.tobytes())
        rows.append(
            Photo(
                id=name, file=f"photos/{name}.png", name=f"{index}.png", size_bytes=data.size, width=width, height=height,
                channels=1 if grey else 3, bits=16 if bits == 16 else 8, split=SPLIT[index], group=name,
            )
        )  # fmt: skip
    ordered = tuple(sorted(rows, key=lambda row: row.id))
    counts = {split: SPLIT.count(split) for split in SPLITS}
    return PhotoSet(counts=counts, table_sha256=PhotoSet.write_table(folder, ordered)).save(folder)


def fresh_set(folder: Path, **changes: Any) -> tuple[PhotoSet, PairSet]:
    """The photos, and what synthesize makes of them for training on the fly."""
    photoset = photos_into(folder / "ingested")
    return photoset, run(SynthesizeConfig.model_validate(SETTINGS | changes), photoset, out=folder / "pairs")
