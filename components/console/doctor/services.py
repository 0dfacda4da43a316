"""What `refocus doctor` asks: each address, by the question that the commands ask it, and the
proxies on the way.
"""

from __future__ import annotations

import os
import socket
import urllib.parse
from collections.abc import Callable, Iterator

from components.console.doctor.findings import Check, Finding
from components.core.addresses import shown
from components.core.errors import RefocusError
from components.core.surroundings import CERTIFICATES, inherited, proxies, proxy_for
from components.pipeline.project import Project

PATIENCE_S = 5.0
INSIDE = "unset: the part inside this machine is used"


def proxy(project: Project) -> Iterator[Finding]:
    """The proxies of the environment: which answer, and that this machine is asked without them."""
    for name, said in inherited().items():
        if name.lower().endswith("_proxy"):
            yield Finding(
                name,
                f"{shown(said if '://' in said else f'http://{said}')} left out",
                "no library here can read it, or speak to a SOCKS proxy: name it as http://HOST:PORT, or"
                " install socksio and PySocks",
            )
    for scheme, address in proxies().items():
        parts = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
        name = f"{scheme}_proxy"
        try:
            port = parts.port or 80
            socket.create_connection((parts.hostname or "", port), timeout=PATIENCE_S).close()
            yield Finding(name, f"{shown(address)} answers; this machine's own services go past it")
        except (OSError, ValueError) as error:
            yield Finding(
                name,
                f"{shown(address)} does not answer ({error})",
                f"correct or unset {name}: whatever is not on this machine is asked by it",
            )


def certificates(project: Project) -> Iterator[Finding]:
    """Variables that name certificates, where nothing lies."""
    for name, place in inherited().items():
        if name in CERTIFICATES:
            yield Finding(
                name,
                f"{place} is not there: left out, the libraries' own certificates count",
                f"correct or unset {name}: other programs fail with it",
            )


def prefect(project: Project) -> Iterator[Finding]:
    """The Prefect server, also one that a .env file names."""
    from flows.prefect_address import API_VARIABLE, api_address, need_answer

    yield from _asked(API_VARIABLE, api_address(project.state / "prefect"), need_answer, INSIDE)


def mlflow(project: Project) -> Iterator[Finding]:
    """The tracking store."""
    from components.services.tracking import answers, store

    address = os.environ.get(answers.URI_VARIABLE)
    yield from _asked(answers.URI_VARIABLE, address, lambda _: store.need_answer(), INSIDE)
    if not address:
        yield from _asked("tracking file", store.shown_uri(), lambda _: store.need_answer(), "")


def s3(project: Project) -> Iterator[Finding]:
    """The store of s3:// addresses, where it is not Amazon's."""
    from components.services import storage

    name = next((each for each in storage.ENDPOINTS if os.environ.get(each)), storage.ENDPOINTS[-1])
    unset = "unset: s3:// means Amazon's"
    yield from _asked(name, os.environ.get(name), lambda _: storage.need_answer(), unset)


def ray(project: Project) -> Iterator[Finding]:
    """The cluster, or what a Ray of our own needs."""
    from components.services.cluster.address import ADDRESS_VARIABLE, need_cluster
    from components.services.cluster.start import short_place

    address = os.environ.get(ADDRESS_VARIABLE)
    if address and address != "local":
        yield from _asked(ADDRESS_VARIABLE, address, need_cluster, INSIDE)
    else:
        yield from _asked(ADDRESS_VARIABLE, "local", lambda _: short_place(), INSIDE)


def _asked(name: str, address: str | None, ask: Callable[[str], object], unset: str) -> Iterator[Finding]:
    if not address:
        yield Finding(name, unset)
        return
    way = proxy_for(address)
    by = f" (by the proxy {shown(way)})" if way else ""
    try:
        ask(address)
        yield Finding(name, f"{shown(address)} answers{by}" if "://" in address else address)
    except RefocusError as error:
        yield Finding(name, f"{shown(address)} cannot be used{by}", str(error))


CHECKS: tuple[Check, ...] = (proxy, certificates, prefect, mlflow, s3, ray)
