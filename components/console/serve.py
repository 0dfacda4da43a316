"""What `refocus serve` does: the model as a service, in this process or as replicas of Ray Serve."""

from __future__ import annotations

from contextlib import nullcontext

from components.core.errors import InputError
from components.core.ports import address_of, held, need_port
from components.core.stopping import signal_of
from components.serving.settings import ServingSettings


def serve(settings: ServingSettings, replicas: int) -> int:
    """Serve until Ctrl-C or SIGTERM; gives the exit code.

    replicas: 0 to serve in this process, else that many of Ray Serve. Raises what settings, port or
    model are refused with, before anything listens.
    """
    settings.checked()
    if replicas < 0:
        raise InputError(
            f"--replicas is {replicas}; it must be 1 or more, or left out for this process alone"
        )
    need_port(settings.port, settings.host)  # before what takes seconds to import
    if not replicas:
        from components.serving import here

        here.run(settings, _say)
        return 0
    from components.services.cluster import is_cluster
    from components.services.cluster.serving import replicas_serving, until_stopped
    from components.serving.app import build_app, models_of

    # On a cluster its head listens: another machine's port, or another user's process.
    with nullcontext() if is_cluster() else held(settings.port, settings.host):
        models = models_of(settings)
        models.start()  # what is wrong with the model is a sentence here, and forty lines in a replica
        models.stop()
        assert models.current is not None
        words = models.current.words

        def build() -> object:
            return build_app(settings)

        try:
            with replicas_serving(
                build,
                replicas=replicas,
                host=settings.host,
                port=settings.port,
                places=settings.queue + 1,
            ):
                _say(address_of(settings.host, settings.port), f"{words}, {replicas} replicas of Ray Serve")
                until_stopped()
        except (KeyboardInterrupt, SystemExit) as error:  # how a service is ended: nothing was broken off
            if signal_of(error) is None:
                raise
    return 0


def _say(address: str, words: str) -> None:
    print(f"{words}: {address} (Ctrl-C ends it)", flush=True)
