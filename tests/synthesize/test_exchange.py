"""Pairs to a bucket and back: the same bytes, checked; interrupted and given again."""

from __future__ import annotations

from pathlib import Path

import pytest
from photosets import everything, photoset_of

from components.core.errors import InputError, LineageError, RefocusError
from components.core.files import sha256_of_bytes
from components.core.records import PairSet
from components.ingest import run as ingest
from components.ingest.config import ByFolder, IngestConfig
from components.optics.blurs import RandomTrajectory
from components.services import storage
from components.synthesize.config import SynthesizeConfig
from components.synthesize.exchange import fetch, send
from components.synthesize.run import run

pytestmark = pytest.mark.services
CONFIG = SynthesizeConfig(blurs=(RandomTrajectory(canvas_px=32, max_len_px=20),))


@pytest.fixture
def pairset(tmp_path: Path) -> PairSet:
    return run(CONFIG, photoset_of(tmp_path / "ingested"), out=tmp_path / "pairs")


def objects(uri: str) -> dict[str, bytes]:
    return {name: storage.read_object(storage.join(uri, name)) for name, _ in storage.list_objects(uri)}


def test_a_set_comes_back_byte_for_byte(bucket: str, pairset: PairSet, tmp_path: Path) -> None:
    place = f"{bucket}/night/one"
    assert send(pairset, place) == f"4 pairs, PairSet {pairset.digest[:12]}, are at {place}"
    fetch(place, tmp_path / "back")
    sent = {name: digest for name, digest in everything(pairset.folder).items() if name != "examples.png"}
    assert everything(tmp_path / "back") == sent
    assert PairSet.load(tmp_path / "back").digest == pairset.digest


def test_from_bucket_to_bucket_gives_the_bytes_that_folders_give(bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    photos = photoset_of(tmp_path / "found")
    for photo in photos.photos():
        path = source / photo.split / photo.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((photos.folder / photo.file).read_bytes())
        storage.put(path, f"{bucket}/photos/{photo.split}/{photo.name}")
    sets = []
    for name, place in (("folder", str(source)), ("bucket", f"{bucket}/photos")):
        found = ingest.run(
            IngestConfig(photos=place, split=ByFolder(), min_px=16), out=tmp_path / name / "photos"
        )
        made = run(CONFIG, found, out=tmp_path / name / "pairs")
        send(made, f"{bucket}/{name}")
        sets.append(objects(f"{bucket}/{name}"))
    assert len(sets[0]) == 2 * 4 + 2
    assert sets[0] == sets[1]


def test_what_is_there_does_not_travel_again(bucket: str, pairset: PairSet, tmp_path: Path) -> None:
    send(pairset, bucket)
    row = pairset.pairs()[0]
    address = storage.join(bucket, row.input)
    storage.put(b"put there by another hand, its digest untrue", address, sha256=row.input_sha256)
    send(pairset, bucket)
    assert storage.read_object(address).startswith(b"put there"), "it was not sent again"
    with pytest.raises(LineageError, match="missing or was altered"):
        fetch(bucket, tmp_path / "back")
    with pytest.raises(LineageError, match="no PairSet"):
        PairSet.load(tmp_path / "back")
    storage.put(pairset.folder / row.input, address)
    fetch(bucket, tmp_path / "back")
    assert PairSet.load(tmp_path / "back").digest == pairset.digest


def test_another_set_in_the_same_place_is_never_half_there(
    bucket: str, pairset: PairSet, tmp_path: Path
) -> None:
    send(pairset, bucket)
    other = run(
        CONFIG.model_copy(update={"seed": 1}), photoset_of(tmp_path / "other"), out=tmp_path / "other pairs"
    )
    broken = other.folder / other.pairs()[-1].input
    whole = broken.read_bytes()
    broken.write_bytes(b"broken")
    with pytest.raises(LineageError, match="missing or was altered"):
        send(other, bucket)
    fetch(bucket, tmp_path / "back")
    assert PairSet.load(tmp_path / "back").digest == pairset.digest, "nothing was taken away for it"
    broken.write_bytes(whole)
    send(other, bucket)
    fetch(bucket, tmp_path / "back")
    assert PairSet.load(tmp_path / "back").digest == other.digest


def test_a_place_that_is_no_bucket_is_refused_before_work(pairset: PairSet) -> None:
    with pytest.raises(InputError, match="no address in a bucket"):
        send(pairset, "/mnt/sets")


@pytest.mark.parametrize("name", [PairSet.FILE, PairSet.TABLE, "picture"])
def test_a_persons_file_where_a_set_is_to_come_stays(
    bucket: str, pairset: PairSet, tmp_path: Path, name: str
) -> None:
    send(pairset, bucket)
    name = pairset.pairs()[0].input if name == "picture" else name
    theirs = tmp_path / "theirs" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"a person's own")
    with pytest.raises(InputError, match=f"{theirs} would be replaced, .*--overwrite"):
        fetch(bucket, tmp_path / "theirs")
    assert everything(tmp_path / "theirs") == {name: sha256_of_bytes(b"a person's own")}
    fetch(bucket, tmp_path / "theirs", overwrite=True)
    assert PairSet.load(tmp_path / "theirs").digest == pairset.digest


