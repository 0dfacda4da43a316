"""Ports of this machine: having one, whether one can be had, and how its address is written."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from components.core.errors import InputError

LOOPBACK = "127.0.0.1"
BACKLOG = 2048  # connections that wait until the server takes them, as uvicorn has it
NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def address_of(host: str, port: int) -> str:
    """As a browser takes it.

    >>> address_of("::1", 8000), address_of("127.0.0.1", 80)
    ('http://[::1]:8000', 'http://127.0.0.1:80')
    """
    return f"http://{host_in_address(host)}:{port}"


def host_in_address(host: str) -> str:
    """A host as addresses have it: an IPv6 number in brackets, its zone with %25 (RFC 6874).

    >>> [host_in_address(host) for host in ("::1", "[::1]", "fe80::1%eth0", "gpu-7")]
    ['[::1]', '[::1]', '[fe80::1%25eth0]', 'gpu-7']
    """
    bare = bare_host(host)
    return f"[{bare.replace('%', '%25')}]" if ":" in bare else bare


def bare_host(host: str) -> str:
    """A host as sockets take it: without the brackets that addresses put around an IPv6 number.

    >>> bare_host("[::1]"), bare_host("::1")
    ('::1', '::1')
    """
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


@contextmanager
def listening(port: int, host: str = LOOPBACK) -> Iterator[list[socket.socket]]:
    """Have a port for the length of a block: the sockets of all addresses that the host has here.

    They listen at once, since a port that is only bound goes to whoever listens first; who connects waits
    until a server takes the sockets. Raises InputError where there is no such host, or the port is none or
    taken.
    """
    if not 1 <= port <= 65535:
        raise InputError(f"--port {port} is no port; they go from 1 to 65535")
    with ExitStack() as held:
        places, refused = list[socket.socket](), list[OSError]()
        for address, family in _addresses_of(host, port).items():
            try:
                place = held.enter_context(socket.socket(family, socket.SOCK_STREAM))
                # As servers do: a page just closed does not hold its port.
                place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    place.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                place.bind(address)
                place.listen(BACKLOG)
            except OSError as error:
                if error.errno not in NOT_HERE:
                    raise InputError(
                        f"port {port} of this machine cannot be had ({error.strerror or error}); close what"
                        " listens there, or name another: --port"
                    ) from error
                refused.append(error)
            else:
                places.append(place)
        if not places:
            raise _no_address(host, refused[0])
        yield places


@contextmanager
def held(port: int, host: str = LOOPBACK) -> Iterator[None]:
    """Have a port for the length of a block, for a server that takes it by itself and shares ports
    (SO_REUSEPORT), as Ray Serve's proxy does: of two such servers each would get half of the requests, and
    nobody would be told. Whoever asks for the port by `listening` or `need_port` meanwhile is refused.

    Raises InputError as `listening` does. Off Linux, which knows no such hold, the port is only asked for.
    """
    with ExitStack() as kept:
        if sys.platform != "linux":
            need_port(port, host)
        else:
            for place in kept.enter_context(listening(port, host)):
                # From here on a process of this user that shares may have it, and no other. It stays bound,
                # and takes no connection from whoever listens.
                place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
                place.shutdown(socket.SHUT_RD)
        yield


def need_port(port: int, host: str = LOOPBACK) -> None:
    """Raises InputError as `listening` does: before a server is started that takes the port itself, and
    says so in forty lines.
    """
    with listening(port, host):
        pass


def _addresses_of(host: str, port: int) -> dict[Any, socket.AddressFamily]:
    """Socket addresses to their families, in the order in which they are tried."""
    try:
        found = socket.getaddrinfo(bare_host(host), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _no_address(host, error) from error
    return {address: family for family, _, _, _, address in found}


def _no_address(host: str, error: Exception) -> InputError:
    why = getattr(error, "strerror", None) or error
    return InputError(
        f"--host {host} is no address of this machine ({why}); 127.0.0.1 is, and 0.0.0.0 is all of them"
    )
