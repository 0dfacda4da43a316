"""What is looked at before a pair comes in: partner, size, likeness, place; and that nothing stands
in train and test.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pair_sets
import pytest
from ingest_photos import everything_below, picture, write
from pair_sets import TEST_ONLY, blurred, config, inputs_of, pair_at, reasons

from components.core.errors import InputError, PhotoError
from components.core.records import PhotoSet
from components.ingest.run import run
from components.services import storage


def take(source: Path, out: Path, **settings: Any) -> PhotoSet:
    return run(config(source, "two_folders", split=TEST_ONLY, **settings), out=out)


def test_a_picture_without_a_partner_is_named(tmp_path: Path) -> None:
    source = pair_sets.two_folders(tmp_path / "in", 2)
    write(source / "blur/lonely.png", picture(7))
    write(source / "sharp/other.png", picture(8))
    write(source / "blur/001.jpg", picture(9))
    assert take(source, tmp_path / "out").counts["test"] == 1
    assert reasons(tmp_path / "out") == {
        "blur/lonely.png": "unmatched: no sharp picture goes with it",
        "sharp/other.png": "unmatched: no blurred picture goes with it",
        "blur/001.jpg": "ambiguous: blur/001.jpg and blur/001.png both go with sharp/001.png",
        "blur/001.png": "ambiguous: blur/001.jpg and blur/001.png both go with sharp/001.png",
    }


def test_pictures_of_two_sizes_are_no_pair(tmp_path: Path) -> None:
    source = pair_sets.two_folders(tmp_path / "in", 2)
    write(source / "blur/001.png", picture(1, width=118))
    take(source, tmp_path / "out")
    assert reasons(tmp_path / "out") == {
        "blur/001.png": "sizes: 118 × 90 px, its sharp picture sharp/001.png 120 × 90"
    }


def test_pictures_of_two_things_are_no_pair(tmp_path: Path) -> None:
    source = pair_sets.two_folders(tmp_path / "in", 2)
    write(source / "blur/001.png", blurred(picture(30)))
    take(source, tmp_path / "out")
    assert reasons(tmp_path / "out")["blur/001.png"].startswith("not alike: correlation 0.")


def test_a_damaged_picture_on_either_side_is_named(tmp_path: Path) -> None:
    source = pair_sets.two_folders(tmp_path / "in", 3)
    (source / "blur/000.png").write_bytes(b"no picture")
    (source / "sharp/001.png").write_bytes(b"no picture")
    assert take(source, tmp_path / "out").counts["test"] == 1
    assert {name: reason.split(";")[0] for name, reason in reasons(tmp_path / "out").items()} == {
        "blur/000.png": "not a photo: no JPEG, PNG, WebP, TIFF, AVIF or HEIC in it",
        "blur/001.png": (
            "sharp picture: sharp/001.png cannot be used: not a photo: no JPEG, PNG, WebP, TIFF, AVIF or HEIC"
            " in it"
        ),
    }


def test_a_shift_is_measured_and_beyond_the_limit_the_pair_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = pair_sets.two_folders(tmp_path / "in", 2)
    pair_at(source / "sharp/far.png", source / "blur/far.png", seed=5, moved=(3.0, -2.0))
    found = inputs_of(take(source, tmp_path / "out"))
    assert all(np.hypot(*row.shift_px) < 0.15 for _, row in found.values())
    said = reasons(tmp_path / "out")["blur/far.png"]
    assert said.startswith("shifted: 3.")
    assert "ingest.pairs.max_shift_px is 2; raise it, and set ingest.pairs.align to shift" in said
    assert "2 pairs in 2 scenes (train 0, val 0, test 2), largest shift 0.0" in capsys.readouterr().err

    wider = inputs_of(take(source, tmp_path / "wide", max_shift_px=4))
    assert wider["blur/far.png"][1].shift_px == pytest.approx((3.0, -2.0), abs=0.15)
    assert wider["blur/far.png"][1].moved_px == (0, 0)
    said = capsys.readouterr().err
    assert "largest shift 3." in said
    assert "px (blur/far.png); nothing left out" in said

    moved = inputs_of(take(source, tmp_path / "moved", max_shift_px=4, align="shift"))
    assert {name: row.moved_px for name, (_, row) in moved.items()} == {
        "blur/far.png": (3, -2),
        "blur/000.png": (0, 0),
        "blur/001.png": (0, 0),
    }


def test_a_shift_counts_whichever_way_it_goes(tmp_path: Path) -> None:
    source = pair_sets.two_folders(tmp_path / "in", 2)
    # Two pixels are allowed: 1.7 each way are 2.4.
    for name, moved in (
        ("up", (0.0, -3.0)),
        ("left", (-3.0, 0.0)),
        ("both", (1.7, 1.7)),
        ("near", (1.2, -1.2)),
    ):
        pair_at(source / f"sharp/{name}.png", source / f"blur/{name}.png", seed=5 + len(name), moved=moved)
    take(source, tmp_path / "out")
    assert set(reasons(tmp_path / "out")) == {"blur/up.png", "blur/left.png", "blur/both.png"}


def test_a_pair_that_is_cut_below_the_smallest_size_is_left_out(tmp_path: Path) -> None:
    source = pair_sets.two_folders(tmp_path / "in", 1)
    pair_at(source / "sharp/far.png", source / "blur/far.png", seed=5, moved=(0.0, 3.0))
    take(source, tmp_path / "out", max_shift_px=4, align="shift", min_px=88)
    assert reasons(tmp_path / "out") == {
        "blur/far.png": (
            "too small: 120 × 87 px once cut into place, the shorter side must have ingest.min_px = 88"
        )
    }


def copy_into_training(source: Path, name: str, *, quality: int | None = None) -> None:
    """Put a test pair of the small GoPro into a training scene, as it is or as JPEG."""
    top = source / "GOPRO_Large"
    for folder in ("sharp", "blur"):
        found = top / f"test/GOPR0100_11_00/{folder}/000001.png"
        to = top / f"train/GOPR0000_11_00/{folder}/{name}"
        if quality is None:
            shutil.copy(found, to)
        else:
            from PIL import Image

            Image.open(found).save(to, quality=quality)


@pytest.mark.parametrize(
    ("name", "quality", "kind"), [("000009.png", None, "same bytes"), ("000009.jpg", 85, "near duplicate")]
)
def test_a_test_picture_in_train_is_refused_by_name_or_left_out_of_train(
    tmp_path: Path, name: str, quality: int | None, kind: str
) -> None:
    source = pair_sets.gopro(tmp_path / "in")
    copy_into_training(source, name, quality=quality)
    with pytest.raises(
        PhotoError,
        match=(
            rf"1 pairs of .* leak from test into training: .*train/GOPR0000_11_00/blur/{name}"
            rf" \((train|val)\): {kind}"
        ),
    ) as caught:
        run(config(source, "gopro", variant="blur"), out=tmp_path / "data" / "out")
    assert "set ingest.pairs.leakage to leave_out" in str(caught.value)
    assert not (tmp_path / "data" / "out").exists()
    photoset = run(config(source, "gopro", variant="blur", leakage="leave_out"), out=tmp_path / "out")
    assert photoset.counts["test"] == 4
    assert photoset.counts["train"] + photoset.counts["val"] == 6
    (out,) = reasons(tmp_path / "out")
    assert out == f"GOPRO_Large/train/GOPR0000_11_00/blur/{name}"


def test_a_scene_in_train_and_test_is_refused_by_name_or_left_out_of_train(tmp_path: Path) -> None:
    source = pair_sets.gopro(tmp_path / "in")
    folder = source / "GOPRO_Large/train/GOPR0101_11_00"
    pair_at(folder / "sharp/000077.png", folder / "blur/000077.png", seed=999)
    with pytest.raises(
        PhotoError,
        match=(
            r"same scene: GOPR0101_11_00, as GOPRO_Large/test/GOPR0101_11_00/blur/00000[12]\.png, which is in"
            r" test"
        ),
    ):
        run(config(source, "gopro", variant="blur"), out=tmp_path / "out")
    found = inputs_of(run(config(source, "gopro", variant="blur", leakage="leave_out"), out=tmp_path / "out"))
    assert {row.scene for split, row in found.values() if split != "test"} == {
        f"GOPR000{number}_11_00" for number in range(3)
    }


def test_the_same_picture_in_folders_train_and_test_stays_in_train(tmp_path: Path) -> None:
    for place, split in enumerate(("train", "test")):
        pair_sets.two_folders(tmp_path / "in", 2, below=split)
        pair_at(
            tmp_path / f"in/{split}/sharp/own.png", tmp_path / f"in/{split}/blur/own.png", seed=50 + place
        )
    photoset = run(config(tmp_path / "in", "two_folders", split={"kind": "by_folder"}), out=tmp_path / "out")
    assert photoset.counts == {"train": 3, "val": 0, "test": 1}
    assert (
        reasons(tmp_path / "out")["test/blur/000.png"]
        == "same bytes: shares a picture with train/blur/000.png, which is in train"
    )


def test_no_near_duplicate_stands_in_two_splits_when_content_decides(tmp_path: Path) -> None:
    source = pair_sets.two_folders(tmp_path / "in", 10)
    for seed in range(10):
        write(source / f"sharp/{seed:03d}-again.jpg", picture(seed), quality=80)
        write(source / f"blur/{seed:03d}-again.jpg", blurred(picture(seed)), quality=80)
    photoset = run(config(source, "two_folders"), out=tmp_path / "out")
    sides: dict[str, set[str]] = {}
    for photo in photoset.photos():
        sides.setdefault(photo.name[6:9], set()).add(photo.split)
    assert all(len(splits) == 1 for splits in sides.values())
    assert all(photoset.counts.values())
    assert {reason.partition(":")[0] for reason in reasons(tmp_path / "out").values()} <= {"near duplicate"}


def test_too_few_scenes_are_refused_with_the_way_out(tmp_path: Path) -> None:
    source = pair_sets.two_folders(tmp_path / "in", 2)
    with pytest.raises(
        PhotoError, match=r"at least 3 different scenes, .* has 2 usable .* \{kind: one_split, split: test\}"
    ):
        run(config(source, "two_folders"), out=tmp_path / "data" / "out")
    assert not (tmp_path / "data" / "out").exists()


def test_a_second_run_changes_no_byte_and_neither_place_nor_memory_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pair_sets.two_folders(tmp_path / "in", 5)
    first = run(config(source, "two_folders"), out=tmp_path / "out")
    before = everything_below(tmp_path / "out")
    run(config(source, "two_folders"), out=tmp_path / "out")
    assert everything_below(tmp_path / "out") == before
    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path / "fresh state"))
    shutil.copytree(source, tmp_path / "elsewhere")
    again = run(config(tmp_path / "elsewhere", "two_folders"), out=tmp_path / "other")
    assert again.digest == first.digest
    assert everything_below(tmp_path / "other") == before


def test_a_set_without_pairs_has_no_word_about_them(tmp_path: Path) -> None:
    from ingest_photos import config_of, write_many

    run(config_of(write_many(tmp_path / "in", 4)), out=tmp_path / "out")
    assert "given" not in (tmp_path / "out" / PhotoSet.TABLE).read_text()


@pytest.mark.services
def test_pairs_in_a_bucket_are_those_of_the_folder(tmp_path: Path, s3_endpoint: str) -> None:
    import boto3

    boto3.client("s3").create_bucket(Bucket="pairs")
    source = pair_sets.realblur(tmp_path / "in")
    for file in source.rglob("*"):
        if file.is_file():
            storage.put(file, f"s3://pairs/real/{file.relative_to(source).as_posix()}")
    one, other = (
        run(config(place, "realblur", subset="J"), out=tmp_path / name)
        for place, name in ((source, "a"), ("s3://pairs/real", "b"))
    )
    assert one.digest == other.digest
    assert other.about["source"] == "s3"
    assert one.settings == other.settings
    assert "pairs.kind realblur" in one.settings


def test_when_nothing_can_be_used_the_first_reason_and_the_layout_are_said(tmp_path: Path) -> None:
    source = pair_sets.gopro(tmp_path / "in", trained=0, tested=1)
    shutil.rmtree(source / "GOPRO_Large/test/GOPR0100_11_00/blur_gamma")
    with pytest.raises(
        PhotoError,
        match=(
            r"all were left out \(2 unmatched .*sharp/000001\.png: no blurred picture goes with it\); .*; all"
            r" reasons in .*\); gopro needs train/SCENE"
        ),
    ):
        run(config(source, "gopro", variant="blur_gamma"), out=tmp_path / "data" / "out")
    assert not (tmp_path / "data" / "out").exists()


def test_a_disk_too_small_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(InputError, match="ingest needs about"):
        take(pair_sets.two_folders(tmp_path / "in", 2), tmp_path / "out")
    assert not (tmp_path / "out").exists()