def test_a_set_takes_the_place_of_another_and_of_nothing_else(
    bucket: str, pairset: PairSet, tmp_path: Path
) -> None:
    send(pairset, bucket)
    fetch(bucket, tmp_path / "back")
    other = run(CONFIG.model_copy(update={"seed": 1}), photoset_of(tmp_path / "one"), out=tmp_path / "two")
    send(other, bucket)
    fetch(bucket, tmp_path / "back")
    assert PairSet.load(tmp_path / "back").digest == other.digest
    edited = tmp_path / "back" / other.pairs()[0].input
    edited.write_bytes(b"retouched by hand")
    send(pairset, bucket)
    with pytest.raises(InputError, match=f"{edited.name} would be replaced"):
        fetch(bucket, tmp_path / "back")
    assert edited.read_bytes() == b"retouched by hand"
    assert PairSet.load(tmp_path / "back").digest == other.digest, (
        "the set that lay there is whole but for it"
    )


@pytest.mark.parametrize("name", [PairSet.FILE, PairSet.TABLE, "picture"])
def test_objects_of_others_stay_in_the_bucket(bucket: str, pairset: PairSet, name: str) -> None:
    name = pairset.pairs()[0].target if name == "picture" else name
    storage.put(b"a colleague's own", f"{bucket}/sets/{name}")
    with pytest.raises(InputError, match=f"{name} would be replaced, .*not put there by send-pairs"):
        send(pairset, f"{bucket}/sets")
    assert objects(f"{bucket}/sets") == {name: b"a colleague's own"}
    send(pairset, f"{bucket}/sets", overwrite=True)
    send(pairset, f"{bucket}/sets")


def test_the_same_bytes_that_another_tool_put_there_are_no_hindrance(bucket: str, pairset: PairSet) -> None:
    row = pairset.pairs()[0]
    storage.put(pairset.folder / row.input, f"{bucket}/sets/{row.input}")
    send(pairset, f"{bucket}/sets")


def test_everything_that_is_wrong_with_a_set_is_named(bucket: str, pairset: PairSet, tmp_path: Path) -> None:
    send(pairset, bucket)
    first, second, third = (pair.input for pair in pairset.pairs()[:3])
    storage.remove(f"{bucket}/{first}")
    storage.put(b"altered", f"{bucket}/{second}")
    with pytest.raises(RefocusError) as caught:
        fetch(bucket, tmp_path / "back")
    assert first in str(caught.value)
    assert second in str(caught.value)
    assert (tmp_path / "back" / third).is_file(), "the others came"
    assert not (tmp_path / "back" / second).exists()
