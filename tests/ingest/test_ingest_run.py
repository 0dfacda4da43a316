"""The stage as a whole: a source in, a PhotoSet out."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from ingest_photos import config_of, everything_below, picture, write, write_many
from PIL import features

from components.core.errors import InputError, PhotoError
from components.core.files import sha256_of_file
from components.core.quarantine import Quarantine
from components.core.records import SPLITS, PhotoSet
from components.ingest.config import IngestConfig
from components.ingest.run import run


def test_every_photo_is_kept_byte_for_byte_under_its_hash(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 12)
    photoset = run(config_of(source), out=tmp_path / "out")
    photos = photoset.photos()
    assert [photo.name for photo in sorted(photos, key=lambda photo: photo.name)] == [
        f"{seed:03d}.png" for seed in range(12)
    ]
    for photo in photos:
        assert (photoset.folder / photo.file).read_bytes() == (source / photo.name).read_bytes()
        assert photo.id == sha256_of_file(source / photo.name)
        assert photo.file == f"originals/{photo.id}.png"
        assert (photo.width, photo.height, photo.channels, photo.bits) == (120, 90, 3, 8)
    assert [photo.id for photo in photos] == sorted(photo.id for photo in photos)


def test_the_record_names_the_settings_that_made_it_and_no_place(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 12)
    record = run(config_of(source, min_px=40), out=tmp_path / "out")
    assert "min_px 40" in PhotoSet.load(tmp_path / "out").settings
    assert "split.kind by_content" in record.settings
    assert str(tmp_path) not in (tmp_path / "out" / PhotoSet.FILE).read_text()
    other = run(config_of(source, min_px=41), out=tmp_path / "other")
    assert other.settings != record.settings
    assert other.digest == record.digest, "the same photos, whatever they were chosen by"
    assert record.model_copy(update={"about": {}}).settings == "not recorded"


def test_every_split_has_photos_and_the_counts_say_how_many(tmp_path: Path) -> None:
    photoset = run(config_of(write_many(tmp_path / "in", 12)), out=tmp_path / "out")
    found = [photo.split for photo in photoset.photos()]
    assert photoset.counts == {split: found.count(split) for split in SPLITS}
    assert all(photoset.counts.values())


def test_a_second_run_changes_no_byte_and_rewrites_no_photo(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 6)
    first = run(config_of(source), out=tmp_path / "out")
    before, times = (
        everything_below(tmp_path / "out"),
        {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "originals").iterdir()},
    )
    second = run(config_of(source), out=tmp_path / "out")
    assert everything_below(tmp_path / "out") == before
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "originals").iterdir()} == times
    assert second.digest == first.digest


def test_neither_the_place_nor_the_order_nor_earlier_runs_change_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_many(tmp_path / "in", 8)
    run(config_of(source), out=tmp_path / "out")
    names = [path.name for path in source.iterdir()]
    random.Random(3).shuffle(names)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in names:
        shutil.copy(source / name, elsewhere / name)
    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path / "fresh state"))
    run(config_of(elsewhere), out=tmp_path / "out2")
    assert everything_below(tmp_path / "out2") == everything_below(tmp_path / "out")


def test_other_names_give_the_same_ids_and_splits(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 8)
    renamed = tmp_path / "renamed"
    (renamed / "deep").mkdir(parents=True)
    for place, path in enumerate(sorted(source.iterdir(), reverse=True)):
        shutil.copy(path, renamed / "deep" / f"x{place}.png")
    one, other = (run(config_of(folder), out=tmp_path / folder.name / ".out") for folder in (source, renamed))
    assert [(photo.id, photo.split) for photo in one.photos()] == [
        (photo.id, photo.split) for photo in other.photos()
    ]


def test_adding_photos_moves_none(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 40)
    before = {photo.id: photo.split for photo in run(config_of(source), out=tmp_path / "out").photos()}
    write_many(source, 40, first=40)
    after = {photo.id: photo.split for photo in run(config_of(source), out=tmp_path / "out").photos()}
    assert len(after) == 80
    assert {photo: after[photo] for photo in before} == before


def test_a_photo_taken_away_is_gone_after_the_next_run(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 6)
    run(config_of(source), out=tmp_path / "out")
    (tmp_path / "out" / "originals" / ".left-by-a-killed-run.png").write_bytes(b"half")
    (source / "004.png").unlink()
    photoset = run(config_of(source), out=tmp_path / "out")
    assert {f"originals/{path.name}" for path in (tmp_path / "out" / "originals").iterdir()} == {
        photo.file for photo in photoset.photos()
    }
    assert len(photoset.photos()) == 5


def test_a_damaged_original_is_mended(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 4)
    photo = run(config_of(source), out=tmp_path / "out").photos()[0]
    stored = tmp_path / "out" / photo.file
    whole = stored.read_bytes()
    stored.write_bytes(bytes(len(whole)))
    run(config_of(source), out=tmp_path / "out")
    assert stored.read_bytes() == whole


def test_the_same_bytes_under_several_names_are_one_photo(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 4)
    shutil.copy(source / "002.png", source / "a copy.png")
    shutil.copy(source / "002.png", source / "000 first.png")
    photos = run(config_of(source), out=tmp_path / "out").photos()
    twin = next(photo for photo in photos if photo.also_named)
    assert len(photos) == 4
    assert (twin.name, twin.also_named) == ("000 first.png", ("002.png", "a copy.png"))


def test_what_cannot_be_used_is_listed_with_its_reason_and_stops_nothing(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 5)
    whole = write(tmp_path / "whole.jpg", picture(50)).read_bytes()
    (source / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (source / "diary.jpg").write_text("Dear diary, I am a text.")
    (source / "empty.png").touch()
    (source / "liar.png").write_bytes(whole)
    (source / "gone.png").symlink_to(tmp_path / "nowhere.png")
    cv2.imwrite(str(source / "floats.tif"), picture(53).astype(np.float32) / 255)
    write(source / "small.png", picture(51, width=200, height=63))
    write(source / "large.png", picture(52, width=1200, height=1000))
    (source / "notes.txt").write_text("x")
    (source / "README").write_text("x")
    photoset = run(config_of(source, max_megapixels=1.0), out=tmp_path / "out")
    report = Quarantine.load(tmp_path / "out")
    assert {row.name: row.kind for row in report.left_out} == {
        "cut.jpg": "truncated",
        "diary.jpg": "not a photo",
        "empty.png": "not a photo",
        "floats.tif": "unusual",
        "gone.png": "unreadable",
        "large.png": "too large",
        "liar.png": "mislabelled",
        "small.png": "too small",
    }
    assert "says PNG (.png), the content is JPEG" in next(
        row.reason for row in report.left_out if row.name == "liar.png"
    )
    assert report.ignored == {"": 1, ".txt": 1}
    assert len(photoset.photos()) == 5


def test_reasons_are_the_same_when_the_photos_are_known_from_an_earlier_run(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 5)
    write(source / "small.png", picture(9, width=70, height=70))
    shutil.copy(source / "000.png", source / "liar.jpg")
    run(config_of(source), out=tmp_path / "out")
    strict = run(config_of(source, min_px=80), out=tmp_path / "strict")
    assert [(row.name, row.kind) for row in Quarantine.load(strict.folder).left_out] == [
        ("liar.jpg", "mislabelled"),
        ("small.png", "too small"),
    ]


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".JPG", ".png", ".webp", ".tif", ".TIFF"])
def test_every_promised_format_is_taken(tmp_path: Path, ending: str) -> None:
    source = write_many(tmp_path / "in", 3)
    write(source / f"wanted{ending}", picture(77))
    photos = run(config_of(source), out=tmp_path / "out").photos()
    wanted = next(photo for photo in photos if photo.name == f"wanted{ending}")
    assert Path(wanted.file).suffix in (".jpg", ".png", ".webp", ".tif")


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_webp_that_a_browser_saved_under_another_name_is_taken(tmp_path: Path, ending: str) -> None:
    source = write_many(tmp_path / "in", 3)
    (source / f"saved{ending}").write_bytes(write(tmp_path / "a.webp", picture(77)).read_bytes())
    photos = run(config_of(source), out=tmp_path / "out").photos()
    saved = next(photo for photo in photos if photo.name == f"saved{ending}")
    assert Path(saved.file).suffix == ".webp"


def test_grey_deep_and_turned_photos_are_described_as_they_are(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 3)
    write(source / "grey16.png", (picture(60)[:, :, 0].astype(np.uint16) * 257))
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    write(source / "turned.jpg", picture(61), exif=exif)
    photos = {photo.name: photo for photo in run(config_of(source), out=tmp_path / "out").photos()}
    assert (photos["grey16.png"].channels, photos["grey16.png"].bits) == (1, 16)
    assert (photos["turned.jpg"].width, photos["turned.jpg"].height) == (90, 120)


def test_folders_decide_when_asked(tmp_path: Path) -> None:
    for place, split in enumerate(SPLITS):
        write_many(tmp_path / "in" / split / "below", 2, first=10 * place)
    photoset = run(config_of(tmp_path / "in", split={"kind": "by_folder"}), out=tmp_path / "out")
    assert all(photo.split == photo.name.split("/")[0] for photo in photoset.photos())
    assert photoset.counts == {"train": 2, "val": 2, "test": 2}


@pytest.mark.parametrize("stray", ["training/a.png", "a.png", "train.png"])
def test_a_photo_outside_the_three_folders_is_refused(tmp_path: Path, stray: str) -> None:
    for place, split in enumerate(SPLITS):
        write_many(tmp_path / "in" / split, 1, first=place)
    write(tmp_path / "in" / stray, picture(5))
    with pytest.raises(PhotoError, match=f'"{stray}" does not'):
        run(config_of(tmp_path / "in", split={"kind": "by_folder"}), out=tmp_path / "out")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    write_many(tmp_path / "in" / "train", 4)
    write_many(tmp_path / "in" / "test", 1, first=8)
    with pytest.raises(PhotoError, match=r"no usable photo for val .* into the folders val/"):
        run(config_of(tmp_path / "in", split={"kind": "by_folder"}), out=tmp_path / "out")


def test_the_same_bytes_in_train_and_test_stay_in_train(tmp_path: Path) -> None:
    for place, split in enumerate(SPLITS):
        write_many(tmp_path / "in" / split, 2, first=10 * place)
    shutil.copy(tmp_path / "in/train/000.png", tmp_path / "in/test/000.png")
    photoset = run(config_of(tmp_path / "in", split={"kind": "by_folder"}), out=tmp_path / "out")
    assert photoset.counts == {"train": 2, "val": 2, "test": 2}
    (row,) = Quarantine.load(tmp_path / "out").left_out
    assert (row.name, row.reason) == ("test/000.png", "same bytes: as train/000.png, which is in train")


def test_the_bundled_photos_have_their_origin_terms_and_fixed_split(tmp_path: Path) -> None:
    photoset = run(IngestConfig(), out=tmp_path / "out")
    photos = photoset.photos()
    assert photoset.counts == {"train": 6, "val": 1, "test": 3}
    assert {photo.name for photo in photos if photo.split == "test"} == {
        "skimage/coffee.png",
        "sklearn/china.jpg",
        "skimage/rocket.jpg",
    }
    assert all(photo.origin and photo.licence and photo.channels == 3 for photo in photos)


def nothing_there(folder: Path) -> Path:
    folder.mkdir()
    return folder


def a_note_alone(folder: Path) -> Path:
    folder.mkdir()
    (folder / "note.txt").write_text("photos follow")
    return folder


def only_texts(folder: Path) -> Path:
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.txt"):
        (folder / name).write_text("no photo")
    return folder


def one_photo(folder: Path) -> Path:
    return write_many(folder, 1)


def one_photo_three_times(folder: Path) -> Path:
    for quality in (60, 75, 90):
        write(folder / f"{quality}.jpg", picture(1), quality=quality)
    return folder


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (nothing_there, "no photo at .*: nothing at all lies there; is its disk mounted"),
        (a_note_alone, r"no photo at .*no file there ends in .*1 \.txt"),
        (
            only_texts,
            r"all 2 files were left out \(2 not a photo \(a.jpg: no .*\); ignored by .*: 1 .txt; all",
        ),
        (one_photo, "at least 3 different photos, .* has 1 usable"),
        (
            one_photo_three_times,
            "at least 3 different photos, .* has 1 usable .*near duplicates count as one",
        ),
        (lambda folder: folder, "no folder "),
        (lambda folder: write(folder.with_suffix(".jpg"), picture(1)), "is a file; give the folder"),
    ],
)
def test_bad_input_gets_a_reason_and_leaves_nothing_behind(tmp_path: Path, made: object, said: str) -> None:
    source = made(tmp_path / "in")  # type: ignore[operator]
    with pytest.raises(PhotoError, match=said) as caught:
        run(config_of(source), out=tmp_path / "data" / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data" / "out").exists()


def test_a_failed_run_leaves_the_old_set_as_it_was(tmp_path: Path) -> None:
    run(config_of(write_many(tmp_path / "in", 4)), out=tmp_path / "out")
    before = everything_below(tmp_path / "out")
    with pytest.raises(PhotoError):
        run(config_of(write_many(tmp_path / "few", 2, first=30)), out=tmp_path / "out")
    assert everything_below(tmp_path / "out") == before
    assert len(PhotoSet.load(tmp_path / "out").photos()) == 4


def test_a_disk_too_small_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(InputError, match="ingest needs about"):
        run(config_of(write_many(tmp_path / "in", 4)), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_photo_whose_library_is_gone_is_left_out_though_it_was_decoded_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    source = write_many(tmp_path / "in", 9)
    write(source / "phone.avif", picture(50))
    assert len(run(config_of(source), out=tmp_path / "out").photos()) == 10
    monkeypatch.setattr(features, "check", lambda name: False)
    assert len(run(config_of(source), out=tmp_path / "out").photos()) == 9
    (left,) = Quarantine.load(tmp_path / "out").left_out
    assert (left.name, left.kind) == ("phone.avif", "unusual")
