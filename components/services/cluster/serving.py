"""An ASGI application as replicas of Ray Serve: each a process of its own, so that as many photos are
restored at once.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from components.core import debugging
from components.core.errors import InputError, ServiceError
from components.core.ports import address_of
from components.services.cluster.start import ray_is_gone, ray_started

# Serve gives its proxy 5 s for each of three tries to start, which a busy machine takes for Python's imports.
PROXY_START_S = {"RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60"}
LOOK_S = 0.2
BESIDE = 8  # requests a replica answers beside its queue: health, readings, the page


@contextmanager
def replicas_serving(
    build: Callable[[], Any], *, replicas: int, host: str, port: int, places: int
) -> Iterator[None]:
    """Serve on every node of RAY_ADDRESS, else by a Ray of our own, for the length of a block.

    build: makes the application, in each replica's process; places: requests that may wait for or
    be at work in one. Raises InputError without Ray Serve, ServiceError when no Ray answers or Serve does
    not come up.
    """
    for name, value in PROXY_START_S.items():
        os.environ.setdefault(name, value)  # a Ray of our own inherits it
    try:
        from ray import serve
    except ImportError as error:
        raise InputError(
            f"Ray Serve is not whole on this machine ({error.name} is missing); install refocus[serve], or"
            " leave --replicas out"
        ) from error
    if not debugging.is_on():
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
    with ray_started(cpus=max(2, round(replicas + 1))):
        up = False
        try:
            with _in_words(host, port):
                # What takes longer than Serve waits goes on; `run` waits for it once more.
                with suppress(TimeoutError):
                    serve.start(
                        http_options={"host": host, "port": port, "location": "HeadOnly"},
                        logging_config=_quiet(serve),
                    )
                application = serve.deployment(
                    serve.ingress(build)(),  # type: ignore[operator,unused-ignore]
                    name="refocus",
                    num_replicas=replicas,
                    max_ongoing_requests=places + BESIDE,
                    max_queued_requests=places + BESIDE,
                    ray_actor_options={"num_cpus": 1},
                ).bind()
                serve.run(application, name="refocus", route_prefix="/")
            up = True
            yield
        finally:
            with (
                nullcontext() if up else suppress(Exception)
            ):  # what kept it from coming up is told, not this
                _take_down(lambda: serve.delete("refocus"))  # not Serve: on a cluster it may run others' work


def _take_down(delete: Callable[[], None]) -> None:
    """End the replicas when what they are at is done. Raises ServiceError where a Ray of our own was ended
    by the same signal: who asks it anything waits for ever.
    """
    failed = list[BaseException]()

    def work() -> None:
        try:
            delete()
        except BaseException as error:
            failed.append(error)

    asking = threading.Thread(target=work, daemon=True)
    asking.start()
    while asking.is_alive():
        asking.join(LOOK_S)
        if asking.is_alive() and ray_is_gone():
            raise ServiceError(
                "Ray was ended together with the service, and what it was at is broken off; send the signal"
                " to the service's own process alone (systemd: KillMode=mixed; timeout: --foreground)"
            )
    for error in failed:
        raise error


@contextmanager
def _in_words(host: str, port: int) -> Iterator[None]:
    """Turn what Ray Serve raises while it comes up into a ServiceError."""
    from ray.exceptions import RayError

    try:
        yield
    except (RayError, TimeoutError) as error:
        raise ServiceError(
            f"Ray Serve did not come up at {address_of(host, port)} ({str(error).splitlines()[0]}): is the"
            " port taken, or the machine too busy to start processes within minutes? Try again, or leave"
            " --replicas out"
        ) from error


def _quiet(serve: Any) -> Any:
    from ray.serve.schema import LoggingConfig

    return LoggingConfig(log_level="WARNING", enable_access_log=False)


def until_stopped() -> None:
    """Wait for whatever ends this process: Ctrl-C, SIGTERM."""
    threading.Event().wait()
