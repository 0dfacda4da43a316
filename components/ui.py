"""`refocus ui`: MLflow's page of all runs, for one person on this machine."""

from __future__ import annotations

import os
import subprocess
import sys

from components import tracking, versioning


def serve(port: int) -> int:
    """Serve the page until Ctrl-C, or say where it is when the runs are on a server; gives the exit code. Ends every process it started."""
    tracking.prepare()
    address = tracking.tracking_uri()
    if address.startswith("http"):
        print(f"the runs are on the MLflow server at {address}: open it in a browser")
        return 0
    print(f"MLflow's page: http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    words = ["server", "--backend-store-uri", address, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # One page for one person: MLflow's job runners (its judges and schedulers) are eight processes that nobody here needs.
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words], env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}, start_new_session=True
    )
    try:
        return server.wait()
    finally:
        versioning.end_tree(server.pid, patience_s=3)
