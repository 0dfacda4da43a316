"""Hand on what comes at one address to another, byte for byte.

    python -m infra.team.relay 0.0.0.0:8333 127.0.0.1:8334

Used by fence.py between two networks, and by itself in front of a service that listens on loopback only.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

LOOPBACK = "127.0.0.1"
CHUNK = 1 << 18


def listening(port: int, host: str = LOOPBACK) -> socket.socket:
    """A socket at which somebody listens from now on."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind((host, port))
    place.listen(256)
    place.setblocking(False)
    return place


async def relay(place: socket.socket, port: int, host: str = LOOPBACK) -> None:
    """Hand on what comes at a socket to a port, as seen by this process."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            other_reader, other_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(_hand_on(reader, other_writer), _hand_on(other_reader, writer))
        finally:
            for end in (writer, other_writer):
                end.close()

    server = await asyncio.start_server(meet, sock=place)
    async with server:
        await server.serve_forever()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()


def _parts(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    own_host, own_port = _parts(sys.argv[1])
    to_host, to_port = _parts(sys.argv[2])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(relay(listening(own_port, own_host), to_port, to_host))
