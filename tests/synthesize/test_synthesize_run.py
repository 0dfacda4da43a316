"""The stage: a folder of pairs that depends on photos and settings alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from photosets import SIZES, everything, photoset_of
from pydantic import ValidationError

from components.core.errors import InputError, LineageError, PhotoError
from components.core.files import sha256_of_bytes, sha256_of_file
from components.core.images import read_rgb
from components.core.records import Pair, PairSet, PhotoSet
from components.optics.blurs import NoBlur, RandomTrajectory
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run


@pytest.fixture(scope="module")
def photoset(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    return photoset_of(tmp_path_factory.mktemp("ingested"))


CONFIG = SynthesizeConfig(
    blurs=(RandomTrajectory(weight=3), NoBlur()), pairs_per_photo=3, pairs_per_eval_photo=2
)


@pytest.fixture(scope="module")
def made(photoset: PhotoSet, tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return run(CONFIG, photoset, out=tmp_path_factory.mktemp("pairs"))


def test_every_photo_gives_the_pairs_asked_for(photoset: PhotoSet, made: PairSet) -> None:
    assert made.counts == {"train": 6, "val": 2, "test": 2}
    assert made.photoset == photoset.digest
    assert [row.id for row in made.pairs()] == sorted(row.id for row in made.pairs())
    split_of = {photo.id: photo.split for photo in photoset.photos()}
    assert all(row.split == split_of[row.photo] for row in made.pairs())


def test_pairs_carry_what_their_photo_counts_as(photoset: PhotoSet, made: PairSet) -> None:
    groups = {photo.id: photo.group for photo in photoset.photos()}
    assert [row.counts_as for row in made.pairs()] == [groups[row.photo] for row in made.pairs()]


def test_rows_tell_what_lies_in_the_folder(made: PairSet) -> None:
    for row in made.pairs():
        assert row.input == f"{row.split}/input/{row.id}.png"
        assert sha256_of_file(made.folder / row.input) == row.input_sha256
        assert sha256_of_file(made.folder / row.target) == row.target_sha256
        assert (
            read_rgb(made.folder / row.input).shape
            == read_rgb(made.folder / row.target).shape
            == (row.height, row.width, 3)
        )
        assert row.severity_class == CONFIG.severity_class(row.severity)
    named = {file for row in made.pairs() for file in (row.input, row.target)}
    assert set(everything(made.folder)) == named | {"pairs.jsonl", "pairset.json", "examples.png"}


def test_pairs_of_one_photo_share_their_sharp_picture_and_differ_in_blur(made: PairSet) -> None:
    for photo in {row.photo for row in made.pairs()}:
        rows = [row for row in made.pairs() if row.photo == photo]
        assert len({row.target for row in rows}) == 1
        assert len({row.seed for row in rows}) == len({row.input_sha256 for row in rows}) == len(rows)


def test_the_sharp_picture_is_the_photo(photoset: PhotoSet, made: PairSet) -> None:
    target_of = {row.photo: row.target for row in made.pairs()}
    for photo in photoset.photos():
        if photo.bits == 8:
            assert np.array_equal(
                read_rgb(made.folder / target_of[photo.id]), read_rgb(photoset.folder / photo.file)
            )


def test_no_path_of_this_machine_enters_the_record(made: PairSet) -> None:
    text = (made.folder / PairSet.TABLE).read_text() + (made.folder / PairSet.FILE).read_text()
    assert str(made.folder) not in text
    assert "/" not in text.replace("train/", "").replace("val/", "").replace("test/", "").replace(
        "input/", ""
    ).replace("target/", "")


def test_the_same_settings_give_the_same_bytes_in_another_folder_and_order(
    made: PairSet, tmp_path: Path
) -> None:
    again = run(CONFIG, photoset_of(tmp_path / "ingested", order=-1), out=tmp_path / "pairs")
    pictures = {name: digest for name, digest in everything(made.folder).items() if name != "pairset.json"}
    assert {
        name: digest for name, digest in everything(again.folder).items() if name != "pairset.json"
    } == pictures


@pytest.mark.services
def test_the_number_of_workers_changes_no_byte(photoset: PhotoSet, made: PairSet, tmp_path: Path) -> None:
    spread = run(CONFIG.model_copy(update={"workers": 2}), photoset, out=tmp_path)
    assert everything(spread.folder) == everything(made.folder)
    assert spread.digest == made.digest


def test_a_photo_added_redraws_no_other(made: PairSet, tmp_path: Path) -> None:
    more = run(CONFIG, photoset_of(tmp_path / "ingested", sizes=(*SIZES, (72, 72))), out=tmp_path / "pairs")
    assert {row.model_dump_json() for row in made.pairs()} < {row.model_dump_json() for row in more.pairs()}


def test_another_name_draws_the_same_blur(photoset: PhotoSet, made: PairSet, tmp_path: Path) -> None:
    shutil.copytree(photoset.folder / "photos", tmp_path / "photos")
    named = tuple(photo.model_copy(update={"name": f"holiday/{photo.name}"}) for photo in photoset.photos())
    renamed = PhotoSet(counts=photoset.counts, table_sha256=PhotoSet.write_table(tmp_path, named)).save(
        tmp_path
    )
    assert run(CONFIG, renamed, out=tmp_path / "pairs").pairs() == made.pairs()


def test_another_seed_draws_other_blurs(photoset: PhotoSet, made: PairSet, tmp_path: Path) -> None:
    other = run(CONFIG.model_copy(update={"seed": 1}), photoset, out=tmp_path)
    assert not {row.input_sha256 for row in other.pairs()} & {row.input_sha256 for row in made.pairs()}
    assert other.digest != made.digest


def test_an_interrupted_or_older_run_leaves_no_stranger_behind(
    photoset: PhotoSet, made: PairSet, tmp_path: Path
) -> None:
    (tmp_path / "train" / "input").mkdir(parents=True)
    (tmp_path / "train" / "input" / "0000.png").write_bytes(b"half a picture")
    (tmp_path / "notes.txt").write_text("mine")
    run(CONFIG, photoset, out=tmp_path)
    assert everything(tmp_path) == everything(made.folder) | {"notes.txt": sha256_of_bytes(b"mine")}


def test_an_unfinished_folder_has_no_record(photoset: PhotoSet, tmp_path: Path) -> None:
    run(CONFIG, photoset, out=tmp_path)
    (tmp_path / PairSet.TABLE).unlink()
    (tmp_path / PairSet.TABLE / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=PairSet.TABLE):
        run(CONFIG.model_copy(update={"seed": 1}), photoset, out=tmp_path)
    with pytest.raises(LineageError, match="no PairSet"):
        PairSet.load(tmp_path)


def test_large_photos_are_shrunk_and_say_so(photoset: PhotoSet, tmp_path: Path) -> None:
    config = SynthesizeConfig(max_side_px=60, blurs=(RandomTrajectory(canvas_px=32, max_len_px=20),))
    rows: dict[str, Pair] = {row.photo: row for row in run(config, photoset, out=tmp_path).pairs()}
    for photo in photoset.photos():
        assert max(rows[photo.id].width, rows[photo.id].height) == 60
        assert rows[photo.id].drawn["shrunk_from_px"] == [photo.width, photo.height]


def test_a_photo_smaller_than_the_blur_is_refused_by_name(tmp_path: Path) -> None:
    small = photoset_of(tmp_path / "ingested", sizes=((64, 64), (40, 200)))
    with pytest.raises(
        PhotoError,
        match=(
            r"1 of 2 photos are smaller than the largest blur, 63 px: 1\.png is 40 × 200 px.*or make"
            r" random_trajectory \(canvas_px"
        ),
    ):
        run(SynthesizeConfig(), small, out=tmp_path / "pairs")
    lines = SynthesizeConfig.model_validate(
        {"blurs": [{"kind": "linear_motion", "length_px": [4, 60]}, {"kind": "none"}]}
    )
    with pytest.raises(PhotoError, match=r"the largest blur, 61 px: .*or make linear_motion smaller"):
        run(lines, small, out=tmp_path / "pairs")
    assert not (tmp_path / "pairs" / PairSet.FILE).exists()


def test_a_photo_too_long_for_its_codec_is_refused_before_work_starts(tmp_path: Path) -> None:
    photoset = photoset_of(tmp_path / "ingested")
    long = tuple(photo.model_copy(update={"width": 17_000}) for photo in photoset.photos())
    claimed = PhotoSet(
        counts=photoset.counts, table_sha256=PhotoSet.write_table(tmp_path / "long", long)
    ).save(tmp_path / "long")
    camera = {"jpeg": {}, "webp": {}}
    words = (
        r"4 of 4 photos are larger than camera.jpeg or camera.webp can write, 16383 px a side: .* Set"
        r" synthesize.max_side_px to 16383 or less"
    )
    with pytest.raises(PhotoError, match=words):
        run(SynthesizeConfig.model_validate({"camera": camera}), claimed, out=tmp_path / "pairs")
    # Shrunk first, or stored as JPEG, they would fit: then the file is looked for.
    for settings in ({"camera": camera, "max_side_px": 16_000}, {"camera": {"jpeg": {}}}):
        with pytest.raises(LineageError, match="missing or was altered"):
            run(SynthesizeConfig.model_validate(settings), claimed, out=tmp_path / "pairs")


def test_a_full_disk_is_refused_before_work_starts(tmp_path: Path) -> None:
    photoset = photoset_of(tmp_path / "ingested")
    huge = tuple(photo.model_copy(update={"width": 10**7, "height": 10**7}) for photo in photoset.photos())
    claimed = PhotoSet(
        counts=photoset.counts, table_sha256=PhotoSet.write_table(tmp_path / "huge", huge)
    ).save(tmp_path / "huge")
    with pytest.raises(InputError, match="synthesize needs about"):
        run(SynthesizeConfig(), claimed, out=tmp_path / "pairs")


def test_shares_follow_the_weights(tmp_path: Path) -> None:
    config = SynthesizeConfig(blurs=(RandomTrajectory(weight=3), NoBlur(weight=1)), pairs_per_photo=99)
    kinds = [
        row.blur_kind
        for row in run(
            config, photoset_of(tmp_path / "ingested", sizes=((64, 64),)), out=tmp_path / "pairs"
        ).pairs()
    ]
    assert kinds.count("none") / len(kinds) == pytest.approx(0.25, abs=0.13)


def test_workers_are_no_part_of_the_identity_and_the_rest_is() -> None:
    assert CONFIG.model_copy(update={"workers": 7}).identity == CONFIG.identity
    assert CONFIG.model_copy(update={"pairs_per_photo": 4}).identity != CONFIG.identity


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"blurs": []}, "at least 1 item"),
        ({"blurs": [{"kind": "random_trajektory"}]}, "random_trajectory"),
        ({"pairs_per_photo": 0}, "greater than or equal to 1"),
        ({"severity_bounds_px": [4, 2]}, "the smaller radius comes first"),
        (
            {"max_side_px": 32},
            (
                r"may be 63 px wide; raise max_side_px or make random_trajectory \(canvas_px and max_len_px\)"
                r" smaller"
            ),
        ),
        (
            {"max_side_px": 32, "blurs": [{"kind": "none"}, {"kind": "linear_motion", "length_px": [4, 40]}]},
            "41 px wide; .* or make linear_motion smaller",
        ),
        ({"workers": -1}, "greater than or equal to 0"),
        ({"pairs": 2}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_birth(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SynthesizeConfig.model_validate(settings)
