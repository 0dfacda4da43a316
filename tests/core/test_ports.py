"""Ports of this machine: had once, told when they are not to be had, and written as addresses are."""

from __future__ import annotations

import socket
import sys

import pytest

from components.core.errors import InputError
from components.core.ports import address_of, bare_host, held, host_in_address, listening, need_port

HOSTS = ("127.0.0.1", "::1", "[::1]", "localhost")


def unused_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def need_host(host: str) -> None:
    """Skips where the machine has no such address."""
    try:
        with listening(unused_port(), host):
            pass
    except InputError as error:
        if "no address of this machine" in str(error):
            pytest.skip(f"no {host} here")
        raise


@pytest.mark.parametrize("host", HOSTS)
def test_of_two_that_want_a_port_the_second_is_told_while_the_first_prepares(host: str) -> None:
    need_host(host)
    port = unused_port()
    with listening(port, host) as places:
        assert places
        for ask in (need_port, lambda port, host: listening(port, host).__enter__()):
            with pytest.raises(InputError, match=rf"^port {port} of this machine cannot be had .*--port"):
                ask(port, host)
    need_port(port, host)


def sharing(port: int, host: str) -> socket.socket:
    """As Ray Serve's proxy takes a port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    place = socket.socket(family)
    for choice in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        place.setsockopt(socket.SOL_SOCKET, choice, 1)
    place.bind((bare_host(host), port))
    place.listen()
    return place


@pytest.mark.skipif(sys.platform != "linux", reason="no such hold")
@pytest.mark.parametrize("host", HOSTS)
def test_a_port_that_is_held_is_its_own_servers_before_while_and_after_that_listens(host: str) -> None:
    need_host(host)
    port = unused_port()

    def others_are_told() -> None:
        for ask in (need_port, lambda *place: held(*place).__enter__()):
            with pytest.raises(InputError, match=rf"^port {port} of this machine cannot be had"):
                ask(port, host)

    with held(port, host):
        others_are_told()
        with pytest.raises(OSError):
            socket.create_connection((bare_host(host), port), timeout=10)
        for _ in range(2):  # a proxy that died comes again
            with sharing(port, host) as place:
                others_are_told()
                for _ in range(8):
                    with socket.create_connection(place.getsockname()[:2], timeout=10):
                        place.accept()[0].close()
        others_are_told()
    need_port(port, host)


@pytest.mark.parametrize("host", HOSTS)
def test_who_connects_while_a_server_prepares_waits_for_it(host: str) -> None:
    need_host(host)
    port = unused_port()
    with listening(port, host) as places:
        for place in places:
            address = place.getsockname()
            with socket.create_connection(address[:2], timeout=10) as caller:
                caller.sendall(b"early")
                taken, _ = place.accept()
                with taken:
                    assert taken.recv(5) == b"early"


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_told_with_the_limits(port: int) -> None:
    with pytest.raises(InputError, match=f"--port {port} is no port; they go from 1 to 65535"):
        need_port(port)


@pytest.mark.parametrize("host", ["192.0.2.77", "2001:db8::77", "no-such-host.invalid", "a..b", "a" * 80])
def test_a_host_that_is_not_of_this_machine_is_told(host: str) -> None:
    with pytest.raises(InputError, match=rf"--host {host} is no address of this machine .*127\.0\.0\.1 is"):
        need_port(unused_port(), host)


@pytest.mark.parametrize(
    ("host", "bare", "written"),
    [
        ("::1", "::1", "[::1]"),
        ("[::1]", "::1", "[::1]"),
        ("fe80::1%eth0", "fe80::1%eth0", "[fe80::1%25eth0]"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("gpu-7", "gpu-7", "gpu-7"),
    ],
)
def test_a_host_is_written_as_sockets_and_as_addresses_have_it(host: str, bare: str, written: str) -> None:
    assert (bare_host(host), host_in_address(host)) == (bare, written)
    assert address_of(host, 8000) == f"http://{written}:8000"
