"""The door of boto3: listing, reading and writing objects at s3://bucket/key.

Credentials and the endpoint come from the usual variables (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_ENDPOINT_URL for a store that is not Amazon's). A store that
does not answer is given up after seconds, not minutes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from components.core.addresses import shown
from components.core.errors import InputError, ServiceError
from components.core.files import atomic_path
from components.core.surroundings import keep_loopback_direct, proxy_for
from components.services.storage.refusals import OF_ONE_OBJECT, UNKNOWN, refusal

SCHEME = "s3://"
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")  # the first that is set counts
TOLD = "sha256"  # an object's own metadata, set together with its bytes
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 30, 2
PIECE_BYTES = 1 << 20
READS = 3  # of an object whose connection breaks on the way; botocore tries again only before the first byte


class ObjectError(ServiceError):
    """One object that cannot be had, while its store answers: gone, archived, or not for this user."""


def is_s3(uri: str) -> bool:
    """Whether a place is meant to be in a bucket."""
    return uri.startswith(SCHEME)


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an address; the key may be empty. Raises InputError when it is no s3://
    address.

    >>> split_uri("s3://photos/2024/may")
    ('photos', '2024/may')
    """
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    if not is_s3(uri) or not bucket:
        raise InputError(
            f'"{uri}" is no address in a bucket; write s3://BUCKET/PREFIX, such as s3://photos/2024'
        )
    return bucket, key


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
    with _in_words(uri):
        pages = _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = [
            (item["Key"].removeprefix(prefix), int(item["Size"]), str(item.get("ETag", "")).strip('"'))
            for page in pages
            for item in page.get("Contents", ())
        ]
    # Some tools leave an empty object named like the folder.
    return sorted(item for item in found if item[0] and not item[0].endswith("/"))


def list_dated(uri: str) -> list[tuple[str, int, float]]:
    """The same with the moment of each object's last change (seconds since 1970)."""
    bucket, key = split_uri(uri)
    prefix = f"{key.rstrip('/')}/" if key.rstrip("/") else ""
    with _in_words(uri):
        pages = _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
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
    with _in_words(uri):
        for piece in _client().get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(PIECE_BYTES):
            found.update(piece)
    return found.hexdigest()


def _read(uri: str, **more: str) -> bytes:
    from botocore.exceptions import IncompleteReadError, ResponseStreamingError

    bucket, key = split_uri(uri)
    with _in_words(uri):
        for left in reversed(range(READS)):
            try:
                return bytes(_client().get_object(Bucket=bucket, Key=key, **more)["Body"].read())
            except (IncompleteReadError, ResponseStreamingError):
                if not left:
                    raise
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
    with _in_words(uri):
        _client().download_file(bucket, key, str(path))


def put(source: Path | bytes, uri: str, *, sha256: str | None = None) -> None:
    """Copy a file or bytes to an object; one that is there is replaced.

    sha256: of the bytes, to be told by `sha256_told` later.
    """
    bucket, key = split_uri(uri)
    told = {} if sha256 is None else {"Metadata": {TOLD: sha256}}
    with _in_words(uri):
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
    from botocore.exceptions import ClientError

    bucket, key = split_uri(uri)
    with _in_words(uri):
        try:
            found = _client().head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
                return None
            raise
    return int(found["ContentLength"]), found["Metadata"].get(TOLD)


def remove(uri: str) -> None:
    """Delete one object; where there is none, nothing happens."""
    bucket, key = split_uri(uri)
    with _in_words(uri):
        _client().delete_object(Bucket=bucket, Key=key)


def need_answer() -> None:
    """Raises ServiceError when the store does not answer, there are no credentials for it, or it does
    not know them; that it refuses to list its buckets is an answer.
    """
    from botocore.exceptions import ClientError

    with _in_words("s3://any"):
        try:
            _client().list_buckets()
        except ClientError as error:
            if _code_of(error) in UNKNOWN:
                raise


def need_readable(uri: str) -> int:
    """Raises ServiceError when a place in a bucket cannot be listed; gives how many of its first two
    objects there are.
    """
    bucket, key = split_uri(uri)
    with _in_words(uri):
        found = _client().list_objects_v2(
            Bucket=bucket, Prefix=f"{key.rstrip('/')}/" if key else "", MaxKeys=2
        )
    return int(found.get("KeyCount", 0))


def _client() -> Any:
    # One client for one set of variables: making one takes 0.1 s, and tests and services change the
    # variables.
    return _client_for(
        tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    )


@lru_cache(maxsize=4)
def _client_for(variables: tuple[tuple[str, str], ...]) -> Any:
    import boto3
    from botocore.config import Config

    keep_loopback_direct()
    settings = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )
    return boto3.session.Session().client("s3", config=settings)


@contextmanager
def _in_words(uri: str) -> Iterator[None]:
    """Turn what boto3 raises into one paragraph with a remedy."""
    from boto3.exceptions import Boto3Error
    from botocore import exceptions as trouble

    split_uri(uri)
    endpoint = next((value for name in ENDPOINTS if (value := os.environ.get(name))), None)
    place = shown(endpoint) if endpoint else "Amazon S3"
    try:
        yield
    except (trouble.NoCredentialsError, trouble.PartialCredentialsError) as error:
        raise ServiceError(
            f"no credentials for {uri}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        ) from error
    except (trouble.HTTPClientError, trouble.ConnectionError) as error:
        remedy = (
            "check AWS_ENDPOINT_URL and that the store runs"
            if endpoint
            else "check the network, or set AWS_ENDPOINT_URL to your own store"
        )
        if (proxy := proxy_for(endpoint or "https://s3.amazonaws.com")) is not None:
            place, remedy = f"{place} (by the proxy {shown(proxy)})", f"check the proxy, or {remedy}"
        if isinstance(error, trouble.SSLError):
            remedy = "name the certificate of who stands between (AWS_CA_BUNDLE)"
        raise ServiceError(
            f"{place} does not answer, so {uri} cannot be reached ({type(error).__name__}); {remedy}"
        ) from error
    except (trouble.ClientError, Boto3Error) as error:
        kind = ObjectError if _code_of(error) in OF_ONE_OBJECT and split_uri(uri)[1] else ServiceError
        raise kind(refusal(error, uri, place, _code_of(error))) from error
    except trouble.BotoCoreError as error:
        raise ServiceError(
            f"{uri} cannot be used at {place}: {error}; check the address and the AWS_ variables"
        ) from error
    except ValueError as error:
        if "endpoint" not in str(error).lower():
            raise
        raise ServiceError(
            f'AWS_ENDPOINT_URL must be an address such as http://127.0.0.1:9000, got "{place}"'
        ) from error


def _code_of(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__))
