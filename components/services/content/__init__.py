"""Data by content: what runs on other machines is found by its digest in the team's object store,
and kept a while on each machine that works with it.

store.py     the store at REFOCUS_STORE: folders and files under their digests
packing.py   files in shards (plain tar) with an index that names both by hash
reader.py    a set's files by name, from a folder or from shards
pairsets.py  sets of pairs by content
upkeep.py    what lies in the store, since when unused
cache.py     a machine's own copies: bounded, shared by its processes, never what is in use taken away
"""

from components.services.content.cache import NodeCache, NoRoomError
from components.services.content.packing import MANIFEST, Index
from components.services.content.pairsets import (
    fetch_pairs,
    reader_of,
    send_pairs,
    shard_problems,
    training_targets,
    verify_pairs,
)
from components.services.content.reader import FolderReader, Reader, ShardReader, reader_in
from components.services.content.store import ContentStore
from components.services.content.upkeep import renewed

__all__ = [
    "MANIFEST",
    "ContentStore",
    "FolderReader",
    "Index",
    "NoRoomError",
    "NodeCache",
    "Reader",
    "ShardReader",
    "fetch_pairs",
    "reader_in",
    "reader_of",
    "renewed",
    "send_pairs",
    "shard_problems",
    "training_targets",
    "verify_pairs",
]
