"""The door of boto3: listing, reading and writing objects at s3://bucket/key.

Credentials and the endpoint come from the usual variables (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_ENDPOINT_URL for a store that is not Amazon's). A store that
does not answer is given up after seconds, not minutes.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from components.core.files import atomic_path
from components.services.storage.client import (
    ENDPOINTS,
    SCHEME,
    ObjectError,
    code_of,
    in_words,
    is_s3,
    split_uri,
)
from components.services.storage.client import client as _client
from components.services.storage.refusals import BEYOND_THE_END, UNKNOWN

__all__ = ["ENDPOINTS", "SCHEME", "ObjectError", "is_s3", "split_uri"]

TOLD = "sha256"  # an object's own metadata, set together with its bytes
PIECE_BYTES = 1 << 20
READS = 3  # of an object whose connection breaks on the way; botocore tries again only before the first byte


def join(uri: str, name: str) -> str:
    """The address of a name below a prefix.

    >>> join("s3://photos/2024/", "a.jpg")
    's3://photos/2024/a.jpg'
    """
    return f"{uri.rstrip('/')}/{name}"


def list_objects(uri: str) -> list[tuple[str, int]]:
    """Every object below a prefix, which is taken as a folder: (name relative to it, size in
    bytes), in the order of names.

    Raises ServiceError when the bucket is missing or does not answer.
    """
    return [(name, size) for name, size, _ in list_with_etags(uri)]


def list_with_etags(uri: str) -> list[tuple[str, int, str]]:
    """As `list_objects`, with each object's ETag, which changes with its bytes: one request for a
    thousand objects, none of which is read.
    """
    bucket, key = split_uri(uri)
    prefix = f"{key.rstrip('/')}/" if key.rstrip("/") else ""
    with in_words(uri):
        pages = _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = [
            (item["Key"].removeprefix(prefix), int(item["Size"]), str(item.get("ETag", "")).strip('"'))
            for page in pages
            for item in page.get("Contents", ())
        ]
    # Some tools leave an empty object named like the folder.
    return sorted(item for item in found if item[0] and not item[0].endswith("/"))


def list_dated(uri: str, *, at_most: int | None = None) -> list[tuple[str, int, float]]:
    """The same with the moment of each object's last change (seconds since 1970); at_most: how many."""
    bucket, key = split_uri(uri)
    prefix = f"{key.rstrip('/')}/" if key.rstrip("/") else ""
    with in_words(uri):
        limit = {} if at_most is None else {"PaginationConfig": {"MaxItems": at_most}}
        pages = _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **limit)
        return [
            (item["Key"].removeprefix(prefix), int(item["Size"]), item["LastModified"].timestamp())
            for page in pages
            for item in page.get("Contents", ())
        ]


def read_object(uri: str) -> bytes:
    """One object's bytes; a connection that breaks is tried again. Raises ObjectError when the
    object cannot be had, ServiceError when the store does not answer.
    """
    return _read(uri)


def read_range(uri: str, first: int, count: int) -> bytes:
    """`count` bytes of an object from the byte `first` on; fewer where it ends before. Raises as
    `read_object` does.
    """
    return _read(uri, Range=f"bytes={first}-{first + count - 1}")


def sha256_of_object(uri: str) -> str:
    """SHA-256 (64 hex digits) of an object's bytes, none of which is kept. Raises as `read_object` does."""
    bucket, key = split_uri(uri)
    found = hashlib.sha256()
    with in_words(uri):
        for piece in _client().get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(PIECE_BYTES):
            found.update(piece)
    return found.hexdigest()


def _read(uri: str, **more: str) -> bytes:
    from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

    bucket, key = split_uri(uri)
    with in_words(uri):
        for left in reversed(range(READS)):
            try:
                return bytes(_client().get_object(Bucket=bucket, Key=key, **more)["Body"].read())
            except (IncompleteReadError, ResponseStreamingError):
                if not left:
                    raise
            except ClientError as error:
                if code_of(error) not in BEYOND_THE_END:
                    raise
                return b""
    raise AssertionError("the last attempt returns or raises")


