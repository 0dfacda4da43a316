"""Delivery on the fly: targets for training, files to measure with, and a record that says how
training makes its pairs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from test_synthesize_run import everything, photoset_of

from components.core.errors import LineageError
from components.core.images import decode, read_rgb
from components.core.records import PairSet, PhotoSet
from components.optics.blurs import RandomTrajectory
from components.optics.degradation import Degradation
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run

OFFLINE = SynthesizeConfig(
    blurs=(RandomTrajectory(canvas_px=32, max_len_px=20),), pairs_per_eval_photo=2, max_side_px=88
)
FLYING = OFFLINE.model_copy(update={"delivery": "on_the_fly"})


@pytest.fixture(scope="module")
def photoset(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    return photoset_of(tmp_path_factory.mktemp("ingested"))


@pytest.fixture(scope="module")
def offline(photoset: PhotoSet, tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return run(OFFLINE, photoset, out=tmp_path_factory.mktemp("offline"))


@pytest.fixture(scope="module")
def flying(photoset: PhotoSet, tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return run(FLYING, photoset, out=tmp_path_factory.mktemp("flying"))


def test_only_training_photos_become_targets(photoset: PhotoSet, flying: PairSet) -> None:
    train = {photo.id for photo in photoset.photos() if photo.split == "train"}
    assert {source.photo for source in flying.source_photos()} == train
    assert flying.counts == {"train": 0, "val": 2, "test": 2}
    assert not (flying.folder / "train" / "input").exists()


def test_what_is_measured_with_is_as_in_an_offline_set(offline: PairSet, flying: PairSet) -> None:
    for split in ("val", "test"):
        assert flying.pairs(split) == offline.pairs(split)
    ours, theirs = (
        {name: digest for name, digest in everything(made.folder).items() if name.startswith(("val", "test"))}
        for made in (flying, offline)
    )
    assert ours == theirs
    target = {pair.photo: pair.target_sha256 for pair in offline.pairs("train")}
    assert {source.photo: source.target_sha256 for source in flying.source_photos()} == target


def test_the_photo_to_blur_lies_beside_its_target_where_that_holds_less(
    photoset: PhotoSet, flying: PairSet
) -> None:
    """The first photo of 96 px is shrunk to 88, the third has 16 bits: neither's light fits into 8."""
    assert len(flying.source_photos()) == 2
    for source in flying.source_photos():
        light, target = read_rgb(flying.folder / source.light), read_rgb(flying.folder / source.target)
        assert (light.dtype, target.dtype) == (np.uint16, np.uint8)
        assert light.shape == target.shape == (source.height, source.width, 3)
        # Both are the photo in sRGB; half a level, and a twentieth for the table between light and
        # levels.
        assert np.abs(light / 257 - target).max() < 0.55
    photo = next(photo for photo in photoset.photos() if photo.bits == 16)
    source = next(source for source in flying.source_photos() if source.photo == photo.id)
    assert np.array_equal(
        read_rgb(flying.folder / source.light), decode((photoset.folder / photo.file).read_bytes()).pixels
    )


def test_a_photo_of_eight_bits_is_its_own_target(photoset: PhotoSet, tmp_path: Path) -> None:
    made = run(SynthesizeConfig(delivery="on_the_fly"), photoset, out=tmp_path)
    bits = {photo.id: photo.bits for photo in photoset.photos()}
    assert {bits[source.photo]: source.light == source.target for source in made.source_photos()} == {
        8: True,
        16: False,
    }


def test_the_record_says_how_training_makes_its_pairs(flying: PairSet) -> None:
    way = PairSet.load(flying.folder).on_the_fly
    assert way is not None
    assert Degradation.model_validate(way.degradation) == FLYING.degradation
    assert (way.seed, way.sources) == (0, 2)


def test_an_offline_set_says_nothing_of_it_and_keeps_its_digest(offline: PairSet) -> None:
    assert "on_the_fly" not in (offline.folder / PairSet.FILE).read_text()
    assert "delivery" not in OFFLINE.model_dump(mode="json")
    assert OFFLINE.identity != FLYING.identity
    assert offline.source_photos() == ()
    assert offline.tables == {PairSet.TABLE: offline.table_sha256}


def test_an_altered_table_of_targets_is_refused(photoset: PhotoSet, tmp_path: Path) -> None:
    made = run(FLYING, photoset, out=tmp_path)
    (tmp_path / PairSet.SOURCES).write_text("")
    with pytest.raises(LineageError, match=r"sources\.jsonl is missing or was altered"):
        made.source_photos()


def test_a_folder_that_was_offline_keeps_no_training_pair(
    photoset: PhotoSet, flying: PairSet, tmp_path: Path
) -> None:
    run(OFFLINE, photoset, out=tmp_path)
    run(FLYING, photoset, out=tmp_path)
    assert everything(tmp_path) == everything(flying.folder)
    run(OFFLINE, photoset, out=tmp_path)
    assert not list(tmp_path.rglob("light/*.png"))
    assert not (tmp_path / PairSet.SOURCES).exists()


def test_what_cannot_be_made_on_the_fly_is_refused_in_words() -> None:
    with pytest.raises(
        ValidationError,
        match="a translation draws nothing that could differ from time to time: set delivery to offline",
    ):
        SynthesizeConfig.model_validate({"delivery": "on_the_fly", "translate": {"kind": "to_colour"}})
    with pytest.raises(
        ValidationError,
        match=(
            "pairs_per_photo is 24, but with delivery on_the_fly training makes as many pairs of a photo as"
            " it asks for"
        ),
    ):
        SynthesizeConfig.model_validate({"delivery": "on_the_fly", "pairs_per_photo": 24})


def test_photos_that_came_with_blurred_pictures_are_not_blurred_on_the_fly() -> None:
    assert SynthesizeConfig(delivery="on_the_fly").asks_for_blur == ("delivery",)
