"""A service of the team stands still for 20 s in mid-run: the run goes on when it is back, or ends
with a clear word and the next one completes; nothing is left running.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from night import OVER, Night, night, photos_to_store, rays
from processes import children_of, wait_for

from infra.team.fence import is_possible
from infra.team.process import Service
from infra.team.stack import Stack

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(not is_possible(), reason="no network namespace can be made here"),
]
STOPPED_S = 20


@contextmanager
def standing_still(service: Service) -> Iterator[None]:
    """A service that neither answers nor closes its connections."""
    process = psutil.Process(service.pid)
    family = [process, *children_of(process)]
    for each in family:
        each.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for each in reversed(family):
            each.send_signal(signal.SIGCONT)


@pytest.fixture
def at_work(team: Stack, tmp_path: Path) -> Iterator[Night]:
    """A worker whose recipe trains for about a minute on an idle machine."""
    photos_to_store(tmp_path / "photos" / "tiny")
    made = night(tmp_path / "stopped" / "clone", team, images=4800)
    yield made
    made.worker.stop()


def test_a_run_outlives_each_service_standing_still_for_20_s_or_the_next_completes(
    at_work: Night, team: Stack
) -> None:
    run = at_work.run()
    assert run.says(r"train .*\d+% .*images"), run.words[-4000:]
    stopped = []
    for service in (team.mlflow, team.s3, team.postgres):
        if run.state["type"] in OVER:
            break
        with standing_still(service):
            time.sleep(STOPPED_S)
        stopped.append(service.name)
    state = run.to_its_end()
    assert stopped[:1] == [team.mlflow.name]
    if state["type"] != "COMPLETED":
        assert state["type"] == "FAILED"
        assert "Traceback" not in (state["message"] or "")
        again = at_work.run()
        assert again.to_its_end()["type"] == "COMPLETED", again.words[-4000:]
    assert run.says("registered     tiny version") or state["type"] != "COMPLETED"

    jobs = rays(team, "/api/jobs/")
    assert {job["status"] for job in jobs} <= {"SUCCEEDED", "FAILED", "STOPPED"}
    at_work.worker.stop()
    root = str(at_work.clone.root)
    assert wait_for(
        lambda: (
            not [each for each in psutil.process_iter(["cwd"]) if (each.info["cwd"] or "").startswith(root)]
        ),
        30,
    )
    alive = [
        actor["class_name"]
        for actor in rays(team, "/api/v0/actors?detail=1")["data"]["result"]["result"]
        if actor["state"] != "DEAD"
        and actor["class_name"] in ("RayTrainWorker", "JobSupervisor", "TrainController")
    ]
    assert alive == []
