"""Records: identity by content, a table bound to its record, refusal of what was altered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.core.errors import LineageError
from components.core.files import sha256_of_bytes, sha256_of_file
from components.core.records import Checkpoint, Pair, PairSet, Photo, PhotoSet, RecipeRecord


def photo(number: int) -> Photo:
    name = f"{number:064x}"
    return Photo(
        id=name,
        file=f"originals/{name}.png",
        name="a.png",
        size_bytes=9,
        width=8,
        height=8,
        channels=3,
        bits=8,
        split="train",
        group=name,
    )


def saved(folder: Path, *, about: str = "", photos: int = 2) -> PhotoSet:
    table = PhotoSet.write_table(folder, tuple(photo(number) for number in range(photos)))
    return PhotoSet(
        table_sha256=table, counts={"train": photos, "val": 0, "test": 0}, about={"note": about}
    ).save(folder)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    written = saved(tmp_path)
    read = PhotoSet.load(tmp_path)
    assert (read, read.digest, read.folder) == (written, written.digest, tmp_path.resolve())
    assert read.photos() == (photo(0), photo(1))


def test_identity_is_content_not_place_nor_notes(tmp_path: Path) -> None:
    one, other = saved(tmp_path / "here", about="x"), saved(tmp_path / "there", about="y")
    assert one.digest == other.digest != saved(tmp_path / "more", photos=3).digest


@pytest.mark.parametrize(
    "harm", [lambda path: path.write_bytes(path.read_bytes() + b"\n"), lambda path: path.unlink()]
)
def test_an_altered_or_missing_table_is_refused(tmp_path: Path, harm: object) -> None:
    photoset = saved(tmp_path)
    harm(tmp_path / "photos.jsonl")  # type: ignore[operator]
    with pytest.raises(LineageError, match=r"photos.jsonl is missing or was altered"):
        photoset.photos()


def test_a_missing_record_names_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(LineageError, match=r"no PhotoSet at .*run the stage that makes it first"):
        PhotoSet.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"counts": 3}', "not json"])
def test_a_file_that_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "photoset.json").write_text(text)
    with pytest.raises(LineageError, match="is not a PhotoSet this version can read"):
        PhotoSet.load(tmp_path)


def test_a_record_never_saved_has_no_folder() -> None:
    with pytest.raises(LineageError, match="never saved"):
        _ = RecipeRecord(name="demo", sections={}).folder


def test_records_are_frozen_and_take_no_unknown_field() -> None:
    record = RecipeRecord(name="demo", sections={"train": {"seed": 1}})
    with pytest.raises(ValidationError, match="frozen"):
        record.name = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        RecipeRecord(name="demo", sections={}, sectoins={})  # type: ignore[call-arg]


def test_a_section_has_a_digest_of_its_own() -> None:
    one = RecipeRecord(name="a", sections={"train": {"seed": 1}, "ingest": {}})
    other = RecipeRecord(name="b", sections={"train": {"seed": 1}, "ingest": {"min_px": 32}})
    assert one.section_digest("train") == other.section_digest("train")
    assert one.section_digest("ingest") != other.section_digest("ingest")


def test_pairs_are_given_by_split(tmp_path: Path) -> None:
    def pair(number: int, split: str) -> Pair:
        same = {
            "input": "b",
            "target": "s",
            "input_sha256": "",
            "target_sha256": "",
            "width": 8,
            "height": 8,
            "blur_kind": "none",
        }
        return Pair.model_validate(
            {
                "id": str(number),
                "split": split,
                "photo": "p",
                "drawn": {},
                "severity": 1.0,
                "severity_class": "mild",
                "seed": 1,
                **same,
            }
        )

    rows = (pair(0, "train"), pair(1, "test"), pair(2, "train"))
    record = PairSet(
        photoset="p",
        config_digest="c",
        counts={"train": 2, "val": 0, "test": 1},
        table_sha256=PairSet.write_table(tmp_path, rows),
    ).save(tmp_path)
    assert record.pairs() == rows
    assert record.pairs("train") == (rows[0], rows[2])
    assert record.pairs("val") == ()


@pytest.mark.parametrize("file", [Checkpoint.WEIGHTS, Checkpoint.CONFIG])
def test_a_checkpoint_with_altered_files_is_refused(tmp_path: Path, file: str) -> None:
    for name in (Checkpoint.WEIGHTS, Checkpoint.CONFIG):
        (tmp_path / name).write_bytes(name.encode())
    hashes = {
        "weights_sha256": sha256_of_bytes(Checkpoint.WEIGHTS.encode()),
        "generator_sha256": sha256_of_bytes(Checkpoint.CONFIG.encode()),
    }
    checkpoint = Checkpoint(pairset="p", config_digest="c", code_digest="d", images_seen=1, **hashes).save(
        tmp_path
    )
    assert checkpoint.verify() is checkpoint
    (tmp_path / file).write_bytes(b"other")
    with pytest.raises(LineageError, match=re.escape(file)):
        checkpoint.verify()


@pytest.mark.parametrize("which", ["input", "target"])
def test_a_training_picture_that_was_replaced_is_named(tmp_path: Path, which: str) -> None:
    names = {"input": "train/input/0.png", "target": "train/target/0.png"}
    hashes = {}
    for side, name in names.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(side.encode())
        hashes[f"{side}_sha256"] = sha256_of_file(tmp_path / name)
    row = Pair(
        id="0", split="train", photo="0", **names, **hashes, width=8, height=8, blur_kind="none", drawn={},
        severity=0, severity_class="mild", seed=0,
    )  # fmt: skip
    counts: dict[Any, int] = {"train": 1, "val": 0, "test": 0}
    table = PairSet.write_table(tmp_path, (row,))
    pairset = PairSet(photoset="0", config_digest="0", counts=counts, table_sha256=table).save(tmp_path)
    assert pairset.verify("train", "val", "test") is pairset
    (tmp_path / names[which]).write_bytes(b"red")
    assert pairset.verify("val", "test") is pairset
    with pytest.raises(LineageError, match=rf"{names[which]} is missing or was altered"):
        pairset.verify("train")
    (tmp_path / names[which]).unlink()
    with pytest.raises(LineageError, match=rf"{names[which]} is missing or was altered"):
        pairset.verify("train")
