"""Pairs to a bucket and back: the same bytes, checked; interrupted and given again."""

from __future__ import annotations

from pathlib import Path

import pytest
from photosets import everything, photoset_of

from components.core.errors import InputError, LineageError, ServiceError
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
    (other.folder / other.pairs()[-1].input).write_bytes(b"broken")
    with pytest.raises(LineageError, match="missing or was altered"):
        send(other, bucket)
    with pytest.raises(ServiceError, match=r"no object .*pairset\.json"):
        fetch(bucket, tmp_path / "back")


def test_a_place_that_is_no_bucket_is_refused_before_work(pairset: PairSet) -> None:
    with pytest.raises(InputError, match="no address in a bucket"):
        send(pairset, "/mnt/sets")
