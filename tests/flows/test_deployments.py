"""infra/prefect.yaml against Prefect's own models and our flows. Prefect is imported in a process
of its own: it warns at import.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import recipes

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "infra" / "prefect.yaml").read_text())[
    "deployments"
]
CHECK = """
import sys, yaml
from prefect.cli.deploy._models import ConcurrencyLimitSpec, PrefectYamlModel, RawScheduleConfig
from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.flows import load_flow_from_entrypoint
plain = yaml.safe_load(open("infra/prefect.yaml"))
model = PrefectYamlModel.model_validate(plain)
for deployment, raw in zip(model.deployments, plain["deployments"], strict=True):
    assert isinstance(deployment.concurrency_limit, ConcurrencyLimitSpec), deployment.name
    ConcurrencyLimitStrategy(deployment.concurrency_limit.collision_strategy)
    assert all(isinstance(schedule, RawScheduleConfig) for schedule in deployment.schedules), deployment.name
    flow = load_flow_from_entrypoint(deployment.entrypoint)
    unknown = set(deployment.parameters) - set(flow.parameters.properties)
    assert not unknown, unknown
    if "recipe" in deployment.parameters:
        flow.validate_parameters(deployment.parameters)
print(len(model.deployments))
"""


@pytest.mark.services
def test_prefect_reads_every_deployment_and_finds_its_flow(tmp_path: Path) -> None:
    for name in ("components", "flows", "infra"):
        (tmp_path / name).symlink_to(ROOT / name)  # Prefect reads an .env where it is started
    environment = {
        **os.environ,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", CHECK],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) == len(DEPLOYMENTS)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_each_has_one_slot_and_lets_the_next_run_wait(deployment: dict[str, Any]) -> None:
    assert deployment["concurrency_limit"]["limit"] == 1
    assert deployment["concurrency_limit"]["collision_strategy"] == "ENQUEUE"


@pytest.mark.parametrize(
    "deployment",
    [each for each in DEPLOYMENTS if each["schedules"]],
    ids=lambda deployment: deployment["name"],
)
def test_a_scheduled_run_has_a_recipe_that_exists_and_a_worktree_of_its_own(
    deployment: dict[str, Any],
) -> None:
    assert deployment["parameters"]["recipe"] in recipes.names()
    assert deployment["parameters"]["worktree"] is True
