"""Small photo sets drawn from numbers, for the tests of synthesize and of training on the fly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from components.core.files import sha256_of_bytes, sha256_of_file
from components.core.records import SPLITS, Photo, PhotoSet, Split
from components.core.seeds import stream

SIZES = ((96, 80), (80, 120), (70, 70), (64, 90))


def photoset_of(
    folder: Path,
    order: int = 1,
    *,
    sizes: Sequence[tuple[int, int]] = SIZES,
    splits: Sequence[Split] = ("train", "val", "train", "test"),
) -> PhotoSet:
    """Photos of the given (width, height), all colour of 8 bits but the second, which is grey, and
    the third, of 16 bits; splits come in turn.
    """
    (folder / "photos").mkdir(parents=True)
    rows = []
    for index, (width, height) in enumerate(sizes):
        grey, bits = index == 1, 16 if index == 2 else 8
        shape = (height, width) if grey else (height, width, 3)
        # Smooth, as photos are, so that the blur is no mere grey.
        coarse = stream("photo", index).random((8, 8, *shape[2:]))
        pixels = np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1) * (
            2**bits - 1
        )
        done, data = cv2.imencode(".png", pixels.astype(np.uint16 if bits == 16 else np.uint8))
        assert done
        name = sha256_of_bytes(data.tobytes())
        (folder / "photos" / f"{name}.png").write_bytes(data.tobytes())
        rows.append(
            Photo(
                id=name,
                file=f"photos/{name}.png",
                name=f"{index}.png",
                size_bytes=data.size,
                width=width,
                height=height,
                channels=1 if grey else 3,
                bits=16 if bits == 16 else 8,
                split=splits[index % len(splits)],
                group=name,
            )
        )
    ordered = tuple(sorted(rows, key=lambda row: row.id)[::order])
    counts = {split: sum(row.split == split for row in rows) for split in SPLITS}
    return PhotoSet(counts=counts, table_sha256=PhotoSet.write_table(folder, ordered)).save(folder)


def everything(folder: Path) -> dict[str, str]:
    """Every file below the folder and the SHA-256 of its bytes."""
    return {
        path.relative_to(folder).as_posix(): sha256_of_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