def download(uri: str, path: Path) -> None:
    """Copy one object to a file, in one step and without holding it in memory; a connection that
    breaks is tried again. Raises as `read_object` does.
    """
    with atomic_path(path) as temporary:
        download_into(uri, temporary)


def download_into(uri: str, path: Path) -> None:
    """Copy one object over a file that is there for it."""
    bucket, key = split_uri(uri)
    with in_words(uri):
        _client().download_file(bucket, key, str(path))


def put(source: Path | bytes, uri: str, *, sha256: str | None = None) -> None:
    """Copy a file or bytes to an object; one that is there is replaced.

    sha256: of the bytes, to be told by `sha256_told` later.
    """
    bucket, key = split_uri(uri)
    told = {} if sha256 is None else {"Metadata": {TOLD: sha256}}
    with in_words(uri):
        if isinstance(source, bytes):
            _client().put_object(Bucket=bucket, Key=key, Body=source, **told)
        else:
            _client().upload_file(str(source), bucket, key, ExtraArgs=told)


def sha256_told(uri: str) -> str | None:
    """The SHA-256 that an object was put with; None where there is no object, or it was put
    without.
    """
    facts = facts_of(uri)
    return None if facts is None else facts[1]


def facts_of(uri: str) -> tuple[int, str | None] | None:
    """An object's size in bytes, and the SHA-256 that it was put with, if it was; None where there is
    no object.
    """
    found = _head(uri)
    return None if found is None else (int(found["ContentLength"]), found["Metadata"].get(TOLD))


def _head(uri: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    bucket, key = split_uri(uri)
    with in_words(uri):
        try:
            found: dict[str, Any] = _client().head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
                return None
            raise
    return found


def changed_at(uri: str) -> float | None:
    """When an object was last put or renewed (seconds since 1970); None where there is no object."""
    found = _head(uri)
    return None if found is None else float(found["LastModified"].timestamp())


def renew(uri: str, older_than_s: float, sha256: str | None = None) -> bool:
    """Make an object that was put with its SHA-256 as young as if that were now, where it is older than so
    many seconds; gives whether there is one. Its bytes stay in the store.

    sha256: which it must have been put with.
    """
    found = _head(uri)
    told = found["Metadata"].get(TOLD) if found else None
    if found is None or told is None or (sha256 is not None and told != sha256):
        return False
    if time.time() - found["LastModified"].timestamp() > older_than_s:
        bucket, key = split_uri(uri)
        with in_words(uri):
            _client().copy_object(
                Bucket=bucket,
                Key=key,
                CopySource={"Bucket": bucket, "Key": key},
                Metadata={TOLD: told},
                MetadataDirective="REPLACE",
            )
    return True


def remove(uri: str) -> None:
    """Delete one object; where there is none, nothing happens."""
    bucket, key = split_uri(uri)
    with in_words(uri):
        _client().delete_object(Bucket=bucket, Key=key)


def need_answer() -> None:
    """Raises ServiceError when the store does not answer, there are no credentials for it, or it does
    not know them; that it refuses to list its buckets is an answer.
    """
    from botocore.exceptions import ClientError

    with in_words("s3://any"):
        try:
            _client().list_buckets()
        except ClientError as error:
            if code_of(error) in UNKNOWN:
                raise


def need_readable(uri: str) -> int:
    """Raises ServiceError when a place in a bucket cannot be listed; gives how many of its first two
    objects there are.
    """
    bucket, key = split_uri(uri)
    with in_words(uri):
        found = _client().list_objects_v2(
            Bucket=bucket, Prefix=f"{key.rstrip('/')}/" if key else "", MaxKeys=2
        )
    return int(found.get("KeyCount", 0))
