"""Data by content: sent once, fetched once a machine, checked, and kept within bounds."""

from __future__ import annotations

import multiprocessing
import os
import tarfile
import time
from pathlib import Path

import pytest

from components.core.errors import InputError, LineageError
from components.core.files import sha256_of_file
from components.services import storage
from components.services.content import ContentStore, NodeCache, NoRoomError, ShardReader
from components.services.content.packing import files_below, packed

DIGEST = "5" * 64


def node(bucket: str, folder: Path, limit: int = 10_000_000) -> ContentStore:
    """The store as a machine with a state folder of its own sees it."""
    return ContentStore(f"{bucket}/team", NodeCache(folder / "cache", limit))


def a_folder(place: Path, files: int = 7, size: int = 1000) -> Path:
    for number in range(files):
        path = place / ("train" if number % 2 else "val") / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * (size + number))
    return place


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files_below(folder)}


def objects(bucket: str) -> list[str]:
    return [name for name, _ in storage.list_objects(bucket)]


@pytest.mark.parametrize("shard_bytes", [100, 3000, 10**6])
def test_a_folder_comes_back_as_it_was_whatever_its_shards(
    bucket: str, tmp_path: Path, shard_bytes: int
) -> None:
    source = a_folder(tmp_path / "source")
    node(bucket, tmp_path / "one").send_folder(source, DIGEST, shard_bytes=shard_bytes)
    fetched = node(bucket, tmp_path / "two").fetch_folder(DIGEST)
    assert contents(fetched) == contents(source)
    assert sorted(path.name for path in fetched.iterdir()) == ["train", "val"]


def test_what_is_there_is_not_sent_again_and_the_index_comes_last(bucket: str, tmp_path: Path) -> None:
    source, store = a_folder(tmp_path / "source"), node(bucket, tmp_path)
    store.send_folder(source, DIGEST, shard_bytes=4000)
    sent = objects(bucket)
    assert len([name for name in sent if "/shards/" in name]) == 4
    (source / "val" / "0.bin").write_bytes(b"another")
    store.send_folder(source, DIGEST, shard_bytes=4000)
    assert objects(bucket) == sent
    # Without its index nothing is there; sent again, the shards are the same to the byte.
    storage.remove(f"{bucket}/team/sets/{DIGEST}")
    (source / "val" / "0.bin").write_bytes(bytes(1000))
    assert not store.has_folder(DIGEST)
    store.send_folder(source, DIGEST, shard_bytes=4000)
    assert objects(bucket) == sent


def test_a_shard_is_a_tar_that_any_tool_reads_and_a_file_is_had_by_its_place(tmp_path: Path) -> None:
    source, archive = a_folder(tmp_path / "source"), tmp_path / "shard.tar"
    (index,) = packed(source, files_below(source), archive)
    assert index.shards[0].sha256 == sha256_of_file(archive)
    with tarfile.open(archive) as tar:
        assert tar.getnames() == files_below(source)
        for file in index.files:
            assert tar.getmember(file.name).offset_data == file.offset
    data = archive.read_bytes()
    assert {file.name: data[file.offset : file.offset + file.size] for file in index.files} == contents(
        source
    )


def test_a_second_fetch_on_a_machine_asks_the_store_for_nothing(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    weights = tmp_path / "vgg.pt"
    weights.write_bytes(b"weights" * 100)
    node(bucket, tmp_path / "driver").send_folder(a_folder(tmp_path / "source"), DIGEST)
    sha256 = node(bucket, tmp_path / "driver").send_file(weights)
    first = node(bucket, tmp_path / "node")
    folder, file = first.fetch_folder(DIGEST), first.fetch_file(sha256)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port}")
    again = node(bucket, tmp_path / "node")
    assert (again.fetch_folder(DIGEST), again.fetch_file(sha256)) == (folder, file)
    assert file.read_bytes() == weights.read_bytes()


def test_bytes_that_are_others_are_refused_and_nothing_of_them_stays(bucket: str, tmp_path: Path) -> None:
    driver, store = node(bucket, tmp_path / "driver"), node(bucket, tmp_path / "node")
    driver.send_folder(a_folder(tmp_path / "source"), DIGEST)
    (shard,) = driver.index(DIGEST).shards
    address = f"{bucket}/team/shards/{shard.sha256}"
    data = storage.read_object(address)
    storage.put(data[:600] + b"x" + data[601:], address, sha256=shard.sha256)
    with pytest.raises(LineageError, match=r"was altered.*delete it from the store"):
        store.fetch_folder(DIGEST)
    with pytest.raises(LineageError, match="was altered"):
        store.read_packed(driver.index(DIGEST), driver.index(DIGEST).files[0])
    assert store.cache.bytes_used() == 0
    assert list((tmp_path / "node" / "cache" / "entries").iterdir()) == []
    storage.put(data, address, sha256=shard.sha256)
    assert contents(store.fetch_folder(DIGEST)) == contents(tmp_path / "source")


