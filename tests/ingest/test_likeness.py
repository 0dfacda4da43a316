"""Near duplicates are found, look-alikes are not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from ingest_photos import config_of, picture, write, write_many

from components.core.images import jpeg_roundtrip
from components.core.quarantine import Quarantine
from components.ingest.near_duplicates import Groups, fingerprints, near_duplicates, thumbnail
from components.ingest.run import run


def grouped(*pictures: np.ndarray, bits: int = 64) -> list[int]:
    return near_duplicates(
        np.stack([thumbnail(each) for each in pictures]),
        np.array([each.shape[1] / each.shape[0] for each in pictures]),
        bits,
    )


def brightened(pixels: np.ndarray) -> np.ndarray:
    return np.clip(pixels * 1.1 + 5, 0, 255).astype(np.uint8)


CHANGES = {
    "re-encoded": lambda pixels: jpeg_roundtrip(pixels, 40),
    "halved": lambda pixels: cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "enlarged": lambda pixels: cv2.resize(pixels, None, fx=1.7, fy=1.7, interpolation=cv2.INTER_CUBIC),
    "brightened": brightened,
    "deepened": lambda pixels: pixels.astype(np.uint16) * 257,
    "halved and re-encoded": lambda pixels: jpeg_roundtrip(
        cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), 60
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change: str) -> None:
    for seed in range(20):
        assert grouped(picture(seed), picture(seed + 500), CHANGES[change](picture(seed))) == [0, 1, 0]


def test_two_hundred_different_pictures_are_all_different() -> None:
    assert grouped(*(picture(seed) for seed in range(200))) == list(range(200))


def test_two_skies_with_the_same_gradient_are_different_photos() -> None:
    rng = np.random.default_rng(4)
    gradient = np.linspace(90, 200, 90)[:, None, None]
    skies = [np.clip(gradient + rng.normal(0, 6, (90, 120, 3)), 0, 255).astype(np.uint8) for _ in range(10)]
    assert grouped(*skies) == list(range(10))


def test_a_scene_with_something_new_in_it_is_another_photo() -> None:
    # Correlations of 0.84 to 0.92; a fingerprint of any distance lets them be compared.
    for seed in range(5):
        later = picture(seed)
        later[30:60, 40:70] = 255 - later[30:60, 40:70]
        assert grouped(picture(seed), later, bits=256) == [0, 1]


def test_black_frames_resemble_nothing() -> None:
    assert grouped(*(np.full((90, 120, 3), level, np.uint8) for level in (0, 0, 3))) == [0, 1, 2]


def test_another_shape_is_another_photo() -> None:
    wide = cv2.resize(picture(1), (240, 90), interpolation=cv2.INTER_AREA)
    assert grouped(picture(1), wide) == [0, 1]


def test_brightness_and_contrast_leave_the_fingerprint_alone() -> None:
    made = thumbnail(picture(3)) // 4 * 2  # even, so that halving is exact
    assert np.array_equal(fingerprints(made[None]), fingerprints((made // 2 + 1000)[None]))


def test_groups_are_named_by_their_first_member() -> None:
    groups = Groups(6)
    for one, other in ((5, 3), (3, 1), (4, 2)):
        groups.join(one, other)
    assert groups.roots().tolist() == [0, 1, 2, 1, 2, 1]


def test_blocks_do_not_change_the_answer() -> None:
    pictures = [picture(seed % 150, width=40, height=40) for seed in range(300)]  # more than one block of 256
    assert grouped(*pictures) == [seed % 150 for seed in range(300)]


def test_near_duplicates_never_stand_in_two_splits(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 30)
    for seed in range(30):
        write(
            source / f"{seed:03d} small.jpg",
            CHANGES["halved"](picture(seed, width=260, height=200)),
            quality=70,
        )
        write(source / f"{seed:03d} large.png", picture(seed, width=260, height=200))
    photoset = run(config_of(source), out=tmp_path / "out")
    sides: dict[str, set[str]] = {}
    for photo in photoset.photos():
        sides.setdefault(photo.name[:3], set()).add(photo.split)
    assert len(sides) == 30
    assert all(len(splits) == 1 for splits in sides.values())
    left_out = Quarantine.load(tmp_path / "out").left_out
    assert left_out
    assert all(row.kind == "near duplicate" for row in left_out)
    assert len(left_out) + len(photoset.photos()) == 90


def test_a_copy_in_test_is_left_out_and_names_its_twin(tmp_path: Path) -> None:
    for place, split in enumerate(("train", "val", "test")):
        write_many(tmp_path / "in" / split, 2, first=10 * place)
    write(tmp_path / "in/test/copy.jpg", picture(1), quality=80)
    run(config_of(tmp_path / "in", split={"kind": "by_folder"}), out=tmp_path / "out")
    (row,) = Quarantine.load(tmp_path / "out").left_out
    assert (row.name, row.reason) == ("test/copy.jpg", "near duplicate: of train/001.png, which is in train")


def test_copies_on_one_side_are_kept_as_one_group(tmp_path: Path) -> None:
    for place, split in enumerate(("train", "val", "test")):
        write_many(tmp_path / "in" / split, 2, first=10 * place)
    write(tmp_path / "in/train/copy.jpg", picture(1), quality=80)
    photoset = run(config_of(tmp_path / "in", split={"kind": "by_folder"}), out=tmp_path / "out")
    pair = [photo for photo in photoset.photos() if photo.name in ("train/001.png", "train/copy.jpg")]
    assert len(pair) == 2
    assert {photo.group for photo in pair} == {min(photo.id for photo in pair)}
