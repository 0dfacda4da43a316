"""Pairs of 16 bits a channel: a step of 1/65535 is kept from the photo to the file, and 8-bit
photos lose nothing in them.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from test_synthesize_run import photoset_of

from components.core.images import Picture, decode, read_rgb
from components.core.levels import at_bits
from components.core.records import PairSet, PhotoSet
from components.optics.light import light_of, stored
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run

DEEP = {"bits": 16, "noise": None, "jpeg": None}


@pytest.fixture(scope="module")
def photoset(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    return photoset_of(tmp_path_factory.mktemp("ingested"))


def made(photoset: PhotoSet, out: Path, **settings: object) -> PairSet:
    return run(
        SynthesizeConfig.model_validate({"camera": DEEP, "blurs": [{"kind": "none"}], **settings}),
        photoset,
        out=out,
    )


@pytest.mark.parametrize("linear", [True, False])
def test_every_one_of_65536_levels_comes_back_as_itself(linear: bool) -> None:
    levels = np.repeat(np.arange(65536, dtype=np.uint16).reshape(256, 256, 1), 3, axis=2)
    assert np.array_equal(
        stored(light_of(Picture(levels, 3, 16, "PNG"), linear=linear), linear=linear, bits=16), levels
    )
    bytes_ = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    assert np.array_equal(
        stored(light_of(Picture(bytes_, 3, 8, "PNG"), linear=linear), linear=linear, bits=16),
        at_bits(bytes_, 16),
    )


def test_light_outside_the_range_is_clipped() -> None:
    assert stored(np.array([[-0.2, 0.0, 1.0, 1.7]], np.float32), linear=True, bits=16)[0, :, 0].tolist() == [
        0,
        0,
        65535,
        65535,
    ]


def test_without_blur_or_camera_both_pictures_are_the_photo_to_the_last_bit(
    photoset: PhotoSet, tmp_path: Path
) -> None:
    pairs = made(photoset, tmp_path)
    photo_of = {photo.id: decode((photoset.folder / photo.file).read_bytes()) for photo in photoset.photos()}
    assert {photo.bits for photo in photo_of.values()} == {8, 16}
    for row in pairs.pairs():
        for name in (row.input, row.target):
            seen = read_rgb(pairs.folder / name)
            assert seen.dtype == np.uint16
            assert np.array_equal(seen, at_bits(photo_of[row.photo].pixels, 16))
        assert row.drawn["bits"] == 16


def test_a_blur_is_stored_with_more_than_256_levels_and_rounds_to_the_eight_bit_one(
    photoset: PhotoSet, tmp_path: Path
) -> None:
    blur = [{"kind": "gaussian", "sigma_px": [2, 2]}]
    deep = made(photoset, tmp_path / "deep", blurs=blur)
    usual = made(photoset, tmp_path / "usual", blurs=blur, camera={**DEEP, "bits": 8})
    for fine, coarse in zip(deep.pairs(), usual.pairs(), strict=True):
        seen, rounded = (read_rgb(pairs.folder / row.input) for pairs, row in ((deep, fine), (usual, coarse)))
        assert len(np.unique(seen)) > 1000
        assert np.abs(seen / 257 - rounded).max() <= 0.54


def test_shrunk_and_small_photos_have_sixteen_bits_too(photoset: PhotoSet, tmp_path: Path) -> None:
    for settings in (
        {"max_side_px": 64},
        {"downscale": {"scale": 2}, "camera": {**DEEP, "sensor": {}, "highlights": {}, "noise": {}}},
    ):
        pairs = made(photoset, tmp_path / str(len(settings)), **settings)
        for row in pairs.pairs():
            pictures = [read_rgb(pairs.folder / name) for name in (row.input, row.target)]
            assert {picture.dtype for picture in pictures} == {np.dtype(np.uint16)}
            assert pictures[1].shape == (row.height, row.width, 3)
        assert (
            cv2.imread(str(tmp_path / str(len(settings)) / "examples.png"), cv2.IMREAD_UNCHANGED).dtype
            == np.uint8
        )


def test_a_translation_keeps_sixteen_bits_and_a_mean_colour_of_eight(
    photoset: PhotoSet, tmp_path: Path
) -> None:
    colour = photoset.model_copy()
    wanted = tuple(photo for photo in photoset.photos() if photo.channels == 3)
    table = PhotoSet.write_table(tmp_path / "colour", wanted)
    counts = {split: sum(photo.split == split for photo in wanted) for split in ("train", "val", "test")}
    colour = PhotoSet(counts=counts, table_sha256=table).save(tmp_path / "colour")
    (tmp_path / "colour" / "photos").symlink_to(photoset.folder / "photos")
    settings = {"blurs": None, "translate": {"kind": "to_colour"}}
    configs = [
        SynthesizeConfig.model_validate(
            {"translate": settings["translate"], "camera": {**DEEP, "bits": bits}}
        )
        for bits in (8, 16)
    ]
    eight, sixteen = (run(config, colour, out=tmp_path / str(config.camera.bits)) for config in configs)
    assert eight.mean_colour == sixteen.mean_colour
    assert {
        read_rgb(sixteen.folder / name).dtype for row in sixteen.pairs() for name in (row.input, row.target)
    } == {np.dtype(np.uint16)}