def test_an_altered_index_and_a_missing_set_are_told(bucket: str, tmp_path: Path) -> None:
    store = node(bucket, tmp_path)
    with pytest.raises(LineageError, match=r"nothing lies at .*sets/5555"):
        store.fetch_folder(DIGEST)
    with pytest.raises(LineageError, match="is not in the store"):
        store.fetch_file("a" * 64)
    storage.put(b"{}", f"{bucket}/team/sets/{DIGEST}", sha256="b" * 64)
    with pytest.raises(LineageError, match="was altered"):
        store.index(DIGEST)


def test_a_shard_that_was_altered_on_this_machine_is_refused(bucket: str, tmp_path: Path) -> None:
    store = node(bucket, tmp_path)
    store.send_folder(a_folder(tmp_path / "source"), DIGEST)
    index = store.index(DIGEST)
    reader = ShardReader(store, index)
    names = [file.name for file in index.files]
    reader.keep(names)
    assert reader.read(names[0]) == (tmp_path / "source" / names[0]).read_bytes()
    shard, last = store.shard_here(index.shards[0].sha256), index.files[-1]
    with shard.open("r+b") as stream:
        stream.seek(last.offset)
        stream.write(b"x")
    with pytest.raises(LineageError, match="was altered; delete that file"):
        reader.read(last.name)
    with pytest.raises(LineageError, match=r"other\.bin is in none of the set's shards"):
        reader.read("other.bin")


def files_of(tmp_path: Path, store: ContentStore, count: int, size: int) -> list[str]:
    names = []
    for number in range(count):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(bytes([number]) * size)
        names.append(store.send_file(path))
    return names


def test_what_was_used_last_stays_and_what_is_in_use_always_does(bucket: str, tmp_path: Path) -> None:
    store = node(bucket, tmp_path, limit=3500)
    names = files_of(tmp_path, store, 5, 1000)
    for place, name in enumerate(names[:3]):
        store.fetch_file(name)
        os.utime(store.cache.folder / "locks" / f"files-{name}.use", (place, place))
    with pytest.raises(NoRoomError, match=r"in use.*raise REFOCUS_CACHE_GB"):
        store.fetch_file(names[3])
    assert store.cache.room() == 500
    for name in names[:3]:
        store.cache.release(f"files-{name}")
    assert store.cache.room() == 3500
    store.fetch_file(names[0])  # used again, so that the second is the oldest
    store.cache.release(f"files-{names[0]}")
    store.fetch_file(names[3])
    there = [store.cache.path(f"files-{name}").exists() for name in names]
    assert there == [True, False, True, True, False]
    assert store.cache.bytes_used() == 3000


def fetch_and_die(bucket: str, folder: Path, name: str) -> None:
    node(bucket, folder, limit=1500).fetch_file(name)
    os._exit(9)


def fetch_a_folder(bucket: str, folder: Path, count: object) -> None:
    store = node(bucket, folder)
    real = store._unpack  # type: ignore[attr-defined]

    def slow(*of: object) -> None:
        with count.get_lock():  # type: ignore[attr-defined]
            count.value += 1  # type: ignore[attr-defined]
        time.sleep(0.3)
        real(*of)  # type: ignore[arg-type]

    store._unpack = slow  # type: ignore[method-assign,assignment]
    store.fetch_folder(DIGEST)


def test_what_a_dead_process_used_is_free(bucket: str, tmp_path: Path) -> None:
    store = node(bucket, tmp_path, limit=1500)
    first, second = files_of(tmp_path, store, 2, 1000)
    process = multiprocessing.get_context("fork").Process(
        target=fetch_and_die, args=(bucket, tmp_path, first)
    )
    process.start()
    process.join()
    assert process.exitcode == 9
    assert store.cache.path(f"files-{first}").exists()
    assert store.fetch_file(second).exists()
    assert not store.cache.path(f"files-{first}").exists()


def test_processes_of_one_machine_fetch_a_set_once(bucket: str, tmp_path: Path) -> None:
    node(bucket, tmp_path / "driver").send_folder(a_folder(tmp_path / "source"), DIGEST)
    context = multiprocessing.get_context("fork")
    count = context.Value("i", 0)
    workers = [
        context.Process(target=fetch_a_folder, args=(bucket, tmp_path / "node", count)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert count.value == 1


@pytest.mark.parametrize("text", ["much", "0", "-1", "nan", "inf"])
def test_a_bound_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFOCUS_CACHE_GB", text)
    with pytest.raises(InputError, match=r"REFOCUS_CACHE_GB is .*number of gigabytes above 0"):
        NodeCache()


def test_the_store_is_the_one_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REFOCUS_STORE", raising=False)
    assert ContentStore.of_environment() is None
    monkeypatch.setenv("REFOCUS_STORE", "s3://team/refocus")
    store = ContentStore.of_environment()
    assert store is not None
    assert store.uri == "s3://team/refocus"
    monkeypatch.setenv("REFOCUS_STORE", "team")
    with pytest.raises(InputError, match="no address in a bucket"):
        ContentStore.of_environment()
