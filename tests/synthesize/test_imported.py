"""Photos that came with blurred pictures become pairs as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from pydantic import JsonValue

from components.core.errors import InputError, LineageError
from components.core.files import sha256_of_bytes, sha256_of_file
from components.core.images import Bytes8, read_rgb
from components.core.records import SPLITS, PairedInput, PairSet, Photo, PhotoSet
from components.core.seeds import stream
from components.optics.blurs import NoBlur
from components.synthesize.config import SynthesizeConfig
from components.synthesize.imported import placed
from components.synthesize.run import run

MOVED = ((0, 0), (3, -2), (-1, 0))
SEVERITY = (1.0, 3.0, 9.0)


def kept(folder: Path, pixels: np.ndarray[Any, Any]) -> tuple[str, str]:
    done, data = cv2.imencode(".png", pixels)
    assert done
    name = sha256_of_bytes(data.tobytes())
    file = f"originals/{name}.png"
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(data.tobytes())
    return name, file


def ingested(folder: Path) -> PhotoSet:
    """A photo a split, the second with 16 bits, each with three blurred pictures that lie aside by
    MOVED; small, as no blur need fit in.
    """
    rows = []
    splits: tuple[Literal["train", "val", "test"], ...] = SPLITS
    for index, split in enumerate(splits):
        bits: Literal[8, 16] = 16 if index == 1 else 8
        big = (
            stream("scene", index)
            .integers(0, 2**bits, (60, 70, 3))
            .astype(np.uint16 if bits == 16 else np.uint8)
        )
        photo, file = kept(folder, big[10:50, 10:58])
        rows_given = []
        for place, (x, y) in enumerate(MOVED):
            name, at = kept(folder, big[10 - y : 50 - y, 10 - x : 58 - x] ^ (place + 1))
            made: dict[str, JsonValue] = {"frames": 7} if place == 2 else {}
            rows_given.append(
                PairedInput(
                    id=name,
                    file=at,
                    name=f"blur/{index}-{place}.png",
                    size_bytes=9,
                    layout="two_folders",
                    scene="s",
                    shift_px=(x + 0.1, y),
                    likeness=0.9,
                    severity=SEVERITY[place],
                    moved_px=(x, y),
                    made=made,
                    variant="blur",
                )
            )
        rows.append(
            Photo(
                id=photo,
                file=file,
                name=f"{index}.png",
                size_bytes=9,
                width=48,
                height=40,
                channels=3,
                bits=bits,
                split=split,
                group=photo,
                inputs=tuple(rows_given),
            )
        )
    ordered = tuple(sorted(rows, key=lambda row: row.id))
    return PhotoSet(
        counts={"train": 1, "val": 1, "test": 1}, table_sha256=PhotoSet.write_table(folder, ordered)
    ).save(folder)


def difference(pairset: PairSet, row_id: str) -> Bytes8:
    row = next(row for row in pairset.pairs() if row.id == row_id)
    return read_rgb(pairset.folder / row.input) ^ read_rgb(pairset.folder / row.target)


def test_given_pairs_are_written_as_they_came_and_cut_into_place(tmp_path: Path) -> None:
    photoset = ingested(tmp_path / "photos")
    pairset = run(SynthesizeConfig(), photoset, out=tmp_path / "pairs")
    assert pairset.counts == {"train": 3, "val": 3, "test": 3}
    assert (pairset.photoset, pairset.task, pairset.baseline) == (photoset.digest, "deblurring", "input")
    for row in pairset.pairs():
        place = int(str(row.drawn["name"])[-5])
        x, y = MOVED[place]
        assert (row.blur_kind, row.severity, row.width, row.height) == (
            "imported",
            SEVERITY[place],
            48 - abs(x),
            40 - abs(y),
        )
        assert row.severity_class == ("mild", "medium", "strong")[place]
        assert (row.drawn["layout"], row.drawn["scene"], row.drawn["variant"], row.drawn["moved_px"]) == (
            "two_folders",
            "s",
            "blur",
            [x, y],
        )
        assert row.drawn["made"] == ({"frames": 7} if place == 2 else {})
        assert sha256_of_file(pairset.folder / row.input) == row.input_sha256
        assert sha256_of_file(pairset.folder / row.target) == row.target_sha256
        if row.split != "val":  # 16 bits are rounded to 8
            assert set(np.unique(difference(pairset, row.id))) == {place + 1}
    assert len({row.id for row in pairset.pairs()}) == 9
    named = {file for row in pairset.pairs() for file in (row.input, row.target)}
    there = {path.relative_to(pairset.folder).as_posix() for path in pairset.folder.rglob("*.png")}
    assert there == named | {"examples.png"}


def test_given_pairs_carry_what_their_photo_counts_as(tmp_path: Path) -> None:
    photoset = ingested(tmp_path / "photos")
    rows = tuple(photo.model_copy(update={"group": f"scene of {photo.split}"}) for photo in photoset.photos())
    table = PhotoSet.write_table(tmp_path / "photos", rows)
    grouped = photoset.model_copy(update={"table_sha256": table}).save(tmp_path / "photos")
    pairs = run(SynthesizeConfig(), grouped, out=tmp_path / "pairs").pairs()
    assert {(pair.split, pair.counts_as) for pair in pairs} == {(side, f"scene of {side}") for side in SPLITS}


def test_what_is_seen_at_a_place_lies_at_that_place_plus_the_shift() -> None:
    target = np.zeros((8, 9, 3), np.uint8)
    target[3, 4] = 200
    blurred = np.roll(target, (-1, 2), axis=(0, 1))
    assert np.array_equal(placed(target, 2, -1), placed(blurred, -2, 1))
    assert placed(target, 2, -1).shape == (7, 7, 3)
    assert placed(target, 0, 0).shape == target.shape


@pytest.mark.parametrize(
    "change",
    [{"blurs": (NoBlur(),)}, {"pairs_per_photo": 2}, {"max_side_px": 100}, {"camera": {"jpeg": None}}],
)
def test_settings_of_what_is_made_are_refused_for_pairs_that_are_given(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    with pytest.raises(
        InputError,
        match=rf"came with blurred pictures of their own, .* leave synthesize\.{next(iter(change))} out",
    ):
        run(SynthesizeConfig.model_validate(change), ingested(tmp_path / "photos"), out=tmp_path / "pairs")
    assert not (tmp_path / "pairs").exists()


@pytest.mark.parametrize("which", ["target", "blurred"])
def test_a_picture_that_is_not_the_one_ingested_is_refused(tmp_path: Path, which: str) -> None:
    photoset = ingested(tmp_path / "photos")
    photo = photoset.photos()[0]
    (photoset.folder / (photo.file if which == "target" else photo.inputs[1].file)).write_bytes(b"other")
    with pytest.raises(LineageError, match="missing or was altered: it is not the picture"):
        run(SynthesizeConfig(), photoset, out=tmp_path / "pairs")
    assert not (tmp_path / "pairs" / PairSet.FILE).exists()
