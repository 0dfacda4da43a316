"""A small set of clips for the tests of video: something random passes by, two px a frame, under a
blur of three px.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.core.files import sha256_of_file
from components.core.images import write_png
from components.core.records import Pair, PairSet, Split
from components.core.seeds import stream

CLIPS: Mapping[Split, Mapping[str, int]] = {
    "train": {"one": 5, "two": 4},
    "val": {"three": 3},
    "test": {"four": 4},
}
STEP_PX = 2


def sharp(clip: str, frame: int, size_px: int = 48) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A frame (size, size, 3): cells of 4 px, moved on by STEP_PX to the left each frame."""
    wide = size_px + 40
    cells = stream("clip", clip).integers(0, 256, (size_px // 4, wide // 4, 3))
    scene = np.kron(cells, np.ones((4, 4, 1), np.int64)).astype(np.uint8)
    return np.ascontiguousarray(scene[:, STEP_PX * frame : STEP_PX * frame + size_px])


def blurred(picture: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The mean of each px and its two neighbours in the row."""
    whole = picture.astype(np.uint16)
    return ((whole + np.roll(whole, 1, 1) + np.roll(whole, -1, 1)) // 3).astype(np.uint8)


def make_clips(
    folder: Path,
    *,
    clips: Mapping[Split, Mapping[str, int]] = CLIPS,
    size_px: int = 48,
    gap: int | None = None,
) -> PairSet:
    """Clips of so many frames by split. gap: a frame number that is missing in each clip."""
    rows = []
    for split, named in clips.items():
        for clip, count in named.items():
            for frame in range(count):
                if frame == gap:
                    continue
                name = (
                    f"{split}-{stream(clip, frame).integers(10**6):06d}-{clip}{frame}"  # in no order of time
                )
                target = sharp(clip, frame, size_px)
                files = {}
                for kind, picture in (("input", blurred(target)), ("target", target)):
                    files[kind] = f"{split}/{kind}/{name}.png"
                    (folder / files[kind]).parent.mkdir(parents=True, exist_ok=True)
                    write_png(folder / files[kind], picture)
                rows.append(
                    Pair(
                        id=name,
                        split=split,
                        photo=name,
                        group=clip,
                        input=files["input"],
                        target=files["target"],
                        input_sha256=sha256_of_file(folder / files["input"]),
                        target_sha256=sha256_of_file(folder / files["target"]),
                        width=size_px,
                        height=size_px,
                        blur_kind="imported",
                        drawn={},
                        severity=0.8,
                        severity_class="mild",
                        seed=0,
                        clip=clip,
                        frame=frame,
                    )
                )
    table = tuple(sorted(rows, key=lambda row: row.id))
    counts = {split: sum(row.split == split for row in table) for split in clips}
    return PairSet.model_validate(
        {
            "table_sha256": PairSet.write_table(folder, table),
            "photoset": "0" * 64,
            "config_digest": "0" * 64,
            "counts": counts,
        }
    ).save(folder)
