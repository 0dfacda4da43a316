"""What counts as one observation, and test sets that are set aside for later."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_photos import config_of, picture, write, write_many
from pair_sets import pair_at, two_folders
from pydantic import ValidationError

from components.core.errors import PhotoError
from components.core.records import Photo
from components.ingest.config import ByContent, IngestConfig
from components.ingest.run import run
from components.ingest.split import is_set_aside, split_of

RESERVE: dict[str, Any] = {"train": 0.3, "val": 0.2, "test": 0.25, "reserve": 0.25}


def names_in_test(source: Path, out: Path, **split: Any) -> set[str]:
    """Names of the test photos."""
    photos = run(config_of(source, split={**RESERVE, **split, "kind": "by_content"}), out=out).photos()
    return {photo.name for photo in photos if photo.split == "test"}


def test_a_rotation_tests_on_other_photos_and_never_on_what_was_trained_on(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 40)
    first, second = (names_in_test(source, tmp_path / str(turn), rotation=turn) for turn in (0, 1))
    assert first
    assert second
    assert not first & second
    rows: list[dict[str, str]] = []
    for turn in (0, 1):
        config = config_of(source, split={**RESERVE, "kind": "by_content", "rotation": turn})
        rows.append({row.name: row.split for row in run(config, out=tmp_path / str(turn)).photos()})
    assert {name for name, split in rows[0].items() if split != "test"} == {
        name for name, split in rows[1].items() if split != "test"
    }


def test_photos_in_reserve_are_listed_with_their_reason(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 40)
    taken = names_in_test(source, tmp_path / "out")
    text = (tmp_path / "out" / "quarantine.json").read_text()
    assert taken
    assert "reserve: set aside for another test set" in text


@given(st.integers(0, 16**12 - 1), st.integers(0, 3))
def test_a_photo_is_in_exactly_one_place_whatever_the_rotation(number: int, rotation: int) -> None:
    photo = f"{number:012x}" + "0" * 52
    splits = [ByContent(train=0.4, val=0.2, test=0.1, reserve=0.3, rotation=turn) for turn in range(4)]
    here = splits[rotation]
    if split_of(photo, here) != "test":
        assert not is_set_aside(photo, here)
        assert [split_of(photo, split) for split in splits] == [split_of(photo, here)] * 4
    else:
        assert sum(not is_set_aside(photo, split) for split in splits) <= 1


def test_without_a_reserve_nothing_is_set_aside() -> None:
    assert not any(
        is_set_aside(f"{number:012x}" + "0" * 52, ByContent()) for number in range(0, 16**12, 16**10)
    )


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (
            {"train": 0.8, "val": 0.1, "test": 0.1, "reserve": 0.1},
            "train \\+ val \\+ test \\+ reserve must be 1",
        ),
        ({"train": 0.7, "val": 0.1, "test": 0.1, "reserve": 0.1, "rotation": 2}, "holds 1 test set of 0.1"),
        ({"rotation": 1}, "holds 0 test sets"),
    ],
)
def test_a_reserve_that_cannot_be_is_refused(split: dict[str, float], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ByContent.model_validate(split)


def test_bundled_photos_have_no_reserve() -> None:
    with pytest.raises(ValidationError, match="reserve needs photos of your own"):
        IngestConfig.model_validate({"split": {"kind": "by_content", **RESERVE}})


def test_a_source_that_is_all_reserve_says_so(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 1)
    split = {"kind": "by_content", "train": 0.0001, "val": 0.0001, "test": 0.0001, "reserve": 0.9997}
    with pytest.raises(PhotoError, match=r"all 1 usable photos at .* lie in the reserve"):
        run(config_of(source, split=split), out=tmp_path / "out")


def groups_of(photos: tuple[Photo, ...]) -> list[list[str]]:
    """Names of the photos that count as one, in order."""
    found: dict[str, list[str]] = {}
    for photo in photos:
        found.setdefault(photo.group, []).append(photo.name)
    return sorted(sorted(names) for names in found.values())


def test_photos_of_one_folder_count_as_one_and_stand_in_one_split_where_asked_for(tmp_path: Path) -> None:
    for burst in range(12):
        for shot in range(3):
            write(tmp_path / "in" / f"burst{burst:02d}" / f"{shot}.png", picture(10 * burst + shot))
    write(tmp_path / "in" / "alone.png", picture(500))
    photos = run(config_of(tmp_path / "in", group_by="folder"), out=tmp_path / "out").photos()
    assert Counter(len(names) for names in groups_of(photos)) == {3: 12, 1: 1}
    sides = {photo.group: {other.split for other in photos if other.group == photo.group} for photo in photos}
    assert all(len(side) == 1 for side in sides.values())
    apart = run(config_of(tmp_path / "in"), out=tmp_path / "apart").photos()
    assert len(groups_of(apart)) == 37


@pytest.mark.parametrize("others", [{}, {"photos": "x", "pairs": {"kind": "two_folders"}}])
def test_folders_as_groups_are_for_photos_of_ones_own(others: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="group_by folder is for a folder of photos"):
        IngestConfig.model_validate({"group_by": "folder", **others})


def test_pictures_of_one_scene_count_as_one(tmp_path: Path) -> None:
    for scene in range(6):
        for frame in range(3):
            seed = 10 * scene + frame
            place = tmp_path / "in" / "train" / f"GOPR{scene}"
            pair_at(place / f"sharp/{frame:06d}.png", place / f"blur/{frame:06d}.png", seed=seed)
    for scene in range(2):
        place = tmp_path / "in" / "test" / f"GOPR9{scene}"
        pair_at(place / "sharp/000001.png", place / "blur/000001.png", seed=900 + scene)
    config = config_of(tmp_path / "in", pairs={"kind": "gopro", "variant": "blur"})
    assert Counter(len(names) for names in groups_of(run(config, out=tmp_path / "out").photos())) == {
        3: 6,
        1: 2,
    }


def test_pairs_in_reserve_are_left_out_with_their_reason(tmp_path: Path) -> None:
    source = two_folders(tmp_path / "in", 24)
    split = {"kind": "by_content", **RESERVE}
    taken = [
        run(
            config_of(source, pairs={"kind": "two_folders"}, split={**split, "rotation": turn}),
            out=tmp_path / str(turn),
        ).photos()
        for turn in (0, 1)
    ]
    sets = [{photo.id for photo in photos if photo.split == "test"} for photos in taken]
    assert all(sets)
    assert not sets[0] & sets[1]
    assert "reserve: set aside" in (tmp_path / "0" / "quarantine.json").read_text()
