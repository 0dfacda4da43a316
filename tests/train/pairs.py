"""A small pair set for the training tests: random pictures and their three-pixel averages, made
from a seed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.core.files import sha256_of_file
from components.core.images import write_png
from components.core.records import SPLITS, Pair, PairSet
from components.core.seeds import stream


def make_pairs(folder: Path, *, count: int = 6, size_px: int = 48, task: str = "restore") -> PairSet:
    """`count` training pairs and two each for validation and test. task: restore (averages),
    enlarge (every 4×4 block averaged) or translate (grey).
    """
    rows = []
    for split in SPLITS:
        for index in range(count if split == "train" else 2):
            name = f"{split}{index}"
            coarse = stream(name).integers(0, 256, (size_px // 4, size_px // 4, 3))
            target = np.kron(coarse, np.ones((4, 4, 1), np.int64)).astype(np.uint8)
            blurred = {
                "restore": (
                    ((target.astype(np.uint16) + np.roll(target, 1, 1) + np.roll(target, -1, 1)) // 3).astype(
                        np.uint8
                    )
                ),
                "enlarge": coarse.astype(np.uint8),
                "translate": np.repeat(target.mean(2, keepdims=True).astype(np.uint8), 3, axis=2),
            }[task]
            paths = {"input": blurred, "target": target}
            for kind, picture in paths.items():
                path = folder / split / kind / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_png(path, np.ascontiguousarray(picture))
            files = {kind: f"{split}/{kind}/{name}.png" for kind in paths}
            hashes = {kind: sha256_of_file(folder / file) for kind, file in files.items()}
            rows.append(
                Pair(
                    id=name,
                    split=split,
                    photo=name,
                    input=files["input"],
                    target=files["target"],
                    input_sha256=hashes["input"],
                    target_sha256=hashes["target"],
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
    told = {
        "restore": {},
        "enlarge": {"task": "super_resolution", "scale": 4, "baseline": "bicubic"},
        "translate": {"task": "translation", "baseline": "mean_colour", "mean_colour": (128, 128, 128)},
    }[task]
    counts = {"train": count, "val": 2, "test": 2}
    return PairSet.model_validate(
        {"table_sha256": digest, "photoset": "0" * 64, "config_digest": "0" * 64, "counts": counts, **told}
    ).save(folder)
