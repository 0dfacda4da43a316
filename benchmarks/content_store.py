"""What data by content costs: python benchmarks/content_store.py [--megabytes 256] [--pairs-px 256].

A pair set of random pictures (PNG saves nothing of them) goes into a store. Then, each on a node of
its own, with a state folder of its own:

    bytes from the store at the first run of the set, and at the second
    one time through a set four times the cache in training's own order: bytes, the cache's peak on disk
    milliseconds a picture, read only: from files, from shards on this machine, from the store by place
    one by one, and by place a batch ahead as training does; beside them the time to decode one

Beside that, the bytes that whole shards would have cost, the last used ones staying (counted, not
fetched). The store is the one that REFOCUS_STORE and the AWS_ variables name, else a SeaweedFS of
its own on loopback, which has no network's latency.
"""

from __future__ import annotations

import argparse
import os
import pickle
import platform
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from components.core.files import state_kept_in, write_bytes
from components.core.images import png_bytes, rgb_of
from components.core.parts import digest_of
from components.services.content import ContentStore, FolderReader, Index, NodeCache, ShardReader
from components.services.content.packing import LISTED
from components.services.storage.client import client
from components.train.data import pair_at

sys.path.insert(0, str(Path(__file__).parents[1]))

from infra.team.s3 import SeaweedFS
from infra.team.stack import free_ports

BATCH = 16
SHARD_OF = 32  # shards a set, as a set of 8 GB has with shards of 256 MB


def main() -> None:
    """Make a set, send it, and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=256, help="of the set")
    parser.add_argument("--pairs-px", type=int, default=256, help="side of a picture")
    parser.add_argument("--rounds", type=int, default=3, help="of the times, whose medians are printed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cs-") as place, store_at(Path(place)) as uri:
        folder = Path(place) / "pairs"
        pairs = make_set(folder, arguments.megabytes, arguments.pairs_px)
        digest = digest_of({"set": secrets.token_hex(8)})
        size = sum((folder / name).stat().st_size for pair in pairs for name in pair)
        print(f"{platform.machine()}, {os.cpu_count()} processors; a set of {len(pairs)} pairs, {mb(size)}")
        began = time.perf_counter()
        names = [name for pair in pairs for name in pair]
        node(uri, Path(place) / "driver").send_folder(
            folder, digest, names=names, shard_bytes=size // SHARD_OF
        )
        print(f"sent in {time.perf_counter() - began:.1f} s")
        fetched_twice(uri, Path(place) / "first", digest, names)
        larger_than_its_cache(uri, Path(place) / "small", digest, pairs, size)
        times(uri, Path(place), digest, pairs, folder, arguments.rounds)


def fetched_twice(uri: str, home: Path, digest: str, names: list[str]) -> None:
    """Bytes from the store at the first and the second run of the same set."""
    for run in ("first", "second"):
        with counted() as got:
            store = node(uri, home)
            reader = ShardReader(store, listed(store.fetch_listed(digest)))
            reader.keep(names, wait=True)
            for name in names:
                reader.read(name)
        print(f"{run} run of the set on a node: {mb(sum(got))} from the store")


def larger_than_its_cache(uri: str, home: Path, digest: str, pairs: list[tuple[str, str]], size: int) -> None:
    """One time through, in training's order, with a cache of a quarter of the set."""
    bound = size // 4
    store = node(uri, home, bound)
    index = store.index(digest)
    reader = ShardReader(store, index)
    order = [pairs[pair_at(1, ("generator", position), len(pairs))] for position in range(len(pairs))]
    with counted() as got, peak_of(home) as peak:
        reader.keep([name for pair in pairs for name in pair], wait=True)
        filled = sum(got)
        for start in range(0, len(order), BATCH):
            wanted = [name for pair in order[start : start + BATCH] for name in pair]
            reader.expect(wanted)
            for name in wanted:
                reader.read(name)
    print(
        f"cache of {mb(bound)}: peak on disk {mb(max(peak))}; to fill it {mb(filled)}, then"
        f" {mb(sum(got) - filled)} each time through ({(sum(got) - filled) / size:.2f} of the set)"
    )
    whole = whole_shards(index, [name for pair in order for name in pair], bound)
    print(f"whole shards, last used ones staying, would bring {mb(whole)} ({whole / size:.1f} of the set)")


def whole_shards(index: Index, names: Iterable[str], bound: int) -> int:
    """Bytes of whole shards that one time through brings, with a cache that keeps the last used ones."""
    place = {file.name: file.shard for file in index.files}
    here: OrderedDict[int, int] = OrderedDict()
    brought = 0
    for number in map(place.__getitem__, names):
        if number in here:
            here.move_to_end(number)
            continue
        here[number] = index.shards[number].size
        brought += here[number]
        while sum(here.values()) > bound and len(here) > 1:
            here.popitem(last=False)
    return brought


