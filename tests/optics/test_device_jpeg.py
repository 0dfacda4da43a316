"""JPEG by torch is JPEG: level for level what the codec writes and reads again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from components.core.images import Bytes8, jpeg_roundtrip
from components.core.seeds import stream
from components.optics.device.jpeg import jpeg, tables_of


def picture(height: int, width: int, kind: str) -> Bytes8:
    rng = stream("jpeg", height, width, kind)
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    smooth = cv2.resize(
        rng.integers(0, 256, (5, 5, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
    )
    return (
        smooth
        if kind == "smooth"
        else np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
    )


def compressed(pictures: list[Bytes8], qualities: list[int], side: int) -> list[Bytes8]:
    """All in one batch; around each picture lies something that must not be looked at."""
    batch = np.random.default_rng(1).integers(0, 256, (len(pictures), side, side, 3), dtype=np.uint8)
    for place, pixels in zip(batch, pictures, strict=True):
        place[: pixels.shape[0], : pixels.shape[1]] = pixels
    heights, widths = (torch.tensor([pixels.shape[axis] for pixels in pictures]) for axis in (0, 1))
    tables = torch.from_numpy(np.stack([tables_of(quality) for quality in qualities]))
    found = (
        jpeg(torch.from_numpy(batch).permute(0, 3, 1, 2), tables, heights, widths).permute(0, 2, 3, 1).numpy()
    )
    return [got[: pixels.shape[0], : pixels.shape[1]] for got, pixels in zip(found, pictures, strict=True)]


@pytest.mark.parametrize("kind", ["noise", "smooth", "grained"])
def test_every_level_is_the_codecs(kind: str) -> None:
    sizes = [(16, 16), (17, 31), (64, 64), (63, 62), (33, 5), (48, 50), (5, 64), (47, 49)]
    qualities = [1, 10, 49, 50, 75, 90, 98, 100]
    for turn in range(len(sizes)):
        pictures = [picture(*size, kind) for size in sizes]
        turned = qualities[turn:] + qualities[:turn]
        for pixels, quality, got in zip(pictures, turned, compressed(pictures, turned, 64), strict=True):
            assert np.array_equal(got, jpeg_roundtrip(pixels, quality)), (pixels.shape, quality)


def test_a_flat_grey_has_its_level_at_every_quality() -> None:
    # A constant block has one coefficient, 64 times the level less 128 over the divisor: at 128 it
    # is 0.
    flat = np.full((16, 16, 3), 128, np.uint8)
    assert {
        int(level) for got in compressed([flat] * 100, list(range(1, 101)), 16) for level in np.unique(got)
    } == {128}
