"""How boto3 is asked: one client for the variables that are set, and what it raises as one paragraph with a
remedy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from components.core.addresses import shown
from components.core.errors import InputError, ServiceError
from components.core.surroundings import keep_loopback_direct, proxy_for
from components.services.storage.refusals import OF_ONE_OBJECT, refusal

SCHEME = "s3://"
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")  # the first that is set counts
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 30, 2


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


def endpoint_named() -> str | None:
    """The store that the variables name; None for Amazon's."""
    return next((value for name in ENDPOINTS if (value := os.environ.get(name))), None)


def client() -> Any:
    """boto3's client of S3."""
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
    endpoint = endpoint_named()
    settings = Config(
        # botocore looks for numbers of IPv6 in no_proxy as urllib does (core/surroundings.py).
        proxies={} if endpoint is not None and proxy_for(endpoint) is None else None,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )
    return boto3.session.Session().client("s3", config=settings)


@contextmanager
def in_words(uri: str) -> Iterator[None]:
    """Turn what boto3 raises into one paragraph with a remedy."""
    from boto3.exceptions import Boto3Error
    from botocore import exceptions as trouble

    split_uri(uri)
    endpoint = endpoint_named()
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
        kind = ObjectError if code_of(error) in OF_ONE_OBJECT and split_uri(uri)[1] else ServiceError
        raise kind(refusal(error, uri, place, code_of(error))) from error
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


def code_of(error: Exception) -> str:
    """The store's own word for what it refused."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__))
