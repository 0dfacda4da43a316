"""`refocus ui`: MLflow's page of all runs, for one person on this machine."""

from __future__ import annotations

import os
import subprocess
import sys

from components.core.addresses import shown
from components.core.ports import LOOPBACK, address_of, need_port
from components.core.surroundings import for_others
from components.services import tracking, versioning


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
    print(f"MLflow's page: {address_of(LOOPBACK, port)} in some seconds (Ctrl-C ends it)", flush=True)
    words = ["server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"]
    # One page for one person: MLflow's job runners (its judges and schedulers) are eight processes
    # that nobody here needs.
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words],
        env={
            **for_others(os.environ),
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
