"""What lies at a source, as a digest of its listing: whether photos have come, gone or changed, without
reading one.

For a bucket an object counts by name, size and ETag (one request for a thousand), for a folder a file
by name, size and its times of change. The same listing means the same photos; another one may (a file
that was only touched), and whoever asks then looks closely.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.core.parts import digest_of
from components.ingest.config import BUNDLED, IngestConfig
from components.ingest.source import everything
from components.services import storage


@dataclass(frozen=True)
class Listing:
    """A source as it lies there now. digest: 64 hex digits; count: files or objects."""

    digest: str
    count: int


def listing(config: IngestConfig, *, out: Path) -> Listing:
    """List a recipe's source; `out` is never taken for a part of it.

    Raises PhotoError when there is no such folder, ServiceError when a bucket does not answer.
    """
    if config.photos == BUNDLED:
        return Listing(digest_of(BUNDLED), 0)  # they change with the packages that bring them
    rows: list[tuple[str | int, ...]]
    if storage.is_s3(config.photos):
        rows = [*storage.list_with_etags(config.photos)]
    else:
        _, found, _ = everything(config, out=out)
        rows = [(each.name, each.size_bytes, *_times(Path(each.at))) for each in found]
    return Listing(digest_of([config.photos, rows]), len(rows))


def _times(path: Path) -> tuple[int, ...]:
    try:
        told = path.stat()
    except OSError:
        return ()  # a link to nothing
    return told.st_mtime_ns, told.st_ctime_ns
