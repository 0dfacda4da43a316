"""Where Ray is: $RAY_ADDRESS, what kind of address it is, and whether a cluster answers there.

unset              a Ray of our own on this machine, for as long as a stage works
HOST:6379          this machine is a node of a cluster: the stage joins it as its driver
http://HOST:8265   this machine is outside: the stage is sent to the cluster as a job (jobs.py)

Ray's client (ray://HOST:10001) is refused: with the connection the work would be lost.
"""

from __future__ import annotations

import os
import socket
import urllib.parse

from components.core.addresses import shown
from components.core.errors import InputError, ServiceError
from components.core.ports import host_in_address
from components.services.cluster import token

ADDRESS_VARIABLE = "RAY_ADDRESS"
LOCAL, AUTO = "local", "auto"
PATIENCE_S = 5.0
ALIVE = "/ray.rpc.NodeInfoGcsService/CheckAlive"  # what a cluster's head answers to anybody with its token


def of_environment() -> str:
    """$RAY_ADDRESS, or `local`."""
    return os.environ.get(ADDRESS_VARIABLE) or LOCAL


def is_cluster() -> bool:
    """Whether work goes to a cluster, and not to a Ray of our own."""
    return of_environment() != LOCAL


def is_outside() -> bool:
    """Whether this machine is outside of the cluster, and stages are sent there as jobs."""
    return _parts(of_environment())[0] in ("http", "https")


def need_inside(address: str) -> None:
    """Raises InputError when work cannot join the cluster from here, as it is addressed by its page."""
    if _parts(address)[0] in ("http", "https"):
        raise InputError(
            f"{ADDRESS_VARIABLE} is {shown(address)}, to which whole stages are sent (refocus run, train,"
            f" synthesize, evaluate); what joins the cluster itself needs {ADDRESS_VARIABLE}=HOST:6379 (its"
            " head)"
        )


def need_cluster(address: str) -> None:
    """Raises InputError when RAY_ADDRESS is none that work can be sent to, ServiceError within about
    5 s when no Ray answers there, or it wants another token: Ray itself would try for minutes.

    `auto` is left to Ray, which looks for a cluster of this machine.
    """
    if address == AUTO:
        return None
    scheme, host, port = _parts(address)
    if scheme in ("http", "https") and host:
        return _need_page(address.rstrip("/"), host)
    if scheme == "ray":
        place = host_in_address(host) or "HOST"
        raise InputError(
            f"{ADDRESS_VARIABLE} is {shown(address)}, Ray's client, whose work ends with its connection; send"
            f" stages to the cluster's page instead, which lets who comes back join them:"
            f" {ADDRESS_VARIABLE}=http://{place}:8265, or from one of its nodes"
            f" {ADDRESS_VARIABLE}={place}:6379"
        )
    if scheme or not host or port is None:
        raise InputError(
            f"{ADDRESS_VARIABLE} is {shown(address)!r}; it must be HOST:PORT of a cluster's head (6379),"
            " http://HOST:8265 (its page, to which stages are sent), or auto. Unset it to work on this"
            " machine"
        )
    try:
        socket.create_connection((host, port), timeout=PATIENCE_S).close()
    except OSError as error:
        raise _no_answer(address, str(error)) from error
    return _need_head(address, f"{host_in_address(host)}:{port}")


def _need_page(address: str, host: str) -> None:
    """Ask a cluster's page for its version, which it tells to whoever has the token."""
    import requests

    key = token.token()
    try:
        answer = requests.get(
            f"{address}/api/version",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=PATIENCE_S,
            allow_redirects=False,
        )
        version = answer.json().get("ray_version") if answer.status_code == 200 else None
    except (requests.RequestException, ValueError, AttributeError) as error:
        raise _no_answer(address, type(error).__name__) from error
    if answer.status_code in (401, 403):
        raise token.refused(shown(address))
    if version is None:
        raise ServiceError(
            f"what listens at {ADDRESS_VARIABLE}={shown(address)} is no page of a Ray cluster (it answered"
            f" {answer.status_code}); correct {ADDRESS_VARIABLE}, whose port is 8265 where"
            " nothing else was chosen"
        )


def _need_head(address: str, place: str) -> None:
    """Ask what listens there as a cluster's driver does, with the token; Ray would wait for minutes."""
    import grpc

    key = token.token()
    channel = grpc.insecure_channel(place, options=(("grpc.enable_http_proxy", 0),))
    try:
        channel.unary_unary(ALIVE)(
            b"", timeout=PATIENCE_S, metadata=(("authorization", f"Bearer {key}"),) if key else ()
        )
    except grpc.RpcError as error:
        if error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            raise token.refused(shown(address)) from None
        raise ServiceError(
            f"what listens at {ADDRESS_VARIABLE}={shown(address)} does not speak as the head of a Ray"
            f" cluster does; {_remedy()}"
        ) from None
    finally:
        channel.close()


def _no_answer(address: str, why: str) -> ServiceError:
    return ServiceError(f"no Ray cluster answers at {ADDRESS_VARIABLE}={shown(address)} ({why}); {_remedy()}")


def _remedy() -> str:
    return f"start it, correct {ADDRESS_VARIABLE}, or unset it to work on this machine"


def is_this_machine(address: str) -> bool:
    """Whether an address is one of this machine's own loopback, which nobody else can listen to."""
    from components.core.surroundings import is_loopback

    return address == LOCAL or is_loopback(_parts(address)[1])


def _parts(address: str) -> tuple[str, str, int | None]:
    scheme, mark, rest = address.rpartition("://")
    try:
        parts = urllib.parse.urlsplit(f"//{rest}")
        return scheme.lower() if mark else "", parts.hostname or "", parts.port
    except ValueError:
        return scheme.lower(), "", None
