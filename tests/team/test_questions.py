"""The small programs that containers run beside the services: health checks by the API, tables made and
brought up to date.
"""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from infra.team.postgres import Postgres
from infra.team.process import CHECKOUT, base_environment
from infra.team.stack import Stack

pytestmark = pytest.mark.services
WRONG = {
    "mlflow": {"MLFLOW_TRACKING_PASSWORD": "guessed"},
    "prefect": {"PREFECT_API_AUTH_STRING": "team:guessed"},
    "ray": {"RAY_AUTH_TOKEN": "0" * 64},
    "s3": {"AWS_SECRET_ACCESS_KEY": "guessed"},
}


def run(module: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"infra.team.{module}", *words],
        env=base_environment() | variables,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("service", sorted(WRONG))
def test_a_health_check_says_yes_with_the_teams_credentials_and_no_with_others(
    team: Stack, service: str
) -> None:
    given = team.client_variables()
    asked = run("ask", service, **given)
    assert (asked.returncode, asked.stdout) == (0, "200\n"), asked.stderr
    asked = run("ask", service, **(given | WRONG[service]))
    assert asked.returncode == 1
    assert asked.stdout in ("401\n", "403\n"), asked.stderr


def test_mlflows_tables_are_made_where_there_are_none_and_else_brought_up_to_date(
    postgres: Postgres,
) -> None:
    with psycopg.connect(postgres.address("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE fresh")
    address = postgres.address("fresh", "postgresql+psycopg")
    for said in ("made", "up to date"):
        done = run("tables", MLFLOW_BACKEND_STORE_URI=address)
        assert (done.returncode, done.stdout) == (0, f"MLflow's tables are {said}\n"), done.stderr
