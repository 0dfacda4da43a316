"""A scheduled run on the team's services, whole: taken by a worker from Prefect's queue, photos and pairs and
states through the store, trained on a cluster whose nodes share no folder, promoted on the MLflow server.
What it leaves is then looked through.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from marks import Marks
from night import Night, lonely_clone, night, photos_to_store, rays, weights_md5

from components.core.records import Checkpoint
from infra.team.fence import is_possible
from infra.team.s3 import BUCKETS
from infra.team.stack import Stack

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(not is_possible(), reason="no network namespace can be made here"),
]


@pytest.fixture(scope="module")
def done(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """A night on which the scheduled run came to its end, and ran a second time."""
    with pytest.MonkeyPatch.context() as patch:
        for _ in stack.start(stack.mlflow, stack.prefect, *stack.nodes):
            pass
        for name, value in stack.client_variables().items():
            patch.setenv(name, value)
        photos_to_store(tmp_path_factory.mktemp("photos") / "tiny")
        made = night(tmp_path_factory.mktemp("night") / "clone", stack)
        try:
            for _ in range(2):
                made.run().to_its_end()
            yield made
        finally:
            made.worker.stop()


def test_a_scheduled_run_goes_from_photos_to_a_promoted_version(done: Night) -> None:
    first = done.runs[0]
    assert first.state["type"] == "COMPLETED", first.words[-6000:]
    assert "registered     tiny version 1" in first.words
    assert "promoted" in first.words


def test_the_second_has_nothing_to_do(done: Night) -> None:
    second = done.runs[1]
    assert second.state["type"] == "COMPLETED", second.words[-6000:]
    assert second.says("nothing to do for tiny")


def test_it_was_trained_on_two_nodes_that_see_neither_the_drivers_folders_nor_each_others(
    done: Night, team: Stack
) -> None:
    actors = rays(team, "/api/v0/actors?detail=1")["data"]["result"]["result"]
    nodes = {each["node_id"] for each in actors if each["class_name"] == "RayTrainWorker"}
    assert len(nodes) == 2
    for node, other in (team.nodes, reversed(team.nodes)):
        seen = Path(f"/proc/{node.pid}/root")
        assert (seen / "proc" / "self").exists(), "the view can be looked at"
        for hidden in (done.clone.root, other.folder):
            assert any(hidden.iterdir())
            mine = seen / hidden.relative_to("/")
            assert not mine.exists() or not any(mine.iterdir())


def test_the_weights_are_those_of_one_machine_with_as_many_workers(
    done: Night, team: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alone = lonely_clone(tmp_path_factory.mktemp("alone") / "clone", team)
    for stage in ("ingest", "synthesize", "train"):
        alone.refocus(stage, "tiny")
    (weights,) = (alone.root / "data").rglob(Checkpoint.WEIGHTS)
    assert hashlib.md5(weights.read_bytes()).hexdigest() == weights_md5(done.clone)


def test_no_credential_is_left_in_any_place_that_others_read(done: Night, team: Stack) -> None:
    marks = Marks(team.credentials)
    found = [
        *marks.in_files(done.clone.root),
        *marks.in_files(team.folder),
        *marks.in_files(team.ray_folder),
        *marks.in_git(done.clone.root),
        *marks.in_databases(team.postgres),
        *marks.in_store(BUCKETS),
    ]
    assert found == []


@pytest.mark.parametrize("path", ["/api/jobs/", "/api/v0/tasks?detail=1", "/api/v0/actors?detail=1",
                                  "/api/v0/workers?detail=1", "/api/v0/runtime_envs"])  # fmt: skip
def test_rays_page_tells_no_credential(done: Night, team: Stack, path: str) -> None:
    told = json.dumps(rays(team, path))
    assert len(told) > 2
    assert Marks(team.credentials).of(told) == []


def test_marks_are_found_where_they_are(team: Stack, tmp_path: Path) -> None:
    marks = Marks(team.credentials)
    (tmp_path / "log").write_text(f"Authorization: Basic {team.credentials.s3_secret_key}")
    (tmp_path / "token").write_text(team.credentials.ray_token)
    (tmp_path / "token").chmod(0o644)
    assert sorted(marks.in_files(tmp_path)) == [
        f"ray_token in {tmp_path / 'token'}",
        f"s3_secret_key in {tmp_path / 'log'}",
    ]
    (tmp_path / "token").chmod(0o600)
    assert len(marks.in_files(tmp_path)) == 1, "a private file may hold what it is for"
