"""Decoded pictures kept in one file for all processes: the same crops bit for bit, decoded once."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from fresh_pairs import fresh_set
from pairs import make_pairs
from small_training import config

from components.core.errors import PhotoError
from components.core.files import state_folder
from components.core.images import rgb_of
from components.core.records import Pair
from components.train.augment import PairedAugment
from components.train.data import Data, PairDataset, loader_count
from components.train.kept_pictures import KeptPictures, Slot
from components.train.on_the_fly import training_set

PLACES = [("generator", position) for position in range(12)]
X4 = {"generator": {"kind": "srresnet", "width": 4, "blocks": 1}}


def sixteen_bits(folder: Path, pairs: tuple[Pair, ...]) -> None:
    for pair in pairs:
        for name in pair.files:
            eight = rgb_of((folder / name).read_bytes(), name)
            cv2.imwrite(str(folder / name), eight.astype(np.uint16)[:, :, ::-1] * 257 // 3)


def dataset(folder: Path, pairs: tuple[Pair, ...], **changes: Any) -> PairDataset:
    return PairDataset(folder, pairs, config(**changes), 16)


@pytest.mark.parametrize("enlarge", [1.0, 286 / 256, 1.5])
@pytest.mark.parametrize("kind", ["plain", "four times", "16 bits"])
def test_crops_are_those_of_the_whole_pictures_enlarged_whether_kept_or_not(
    tmp_path: Path, enlarge: float, kind: str
) -> None:
    changes = {"augment": {"enlarge": enlarge}} | (X4 if kind == "four times" else {})
    pairs = make_pairs(tmp_path, task="enlarge" if kind == "four times" else "restore").pairs("train")
    if kind == "16 bits":
        sixteen_bits(tmp_path, pairs)
    settings = config(**changes)
    whole = PairedAugment(settings.augment, 16, settings.generator.scale)
    kept, not_kept = (dataset(tmp_path, pairs, **changes, keep_decoded_gb=most) for most in (1.0, 0.0))
    for place in PLACES:
        pair = kept._pair_at(place)
        wanted = whole(
            *(rgb_of((tmp_path / name).read_bytes(), name) for name in (pair.input, pair.target)),
            settings.seed,
            "augment",
            *place,
        )
        for one, other, picture in zip(kept[place], not_kept[place], wanted, strict=True):
            assert torch.equal(one, other)
            straight = torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32))
            torch.testing.assert_close(one.float(), straight / (257 if kind == "16 bits" else 1))


def test_pairs_made_on_the_fly_are_the_same_whether_their_photos_are_kept_or_not(tmp_path: Path) -> None:
    _, pairset = fresh_set(tmp_path)
    kept, not_kept = (
        training_set(Data.of(pairset), config(keep_decoded_gb=most), 16, torch.device("cpu"))
        for most in (1.0, 0.0)
    )
    assert list((state_folder() / "decoded").glob("*.pixels"))
    for place in PLACES:
        assert all(map(torch.equal, kept[place], not_kept[place]))


def test_a_second_training_and_a_loaders_process_decode_nothing(tmp_path: Path) -> None:
    pairs = make_pairs(tmp_path).pairs("train")
    first = dataset(tmp_path, pairs)
    sent = pickle.loads(pickle.dumps(first))  # as a loader's process gets it, before anything is decoded
    samples = [first[place] for place in PLACES]
    second = dataset(tmp_path, pairs)
    shutil.rmtree(tmp_path / "train")
    for found in (second, sent):
        for place, sample in zip(PLACES, samples, strict=True):
            assert all(map(torch.equal, found[place], sample))
    with pytest.raises(PhotoError, match="cannot be read"):
        dataset(tmp_path, pairs, keep_decoded_gb=0.0)[PLACES[0]]


def test_a_set_beyond_the_bound_is_kept_in_memory_as_before(tmp_path: Path) -> None:
    pairs = make_pairs(tmp_path).pairs("train")
    assert dataset(tmp_path, pairs, keep_decoded_gb=80e-6)[PLACES[0]][0].shape == (3, 16, 16)  # needs 83 kB
    assert not list((state_folder() / "decoded").glob("*.pixels"))


SLOTS = [Slot(name, "0" * 64, 8, 8) for name in ("one", "two")]


def kept_file(prepared: str = "", gigabytes: float = 1.0) -> KeptPictures:
    found = KeptPictures.of(SLOTS, bytes_a_value=1, gigabytes=gigabytes, prepared=prepared)
    assert found is not None
    return found


def test_a_picture_counts_once_its_entry_is_written_and_not_before() -> None:
    kept, picture = kept_file(), np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    _, offset, _ = kept.places["one"]
    with kept.path.open("r+b") as file:  # killed behind the pixels
        file.seek(offset)
        file.write(picture.tobytes())
    assert kept.get("one") is None
    kept.put("one", picture)
    found = kept.get("one")
    assert found is not None
    assert np.array_equal(found, picture)
    assert not found.flags.writeable
    assert kept.get("two") is None
    assert kept.get("three") is None


def test_a_picture_larger_than_its_place_or_of_more_bits_is_not_kept() -> None:
    kept = kept_file()
    for picture in (np.zeros((9, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint16)):
        kept.put("one", picture)
        assert kept.get("one") is None


def test_a_full_disk_keeps_no_more_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    pairs = make_pairs(tmp_path).pairs("train")
    with_none = dataset(tmp_path, pairs, keep_decoded_gb=0.0)
    assert all(map(torch.equal, dataset(tmp_path, pairs)[PLACES[0]], with_none[PLACES[0]]))


def test_files_of_another_boot_go_and_the_oldest_where_room_is_needed() -> None:
    first, second = kept_file("first"), kept_file("second")
    for kept in (first, second):
        kept.put("one", np.ones((8, 8, 3), np.uint8))
        assert kept.get("one") is not None
    crashed = first.path.with_stem(first.path.stem.rsplit("-", 1)[0] + "-ffffffff")
    shutil.copy(first.path, crashed)
    third = kept_file("third", gigabytes=1e-5)  # 10 kB; with its first page each takes 4.5, on disk 4 to 8
    assert third.path.is_file()
    assert not crashed.exists()
    assert not first.path.exists()
    assert first.get("one") is not None, "who has it open keeps it"


def test_loaders_are_as_many_as_asked_for_and_none_by_themselves_on_a_processor() -> None:
    assert [loader_count(asked, torch.device("cpu")) for asked in (None, 0, 3)] == [0, 0, 3]
