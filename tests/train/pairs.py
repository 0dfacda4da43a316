"""A small pair set for the training tests: random pictures and their three-pixel averages, made from a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.core.files import sha256_of_file
from components.core.images import write_png
from components.core.records import SPLITS, Pair, PairSet
from components.core.seeds import stream


def make_pairs(folder: Path, *, count: int = 6, size_px: int = 48) -> PairSet:
    """`count` training pairs and two each for validation and test."""
    rows = []
    for split in SPLITS:
        for index in range(count if split == "train" else 2):
            name = f"{split}{index}"
            coarse = stream(name).integers(0, 256, (size_px // 4, size_px // 4, 3))
            sharp = np.kron(coarse, np.ones((4, 4, 1), np.int64)).astype(np.uint8)
            blurred = ((sharp.astype(np.uint16) + np.roll(sharp, 1, 1) + np.roll(sharp, -1, 1)) // 3).astype(np.uint8)
            paths = {"blur": blurred, "sharp": sharp}
            for kind, picture in paths.items():
                path = folder / split / kind / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_png(path, picture)
            files = {kind: f"{split}/{kind}/{name}.png" for kind in paths}
            hashes = {kind: sha256_of_file(folder / file) for kind, file in files.items()}
            rows.append(
                Pair(
                    id=name,
                    split=split,
                    photo=name,
                    blurred=files["blur"],
                    sharp=files["sharp"],
                    blurred_sha256=hashes["blur"],
                    sharp_sha256=hashes["sharp"],
                    width=size_px,
                    height=size_px,
                    blur_kind="average",
                    drawn={},
                    severity=0.8,
                    severity_class="mild",
                    seed=index,
                )
            )
    table = tuple(sorted(rows, key=lambda row: row.id))
    digest = PairSet.write_table(folder, table)
    return PairSet(table_sha256=digest, photoset="0" * 64, config_digest="0" * 64, counts={"train": count, "val": 2, "test": 2}).save(folder)
