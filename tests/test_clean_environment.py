"""Tests say the same in whatever state a user has the clone and the shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bundled import CLONE
from clean_environment import leave_out_the_users

USERS = {
    "REFOCUS_HOME": "/nowhere",
    "REFOCUS_PHOTOS": "s3://team/photos",
    "MLFLOW_TRACKING_URI": "http://mlflow.example",
    "PREFECT_API_URL": "http://prefect.example/api",
    "RAY_ADDRESS": "ray://ray.example:10001",
    "AWS_ACCESS_KEY_ID": "real",
    "AWS_ENDPOINT_URL_S3": "http://s3.example",
    "DVC_EXP_NAME": "mine",
    "GIT_DIR": "/nowhere/.git",
    "GIT_INDEX_FILE": "/nowhere/index",
    "XDG_CONFIG_HOME": "/nowhere/config",
    "TORCH_HOME": "/nowhere/torch",
    "PYTHONDONTWRITEBYTECODE": "1",
    "http_proxy": "http://proxy.example:3128",
    "HTTPS_PROXY": "http://proxy.example:3128",
    "no_proxy": "example",
}


@pytest.mark.parametrize("name", USERS)
def test_a_users_variable_does_not_reach_a_test(name: str, tmp_path: Path) -> None:
    environment = {"PATH": "/bin", "HOME": "/home/ann", **USERS}
    leave_out_the_users(environment, tmp_path)
    assert name not in environment
    assert environment["PATH"] == "/bin"
    assert environment["HOME"] == str(tmp_path)


def test_every_test_gets_it_and_what_it_starts_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import conftest, json, os; print(json.dumps(dict(os.environ)))"],
        cwd=CLONE / "tests",
        env={**os.environ, "PYTHONPATH": str(CLONE), **USERS},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(done.stdout)) & set(USERS) == set()


@pytest.mark.parametrize(("processes", "threads"), [("gw0", "1"), (None, None)])
def test_processes_side_by_side_have_one_thread_each(
    processes: str | None, threads: str | None, tmp_path: Path
) -> None:
    environment = {"PATH": "/bin"} | ({"PYTEST_XDIST_WORKER": processes} if processes else {})
    leave_out_the_users(environment, tmp_path)
    assert environment.get("OMP_NUM_THREADS") == threads


def test_no_test_walks_over_the_recipes_that_lie_in_the_clone() -> None:
    # Its own recipes are compared with the bundled ones, and a team's deployments name a team's.
    allowed = {"test_dvc_yaml.py", "test_deployments.py", "test_clean_environment.py"}
    walking = [
        path.name
        for path in (CLONE / "tests").rglob("*.py")
        if re.search(r"recipes\.names\((ROOT|root=ROOT)?\)", path.read_text())
    ]
    assert set(walking) <= allowed
