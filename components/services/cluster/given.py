"""What Ray's workers are given to find the code, the services and their credentials.

On this machine: all variables that count, and the code's place. On a cluster the code comes as a
package (code.py), paths of this machine's disk mean nothing, and credentials travel sealed with the
cluster's token (token.py), or not at all. Nothing that is secret goes by `env_vars`, which stand in
command lines, in logs and on the dashboard: it goes by a function that Ray calls in each process
before any of our code (`worker_process_setup_hook`).
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from components.core.addresses import is_secret
from components.core.files import state_folder, state_variable
from components.core.progress import is_of_a_terminal
from components.services.cluster import address, code, token

PASSED_ON = ("REFOCUS_", "AWS_", "MLFLOW_", "TORCH_HOME", "RAY_TRAIN_", "no_proxy", "NO_PROXY")
OPEN_TO_SEE = ("PYTHONPATH", "PYTHONWARNINGS", "RAY_TRAIN_")  # read before any function of ours runs
HALVES = ("AWS_ACCESS_KEY_ID", "MLFLOW_TRACKING_USERNAME")  # of no use without the other
_HIDDEN_FROM: set[str] = set()  # clusters of which it was said that they get no credentials


def worker_environment() -> dict[str, str]:
    """The variables that every worker on this machine gets."""
    chosen = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    chosen |= state_variable(state_folder())  # a worker may start in another folder
    paths = [str(code.root()), *filter(None, [os.environ.get("PYTHONPATH")])]
    chosen["PYTHONPATH"] = os.pathsep.join(paths)
    chosen["PYTHONWARNINGS"] = os.environ.get("PYTHONWARNINGS", "ignore::FutureWarning")
    return chosen


def open_environment() -> dict[str, str]:
    """The part of it that anybody may see: it stands in Ray's logs and in its workers' command
    lines. On a cluster no place of this machine's code is in it.
    """
    away = ("PYTHONPATH",) if address.is_cluster() else ()
    return {
        name: value
        for name, value in worker_environment().items()
        if name.startswith(OPEN_TO_SEE) and name not in away
    }


def for_elsewhere() -> dict[str, str]:
    """The variables that mean the same on another machine: addresses, credentials, choices."""
    return {
        name: value
        for name, value in worker_environment().items()
        if name.startswith(PASSED_ON)
        and not value.startswith(("/", "~", "sqlite", "file:"))
        and not is_of_a_terminal(name)
    }


def open_part(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of the variables that are no password, token or key, and no half of a credential."""
    return {
        name: value for name, value in variables.items() if name not in HALVES and not is_secret(name, value)
    }


def for_cluster(place: str) -> tuple[dict[str, str], str | None]:
    """What may travel to a cluster in the clear, and the rest, sealed with its token; None when there
    is nothing secret, or no token to seal it with. The latter is said, once.
    """
    variables = for_elsewhere()
    clear = open_part(variables)
    hidden = {name: value for name, value in variables.items() if name not in clear}
    if not hidden:
        return clear, None
    if token.token() is not None:
        return clear, token.sealed(hidden)
    if address.is_this_machine(place):
        return variables, None
    if place not in _HIDDEN_FROM:
        _HIDDEN_FROM.add(place)
        print(
            f"refocus: warning: the Ray cluster has no token, so {', '.join(sorted(hidden))} stay here: its"
            f" nodes need credentials of their own. With a token ({token.MODE_VARIABLE}=token) they travel"
            " sealed",
            file=sys.stderr,
        )
    return clear, None


def local_hook() -> Callable[[], None]:
    """What gives a worker on this machine its variables."""
    variables = worker_environment()

    def give() -> None:
        os.environ.update(variables)

    return give


def cluster_hook(place: str) -> Callable[[], None]:
    """What gives a node's worker its variables. Where the driver's own disk is at hand, as on a cluster
    of one machine, its folders are used; elsewhere the node's own.
    """
    clear, rest = for_cluster(place)
    folder, host = state_folder(), socket.gethostname()
    here = {name: value for name, value in worker_environment().items() if name.startswith(PASSED_ON)}
    here = {name: value for name, value in open_part(here).items() if name not in clear}

    def give() -> None:
        # By value: what is imported is imported on the node, from the run's own package.
        import os
        import pathlib
        import socket

        from components.services.cluster.given import settle_own_folder, take

        if socket.gethostname() == host and pathlib.Path(folder).is_dir():
            os.environ.update(here)
        settle_own_folder()
        take(clear, rest)

    return give


def settle_own_folder() -> None:
    """Give this process the state folder of the machine that it is on, where nobody chose one."""
    for name, value in state_variable(Path("~/.refocus").expanduser()).items():
        os.environ.setdefault(name, value)


def take(clear: Mapping[str, str], rest: str | None) -> None:
    """Put variables that came here into this process; what the node has been given by those who run it
    stays where nothing came.
    """
    os.environ.update(clear)
    if rest is not None:
        os.environ.update(token.opened(rest))