def times(
    uri: str, place: Path, digest: str, pairs: list[tuple[str, str]], folder: Path, rounds: int
) -> None:
    """Milliseconds a picture, in turns."""
    few = [pairs[pair_at(2, ("generator", position), len(pairs))] for position in range(min(128, len(pairs)))]
    names = [name for pair in few for name in pair]
    files, near = FolderReader(folder), node(uri, place / "near")
    kept = ShardReader(near, near.index(digest))
    kept.keep(names, wait=True)
    far = ShardReader(node(uri, place / "far", 1), near.index(digest))

    def one_by_one(reader: FolderReader | ShardReader) -> Callable[[], object]:
        return lambda: [reader.read(name) for name in names]

    def ahead() -> None:
        batches = [names[start : start + 2 * BATCH] for start in range(0, len(names), 2 * BATCH)]
        far.expect(batches[0])
        for batch, upcoming in zip(batches, [*batches[1:], []], strict=True):
            far.expect(upcoming)
            for name in batch:
                far.read(name)

    def afresh() -> None:
        one_by_one(pickle.loads(pickle.dumps(kept)))()

    pictures = {name: files.read(name) for name in names}
    ways: dict[str, Callable[[], object]] = {
        "files": one_by_one(files),
        "shards on this machine, hashed at the first time": afresh,
        "shards on this machine, later": one_by_one(kept),
        "from the store by place, one by one": one_by_one(far),
        "from the store by place, a batch ahead": ahead,
        "decoding one (for comparison)": lambda: [rgb_of(data, "") for data in pictures.values()],
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, work in ways.items():
            began = time.perf_counter()
            work()
            taken[way].append(1000 * (time.perf_counter() - began) / len(names))
    for way, each in taken.items():
        print(f"{statistics.median(each):8.3f} ms a picture: {way}")


def make_set(folder: Path, megabytes: int, side: int) -> list[tuple[str, str]]:
    """Pairs of random pictures: names of inputs and targets."""
    source = np.random.default_rng(1)
    data = png_bytes(source.integers(0, 256, (side, side, 3), dtype=np.uint8))
    pairs = []
    for number in range(max(BATCH, round(megabytes * 1e6 / 2 / len(data)))):
        pair = (f"train/input/{number:06d}.png", f"train/target/{number:06d}.png")
        for name in pair:
            write_bytes(folder / name, png_bytes(source.integers(0, 256, (side, side, 3), dtype=np.uint8)))
        pairs.append(pair)
    return pairs


def listed(folder: Path) -> Index:
    """Where a set's files lie, as a node keeps it."""
    return Index.of_bytes((folder / LISTED).read_bytes(), str(folder))


def node(uri: str, home: Path, limit: int = 10**12) -> ContentStore:
    """The store as a machine with that state folder sees it."""
    with state_kept_in(home):
        return ContentStore(uri, NodeCache(limit_bytes=limit))


@contextmanager
def counted() -> Iterator[list[int]]:
    """Bytes of each object, or part of one, that the store gave this process."""
    got: list[int] = []
    events = client().meta.events

    def count(parsed: dict[str, int], **_: object) -> None:
        got.append(parsed.get("ContentLength", 0))

    events.register("after-call.s3.GetObject", count)
    try:
        yield got
    finally:
        events.unregister("after-call.s3.GetObject", count)


@contextmanager
def peak_of(home: Path) -> Iterator[list[int]]:
    """Bytes below a folder, looked at all the time."""
    seen, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.005):
            total = 0
            for path in home.rglob("*"):
                with suppress(FileNotFoundError):
                    total += path.stat().st_size if path.is_file() else 0
            seen.append(total)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@contextmanager
def store_at(place: Path) -> Iterator[str]:
    """The store that is set, else one of our own."""
    if chosen := os.environ.get("REFOCUS_STORE"):
        yield f"{chosen.rstrip('/')}/benchmark"
        return
    keys = ("benchmark", secrets.token_hex(16))
    server = SeaweedFS(place / "s3", free_ports(["s3"])["s3"], keys, None)
    os.environ.update(server.client_variables())
    server.start()
    try:
        deadline = time.monotonic() + 120
        while not server.answers():
            if time.monotonic() > deadline:
                raise TimeoutError("the store does not start")
            time.sleep(0.5)
        yield "s3://refocus/benchmark"
    finally:
        server.stop()


def mb(size: float) -> str:
    """Bytes for people."""
    return f"{size / 1e6:.1f} MB"


if __name__ == "__main__":
    main()
