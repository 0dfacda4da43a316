"""A network of its own for services that open ports without asking for credentials: what listens in there
is reached by nobody outside, but at the ports that are let through, in either direction.

    python -m infra.team.fence OUTWARD INWARD     (ports, each list as 8333:8333,…; - for none)

Made of a network namespace, by a user who may make one; no rights are needed where the kernel lets users
have namespaces of their own. Two processes hand bytes on: this one stands outside, its child inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from infra.team.process import CHECKOUT, Service
from infra.team.relay import listening, relay

READY = "the fence stands"


def _unshare() -> list[str]:
    own_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *own_user, "--net"]


@lru_cache(maxsize=1)
def is_possible() -> bool:
    """Whether this user may make a network namespace here."""
    try:
        made = subprocess.run([*_unshare(), "true"], check=False, capture_output=True)
    except OSError:
        return False
    return made.returncode == 0


class Fence(Service):
    """The network. outward: ports of this machine that lead inside, each with the port there; inward:
    ports of this machine that are reached from inside under the same number.
    """

    def __init__(self, folder: Path, outward: dict[int, int], inward: Sequence[int] = ()) -> None:
        super().__init__(folder)
        self.name = f"the fence ({folder.name})"
        self._outward, self._inward = outward, tuple(inward)

    def ports(self) -> tuple[int, ...]:
        return tuple(self._outward)

    def command(self) -> Sequence[str]:
        outward = ",".join(f"{port}:{inside}" for port, inside in self._outward.items())
        inward = ",".join(str(port) for port in self._inward)
        return [sys.executable, "-m", "infra.team.fence", outward or "-", inward or "-"]

    def prepare(self) -> None:
        self._inside.unlink(missing_ok=True)

    def answers(self) -> bool:
        return self._inside.is_file()

    def enter(self, command: Sequence[str], hidden: Sequence[Path] = ()) -> list[str]:
        """The command that does the same inside. hidden: folders that it sees empty."""
        pid = self._inside.read_text().strip()
        own_user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", pid, *own_user, "--net", "--", *blind(command, hidden)]

    @property
    def _inside(self) -> Path:
        return self.folder / "inside"


def blind(command: Sequence[str], hidden: Sequence[Path]) -> list[str]:
    """The command in a view of the disk in which the folders `hidden` are empty."""
    if not hidden:
        return list(command)
    cover = 'while [ "$1" != -- ]; do mount -t tmpfs hidden "$1" || exit 9; shift; done; shift; exec "$@"'
    return ["unshare", "--mount", "sh", "-c", cover, "sh", *map(str, hidden), "--", *command]


async def _serve(places: list[tuple[socket.socket, int]], partner: socket.socket) -> None:
    """Hand on until the partner is gone."""
    reader, writer = await asyncio.open_connection(sock=partner)
    running = [asyncio.ensure_future(relay(place, port)) for place, port in places]
    await reader.read(1)  # nothing ever comes but its end
    for one in running:
        one.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*running)
    writer.close()


def _outside(outward: dict[int, int], inward: list[int]) -> None:
    mine, theirs = socket.socketpair()
    places = [listening(port) for port in outward]
    told = ",".join(f"{place.fileno()}:{port}" for place, port in zip(places, outward.values(), strict=True))
    inside = subprocess.Popen(
        [*_unshare(), sys.executable, "-m", "infra.team.fence", "inside", str(theirs.fileno()),
         told or "-", ",".join(map(str, inward)) or "-"],
        pass_fds=[theirs.fileno(), *(place.fileno() for place in places)],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
    )  # fmt: skip
    theirs.close()
    words, numbers, _, _ = socket.recv_fds(mine, 64, 64)
    for place in places:
        place.close()
    taken = [socket.socket(fileno=number) for number in numbers]
    note = Path("inside.new")
    note.write_text(words.decode())
    note.replace("inside")
    print(READY, flush=True)
    try:
        asyncio.run(_serve(list(zip(taken, inward, strict=True)), mine))
    finally:
        mine.close()
        inside.wait()


def _within(partner: int, told: list[tuple[int, int]], inward: list[int]) -> None:
    _raise_loopback()
    outside = socket.socket(fileno=partner)
    places = [listening(port) for port in inward]
    socket.send_fds(outside, [str(os.getpid()).encode()], [place.fileno() for place in places])
    for place in places:
        place.close()
    asyncio.run(_serve([(socket.socket(fileno=number), port) for number, port in told], outside))


def _raise_loopback() -> None:
    """A new network's loopback is down; `ip link set lo up`, where there may be no ip."""
    get_flags, set_flags, up = 0x8913, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(any_socket, get_flags, asked), 16)
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", flags | up))


def _pairs(words: str) -> list[tuple[int, int]]:
    return (
        [] if words == "-" else [(int(a), int(b)) for a, _, b in (w.partition(":") for w in words.split(","))]
    )


def _numbers(words: str) -> list[int]:
    return [] if words == "-" else [int(word) for word in words.split(",")]


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        if sys.argv[1] == "inside":
            _within(int(sys.argv[2]), _pairs(sys.argv[3]), _numbers(sys.argv[4]))
        else:
            _outside(dict(_pairs(sys.argv[1])), _numbers(sys.argv[2]))
