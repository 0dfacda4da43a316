"""`refocus ui`: MLflow's page of all runs, for one person on this machine."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys

from components.core.addresses import shown
from components.core.errors import InputError
from components.services import tracking, versioning

HOST = "127.0.0.1"


def serve(port: int) -> int:
    """Serve the page until Ctrl-C, or say where it is when the runs are on a server; gives the exit
    code. Ends every process it started.

    Raises InputError when the port is none, or taken.
    """
    tracking.prepare()
    address = tracking.tracking_uri()
    if address.startswith("http"):
        print(f"the runs are on the MLflow server at {shown(address)}: open it in a browser")
        return 0
    need_port(port)
    print(f"MLflow's page: http://{HOST}:{port} in some seconds (Ctrl-C ends it)", flush=True)
    words = ["server", "--host", HOST, "--port", str(port), "--workers", "1"]
    # One page for one person: MLflow's job runners (its judges and schedulers) are eight processes
    # that nobody here needs.
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words],
        env={
            **os.environ,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_BACKEND_STORE_URI": address,  # not in the command line: it may hold a password
        },
        start_new_session=True,
    )
    try:
        return server.wait()
    except KeyboardInterrupt:  # how the page is closed: nothing was interrupted
        return 0
    finally:
        versioning.end_tree(server.pid, patience_s=3)


def need_port(port: int, host: str = HOST) -> None:
    """Raises InputError when nothing can listen on that port of this machine: before a server is
    started, which says so in forty lines.
    """
    if not 1 <= port <= 65535:
        raise InputError(f"--port {port} is no port; they go from 1 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as place:
        place.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the server does: a page just closed does not hold its port
        try:
            place.bind((host, port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise InputError(
                    f"--host {host} is no address of this machine ({error.strerror or error}); 127.0.0.1 is,"
                    " and 0.0.0.0 is all of them"
                ) from error
            raise InputError(
                f"port {port} of this machine cannot be had ({error.strerror or error}); close what listens"
                " there, or name another: --port"
            ) from error
