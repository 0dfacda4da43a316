"""A photo's own mask and depth map, for the blurs that take them: a photo without is not used, and
a map is made as large as what is blurred.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import cv2
import numpy as np

from components.core.images import Floats, Pixels, decode, to_float
from components.core.quarantine import Unfit
from components.core.records import MapKind, Photo
from components.optics.blurs import map_of
from components.optics.blurs.drawn_blur import Map
from components.synthesize.config import SynthesizeConfig
from components.synthesize.made_pairs import Work

MM = 1000.0  # in a metre


def unmapped(config: SynthesizeConfig, photos: Sequence[Photo]) -> Iterator[Unfit]:
    """The photos that have no map where a blur takes each photo's own."""
    for blur in config.blurs:
        kind = map_of(blur)
        bare = (
            []
            if kind is None
            else [photo for photo in photos if all(each.kind != kind for each in photo.maps)]
        )
        if bare:
            beside = PurePosixPath(bare[0].name).with_suffix(f".{kind}.png")
            yield Unfit(
                {photo.id: (photo.name, f"no {kind}: {blur.kind} takes each photo's own") for photo in bare},
                f"{blur.kind} with {kind}: given takes each photo's own {kind}, and {len(bare)} of"
                f" {len(photos)} photos have none: {bare[0].name}. Put {beside} beside it, and so for the"
                " others, and ingest again (quarantine.json says which were left out); or take those photos"
                f" out, or set {kind} to drawn",
            )


def decoded(work: Work, height: int, width: int) -> dict[MapKind, Map]:
    """The maps a photo came with, (height, width) as the photo once it is shrunk, then cut as it
    is; areas are averaged.

    Of depths 1/distance is averaged, which is linear in a photo of any flat surface, and is 0 where
    the depth is unknown: as infinitely far.
    """
    ids = {each.kind: each.id for each in work.photo.maps}
    maps: dict[MapKind, Map] = {}
    for kind, data in work.maps.items():
        stored = decode(data, max_megapixels=math.inf).pixels[:, :, 0]
        values = to_float(stored) if kind == "mask" else _nearness(stored)
        if values.shape != (height, width):
            values = np.asarray(
                cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA), dtype=np.float32
            )
        if work.config.downscale is not None:
            values = work.config.downscale.cut(values)
        maps[kind] = Map(np.ascontiguousarray(values), ids[kind])
    return maps


def _nearness(millimetres: Pixels) -> Floats:
    """1/distance in 1/m; 0 for what is unknown.

    >>> _nearness(np.array([0, 500, 2000], np.uint16)).tolist()
    [0.0, 2.0, 0.5]
    """
    known = millimetres > 0
    return np.where(known, MM / np.where(known, millimetres, 1), 0).astype(np.float32)
