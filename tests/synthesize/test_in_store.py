"""Pairs made into the store: the same bytes and the same record as files, made anywhere, made once."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from photosets import photoset_of

from components.core.errors import InputError, LineageError
from components.core.files import sha256_of_bytes, state_kept_in
from components.core.records import PairSet, PhotoSet
from components.evaluate.measure import read_pair
from components.optics.blurs import NoBlur, RandomTrajectory
from components.services import storage
from components.services.content import MANIFEST, ContentStore, reader_of, shard_problems, verify_pairs
from components.synthesize import in_store
from components.synthesize.config import SynthesizeConfig
from components.synthesize.exchange import send
from components.synthesize.in_store import Task, packed_pairs
from components.synthesize.run import run

FILES = SynthesizeConfig(blurs=(RandomTrajectory(), NoBlur()), pairs_per_photo=2, max_left_out=1.0)
SHARDS = FILES.model_copy(update={"pictures": "shards"})


@pytest.fixture
def store(bucket: str, monkeypatch: pytest.MonkeyPatch) -> ContentStore:
    monkeypatch.setenv("REFOCUS_STORE", f"{bucket}/team")
    return ContentStore.needed("this test")


@pytest.fixture
def photoset(tmp_path: Path) -> PhotoSet:
    return photoset_of(tmp_path / "photos")


def pictures(pairset: PairSet) -> dict[str, str]:
    reader = reader_of(pairset)
    rows = (*pairset.pairs(), *pairset.source_photos())
    return {name: sha256_of_bytes(reader.read(name)) for row in rows for name in row.files}


@pytest.mark.parametrize("delivery", ["offline", "on_the_fly"])
def test_in_shards_are_the_record_the_tables_the_pictures_and_the_sheet_that_are_in_files(
    store: ContentStore, photoset: PhotoSet, tmp_path: Path, delivery: str
) -> None:
    more = {"delivery": delivery, "pairs_per_photo": 2 if delivery == "offline" else 1}
    near = run(FILES.model_copy(update=more), photoset, out=tmp_path / "near")
    far = run(SHARDS.model_copy(update=more), photoset, out=tmp_path / "far")
    assert far.digest == near.digest
    assert pictures(far) == pictures(near)
    names = {path.name for path in far.folder.rglob("*") if path.is_file()}
    tables = {"pairs.jsonl", *(["sources.jsonl"] if delivery == "on_the_fly" else [])}
    assert names == {"pairset.json", MANIFEST, "examples.png", *tables}
    for name in names - {MANIFEST}:
        assert (far.folder / name).read_bytes() == (near.folder / name).read_bytes()
    assert verify_pairs(far, "train", "val") is None
    (pair,) = far.pairs("test")
    for ours, theirs in zip(read_pair(far, pair), read_pair(near, pair), strict=True):
        assert (ours == theirs).all()


def test_a_task_on_a_machine_that_has_no_photo_makes_the_same_shard(
    store: ContentStore, photoset: PhotoSet, tmp_path: Path
) -> None:
    photos = tuple(photo for photo in photoset.photos() if photo.split == "train")
    (here,) = packed_pairs(Task(SHARDS, photos, photoset.folder))
    store.send_folder(photoset.folder, photoset.digest)
    source = store.index(photoset.digest).only([photo.file for photo in photos])
    assert len(source.files) == 2
    with state_kept_in(tmp_path / "elsewhere"):
        (there,) = packed_pairs(pickle.loads(pickle.dumps(Task(SHARDS, photos, source))))
    assert there == here
    assert here.index.files


@pytest.mark.parametrize("config", [FILES, SHARDS])
def test_photos_that_lie_in_the_store_alone_give_the_same_pairs(
    store: ContentStore, photoset: PhotoSet, tmp_path: Path, config: SynthesizeConfig
) -> None:
    wanted = run(config, photoset, out=tmp_path / "near")
    store.send_folder(photoset.folder, photoset.digest)
    with state_kept_in(tmp_path / "elsewhere"):
        here = PhotoSet.load(ContentStore.needed("this test").fetch_listed(photoset.digest))
        assert not list(here.folder.rglob("*.png"))
        found = run(config, here, out=tmp_path / "far")
        assert found.digest == wanted.digest
        assert pictures(found) == pictures(wanted)


def test_shards_that_were_finished_are_not_made_again_while_the_store_has_them(
    store: ContentStore,
    photoset: PhotoSet,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(in_store, "SHARD_MB", 0.05)  # a photo a shard
    first = run(SHARDS, photoset, out=tmp_path / "first")
    manifest = (first.folder / MANIFEST).read_bytes()
    addresses = [name for name, _ in storage.list_objects(f"{bucket}/team/shards")]
    assert len(addresses) == len(photoset.photos())
    capfd.readouterr()
    storage.remove(f"{bucket}/team/shards/{addresses[0]}")
    again = run(SHARDS, photoset, out=tmp_path / "again")
    assert "3 of 4 shards were finished by an earlier run" in capfd.readouterr().err
    assert (again.folder / MANIFEST).read_bytes() == manifest
    assert [name for name, _ in storage.list_objects(f"{bucket}/team/shards")] == addresses


def test_a_shard_that_was_altered_in_place_is_found_by_reading_it(
    store: ContentStore, photoset: PhotoSet, bucket: str, tmp_path: Path
) -> None:
    far = run(SHARDS, photoset, out=tmp_path / "far")
    assert shard_problems(far) == []
    pair = far.pairs("train")[0]
    file = next(each for each in reader_of(far).index.files if each.name == pair.input)  # type: ignore[attr-defined]
    shard = reader_of(far).index.shards[file.shard]  # type: ignore[attr-defined]
    address = f"{bucket}/team/shards/{shard.sha256}"
    data = bytearray(storage.read_object(address))
    data[file.offset + 100] ^= 1
    storage.put(bytes(data), address, sha256=shard.sha256)
    assert [words for words in shard_problems(far) if "was altered" in words]
    with pytest.raises(LineageError, match="was altered"):
        read_pair(far, pair)


def test_a_set_in_shards_is_sent_to_a_bucket_as_files(
    store: ContentStore, photoset: PhotoSet, bucket: str, tmp_path: Path
) -> None:
    far = run(SHARDS, photoset, out=tmp_path / "far")
    send(far, f"{bucket}/shown")
    for name, sha256 in pictures(far).items():
        assert sha256_of_bytes(storage.read_object(f"{bucket}/shown/{name}")) == sha256


def test_without_a_store_it_is_refused_before_work(
    photoset: PhotoSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REFOCUS_STORE", raising=False)
    with pytest.raises(InputError, match=r"pictures is shards.*set REFOCUS_STORE=s3://"):
        run(SHARDS, photoset, out=tmp_path / "far")
