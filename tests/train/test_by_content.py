"""Training from the team's store: the pairs and weights that a worker gets by content give the weights
that files give, also where the set is larger than the worker's cache.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pairs import make_pairs
from small_training import CPU, Memory, config, run, weights_of

from components.core.errors import LineageError
from components.core.files import state_kept_in
from components.core.records import PairSet
from components.services import storage
from components.services.content import MANIFEST, ContentStore, ShardReader, send_pairs, verify_pairs
from components.train.data import Data, PairDataset
from components.train.inputs import InStore
from components.train.loop import Loop

TRAINING = {"ema": 0.0, "phases": [{"name": "joint", "images": 12, "crop_px": 16, "batch": 2}]}


@pytest.fixture
def store(bucket: str, monkeypatch: pytest.MonkeyPatch) -> ContentStore:
    monkeypatch.setenv("REFOCUS_STORE", f"{bucket}/team")
    found = ContentStore.of_environment()
    assert found is not None
    return found


@pytest.fixture
def pairset(tmp_path: Path) -> PairSet:
    return make_pairs(tmp_path / "pairs")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """The state folder of another machine, in use from now on."""
    with state_kept_in(tmp_path / "elsewhere"):
        yield tmp_path / "elsewhere"


def trained(data: Data) -> list[torch.Tensor]:
    memory = Memory()
    Loop(config(**TRAINING), data, CPU, memory, memory, {}).run()
    return weights_of(memory.states[-1])


@pytest.fixture(scope="module")
def from_files(tmp_path_factory: pytest.TempPathFactory) -> list[torch.Tensor]:
    """The weights of the training on the same pairs as files."""
    memory = Memory()
    run(config(**TRAINING), make_pairs(tmp_path_factory.mktemp("pairs")), memory)
    return weights_of(memory.states[-1])


def sent_in_shards(store: ContentStore, pairset: PairSet, shard_bytes: int) -> None:
    store.send_folder(pairset.folder, pairset.digest, shard_bytes=shard_bytes)


def test_a_worker_without_the_drivers_disk_trains_to_the_same_weights(
    store: ContentStore, pairset: PairSet, from_files: list[torch.Tensor], elsewhere: Path
) -> None:
    inputs = InStore(send_pairs(store, pairset), {}, {})
    shutil.rmtree(pairset.folder)
    data, _ = pickle.loads(pickle.dumps(inputs)).open()
    data.keep(16)
    assert data.pairset.digest == pairset.digest
    assert all(map(torch.equal, trained(data), from_files))


def test_a_set_larger_than_the_cache_trains_to_the_same_weights_within_it(
    store: ContentStore,
    pairset: PairSet,
    from_files: list[torch.Tensor],
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent_in_shards(store, pairset, 5000)
    index = store.index(pairset.digest)
    bound = index.size // 4
    assert len(index.shards) > 8
    monkeypatch.setenv("REFOCUS_CACHE_GB", str(bound / 1e9))
    data, _ = InStore(pairset.digest, {}, {}).open()
    assert isinstance(data.reader, ShardReader)
    data.reader.keep([name for pair in data.train for name in pair.files], wait=True)
    here = list((elsewhere / "cache" / "entries").glob("shards-*"))
    assert here, "some of it is kept"
    assert all(map(torch.equal, trained(data), from_files))
    kept = sum(path.stat().st_size for path in (elsewhere / "cache").rglob("*") if path.is_file())
    assert kept <= bound + 10_000, "beside the entries lie their locks"


def test_loader_processes_read_shards_as_the_trainings_own_process_does(
    store: ContentStore, pairset: PairSet, elsewhere: Path
) -> None:
    sent_in_shards(store, pairset, 12_000)
    data, _ = InStore(pairset.digest, {}, {}).open()
    places = [("generator", position) for position in range(6)]
    rows = pairset.pairs("train")
    near = PairDataset(pairset.folder, rows, config(), 16)
    far = pickle.loads(pickle.dumps(PairDataset(data.reader, rows, config(), 16)))
    for ours, theirs in zip(far.__getitems__(places), near.__getitems__(places), strict=True):
        assert torch.equal(ours, theirs)


def test_weights_come_by_content(
    store: ContentStore, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nodes-own"))
    weights = tmp_path / "vgg.pt"
    weights.write_bytes(b"of a net")
    metric = tmp_path / "alexnet-owt-7be5be79.pth"
    metric.write_bytes(b"of another")
    pairset = make_pairs(tmp_path / "few", count=1)
    inputs = InStore(
        send_pairs(store, pairset), {1: store.send_file(weights)}, {metric.name: store.send_file(metric)}
    )
    weights.unlink()
    _, found = inputs.open()
    hub = Path(torch.hub.get_dir()) / "checkpoints" / metric.name
    assert hub.read_bytes() == b"of another"
    assert found[1].read_bytes() == b"of a net"
    assert found[1].is_relative_to(elsewhere)


def test_pictures_that_the_rows_do_not_name_are_refused_when_sent_and_when_taken(
    store: ContentStore, pairset: PairSet, tmp_path: Path, elsewhere: Path
) -> None:
    other = make_pairs(tmp_path / "other", size_px=64)
    shutil.copyfile(
        other.folder / other.pairs("test")[0].input, pairset.folder / pairset.pairs("test")[0].input
    )
    with pytest.raises(LineageError, match=r"hold another test/input/test0\.png.*run synthesize again"):
        send_pairs(store, pairset)
    assert not store.has_folder(pairset.digest)
    store.send_folder(pairset.folder, pairset.digest)
    with pytest.raises(LineageError, match=r"hold another test/input/test0\.png"):
        InStore(pairset.digest, {}, {}).open()


def test_a_set_whose_shards_are_gone_is_told_before_training(
    store: ContentStore, pairset: PairSet, bucket: str
) -> None:
    names = [name for pair in pairset.pairs() for name in pair.files]
    index = store.packed(pairset.folder, names, shard_bytes=12_000)
    (pairset.folder / MANIFEST).write_bytes(index.to_bytes())
    for name in names:
        (pairset.folder / name).unlink()
    verify_pairs(pairset, "train", "val")
    address = f"{bucket}/team/shards/{index.shards[1].sha256}"
    whole = storage.read_object(address)
    storage.put(whole[:-1], address, sha256=index.shards[1].sha256)
    with pytest.raises(LineageError, match="was altered: it is not the shard"):
        verify_pairs(pairset, "train", "val")
    storage.remove(address)
    with pytest.raises(LineageError, match="is not in the store; run the stage"):
        verify_pairs(pairset, "train", "val")
