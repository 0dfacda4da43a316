"""Masks and depth maps beside photos: taken in by their names, kept byte for byte, left out with a
reason where they do not fit.
"""

from __future__ import annotations

from pathlib import Path

import boto3
import numpy as np
import pytest
from ingest_photos import config_of, everything_below, picture, write, write_many
from PIL import Image

from components.core.errors import PhotoError
from components.core.files import sha256_of_file
from components.core.parts import digest_of
from components.core.quarantine import Quarantine
from components.core.records import Photo, PhotoSet
from components.ingest.run import run
from components.services import storage

HALF = np.zeros((90, 120), np.uint8)
HALF[:, 60:] = 255
DEPTH = np.full((90, 120), 2000, np.uint16)


def reasons(out: Path) -> dict[str, str]:
    return {row.name: row.reason for row in Quarantine.load(out).left_out}


def maps_of(photoset: PhotoSet) -> dict[str, list[tuple[str, str]]]:
    return {
        photo.name: [(each.kind, each.name) for each in photo.maps]
        for photo in photoset.photos()
        if photo.maps
    }


def test_maps_beside_a_photo_become_its_own_and_no_photos(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 6)
    write(source / "deeper" / "b.jpg", picture(10))
    plain = run(config_of(source), out=tmp_path / "plain")
    mask, depth = (
        write(source / "deeper" / "b.mask.png", HALF),
        write(source / "deeper" / "b.DEPTH.png", DEPTH),
    )
    photoset = run(config_of(source), out=tmp_path / "out")
    assert maps_of(photoset) == {
        "deeper/b.jpg": [("depth", "deeper/b.DEPTH.png"), ("mask", "deeper/b.mask.png")]
    }
    assert (sum(photoset.counts.values()), reasons(tmp_path / "out")) == (7, {})
    for each, path in zip(
        next(photo.maps for photo in photoset.photos() if photo.maps), (depth, mask), strict=True
    ):
        assert each.id == sha256_of_file(path)
        assert (photoset.folder / each.file).read_bytes() == path.read_bytes()
        assert each.size_bytes == path.stat().st_size
    assert photoset.digest != plain.digest
    assert run(config_of(source), out=tmp_path / "out").digest == photoset.digest


def test_a_set_without_maps_says_nothing_of_them_and_keeps_its_digest(tmp_path: Path) -> None:
    photoset = run(config_of(write_many(tmp_path / "in", 6)), out=tmp_path / "out")
    assert b"maps" not in (photoset.folder / PhotoSet.TABLE).read_bytes()
    photo = Photo(
        id="ab",
        file="originals/ab.png",
        name="a.png",
        size_bytes=9,
        width=64,
        height=64,
        channels=3,
        bits=8,
        split="train",
        group="ab",
    )
    assert digest_of(photo) == "bcc7ab90a0eeb2023578ef692d41fcdc87aa2adbf3be16c873ea26dc4d15f260", (
        "that of the time before maps"
    )


def test_a_map_that_is_taken_away_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 6)
    run(config_of(source), out=tmp_path / "out")
    before = everything_below(tmp_path / "out")
    mask = write(source / "003.mask.png", HALF)
    run(config_of(source), out=tmp_path / "out")
    assert everything_below(tmp_path / "out") != before
    mask.unlink()
    run(config_of(source), out=tmp_path / "out")
    assert everything_below(tmp_path / "out") == before


def test_what_fits_no_photo_is_left_out_with_its_reason(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 6)
    write(source / "000.mask.png", picture(50))
    write(source / "001.mask.png", HALF[:, :100])
    write(source / "002.mask.png", np.zeros_like(HALF))
    write(source / "003.depth.png", HALF)
    write(source / "alone.mask.png", HALF)
    write(source / "tiny.png", picture(51, width=20, height=20))
    write(source / "tiny.mask.png", HALF[:20, :20])
    write(source / "copy.png", picture(4))
    write(source / "004.mask.png", HALF)
    write(source / "copy.mask.png", 255 - HALF)
    (source / "005.mask.png").write_bytes(b"no picture")
    photoset = run(config_of(source), out=tmp_path / "out")
    assert reasons(tmp_path / "out") == {
        "000.mask.png": "not grey: a mask has one channel, this one has colours; save it as grey",
        "001.mask.png": "other size: 100 × 90 px, its photo 001.png is 120 × 90 px as it lies upright",
        "002.mask.png": "empty: it is 0 everywhere, so nothing would move",
        "003.depth.png": "not 16 bits: a depth map holds millimetres in 16 bits, this one has 8",
        "005.mask.png": "not a photo: no JPEG, PNG, WebP, TIFF, AVIF or HEIC in it",
        "alone.mask.png": (
            "no photo: a mask of alone.jpg, .png, .webp or .tif, and none lies beside it; rename it if it is"
            " a photo itself"
        ),
        "copy.mask.png": "second mask: 004.mask.png is that of the same photo, 004.png",
        "tiny.mask.png": "photo left out: tiny.png, whose mask this is, is not used",
        "tiny.png": "too small: 20 × 20 px, the shorter side must have ingest.min_px = 64",
    }
    assert maps_of(photoset) == {"004.png": [("mask", "004.mask.png")]}
    kept = {path.name for path in (tmp_path / "out" / "originals").iterdir()}
    assert len(kept) == 7, "six photos and one mask"


def test_a_map_has_the_size_of_the_photo_as_it_lies_upright(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 5)
    lying = picture(20)
    exif = Image.Exif()
    exif[0x0112] = 6
    write(source / "turned.jpg", lying, exif=exif)
    write(source / "turned.mask.png", np.ascontiguousarray(HALF.T))
    assert maps_of(run(config_of(source), out=tmp_path / "out")) == {
        "turned.jpg": [("mask", "turned.mask.png")]
    }


def test_maps_alone_are_no_photos(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.mask.png", HALF)
    with pytest.raises(PhotoError, match=r"no photo at .*but for masks and depth maps \(1\)"):
        run(config_of(tmp_path / "in"), out=tmp_path / "out")


def test_maps_may_lie_where_folders_decide_the_split(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for seed, split in enumerate(("train", "val", "test")):
        write(source / split / "a.png", picture(seed))
        write(source / split / "a.mask.png", HALF)
    write(source / "a.mask.png", HALF)
    photoset = run(config_of(source, split={"kind": "by_folder"}), out=tmp_path / "out")
    assert len(maps_of(photoset)) == 3
    assert list(reasons(tmp_path / "out")) == ["a.mask.png"]


@pytest.mark.services
def test_maps_in_a_bucket_are_those_of_the_folder(tmp_path: Path, s3_endpoint: str) -> None:
    boto3.client("s3").create_bucket(Bucket="maps-beside")
    source = write_many(tmp_path / "in", 6)
    write(source / "003.mask.png", HALF)
    local = run(config_of(source), out=tmp_path / "local")
    for path in source.iterdir():
        storage.put(path, f"s3://maps-beside/set/{path.name}")
    assert run(config_of(Path(), photos="s3://maps-beside/set"), out=tmp_path / "far").digest == local.digest
