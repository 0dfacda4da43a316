"""Runs that nobody starts: a real Prefect server with its scheduler, a real worker, a clone of this
checkout, one after another as a team would live through them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect_stack import prefect_server, worker
from processes import wait_for
from tiny_clone import TINY, Clone, clone_into, photos_into

pytestmark = pytest.mark.services

RECIPE = TINY.replace("images: 480", "images: 32").replace(
    "  load_test: false\n", "  load_test: false\n  approval: person\n"
)
LONG = RECIPE.replace("images: 16,", "images: 1600000,")
SCHEDULE = """
recipes:
  tiny: {watch: true, photos: PHOTOS}
watch: {every_s: 10, settled_s: 4}
alarms: {dead_after_s: DEAD, cancel_within_s: 60, notify: NOTIFY}
retry_after_s: []
"""
# Asks Prefect's server; started in a process of its own, since Prefect reads its settings at import.
ASK = """
import json, sys
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.sorting import FlowRunSort
what, *words = sys.argv[1:]
with get_client(sync_client=True) as client:
    if what == "runs":
        begun = {"state": {"type": {"not_any_": ["SCHEDULED", "PENDING"]}}}
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate(begun), sort=FlowRunSort.START_TIME_DESC, limit=200
        )
        found = [run for run in found if run.start_time]
        names = {flow: client.read_flow(flow).name for flow in {run.flow_id for run in found}}
        told = [
            {
                "id": str(run.id), "name": run.name, "flow": names[run.flow_id], "state": run.state.name,
                "message": run.state.message, "parameters": run.parameters,
            }
            for run in found
        ]
        print(json.dumps(told))
    elif what == "start":
        name, parameters = words
        deployment = client.read_deployment_by_name(name)
        print(client.create_flow_run_from_deployment(deployment.id, parameters=json.loads(parameters)).id)
    elif what == "resume":
        answer = client.resume_flow_run(words[0], run_input=json.loads(words[1]))
        print(answer.status.value, getattr(answer.details, "reason", ""))
    elif what == "deployments":
        from prefect.client.schemas.sorting import DeploymentSort
        told = {
            f"{client.read_flow(each.flow_id).name}/{each.name}": {
                "id": str(each.id), "schedules": len(each.schedules), "parameters": each.parameters,
                "limit": each.concurrency_options and [
                    each.global_concurrency_limit.limit, each.concurrency_options.collision_strategy.value
                ],
            }
            for each in client.read_deployments(sort=DeploymentSort.NAME_ASC, limit=50)
        }
        print(json.dumps(told))
    elif what == "beat":
        from prefect.events import emit_event
        emit_event(
            "prefect.flow-run.heartbeat",
            resource={"prefect.resource.id": f"prefect.flow-run.{words[0]}"},
            related=[{"prefect.resource.id": "prefect.tag.refocus", "prefect.resource.role": "tag"}],
        )
    elif what == "block":
        from prefect.blocks.notifications import CustomWebhookNotificationBlock
        CustomWebhookNotificationBlock(
            name="team", url=words[0], method="POST", json_data={"text": "{{subject}}: {{body}}"}
        ).save("team", overwrite=True)
    elif what == "cancel":
        from prefect.states import Cancelling
        client.set_flow_run_state(words[0], Cancelling())
"""


@dataclass(frozen=True)
class Team:
    """A server's address, a clone with its worker's environment, photos outside of it."""

    clone: Clone
    photos: Path
    worker: subprocess.Popen[bytes]

    def ask(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", ASK, *words],
            env=self.clone.environment,
            cwd=self.clone.root.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    def runs(self, flow: str = "retrain") -> list[dict[str, Any]]:
        """Runs that have begun, newest first."""
        return [run for run in json.loads(self.ask("runs")) if run["flow"] == flow]

    def looks(self) -> set[str]:
        """The watcher's runs that came to their end."""
        return {run["id"] for run in self.runs("watch") if run["state"] == "Completed"}

    def run(self, run_id: str) -> dict[str, Any]:
        return next((run for run in json.loads(self.ask("runs")) if run["id"] == run_id), {"state": "none"})

    def until(self, what: Callable[[], Any], seconds: float = 400) -> Any:
        """Wait until it gives something."""
        found: list[Any] = []

        def look() -> bool:
            time.sleep(0.5)
            found.append(what())
            return bool(found[-1])

        log = self.clone.root / ".refocus" / "worker.log"
        assert wait_for(look, seconds), log.read_text()[-6000:] if log.is_file() else "no worker"
        return found[-1]

    def ended(self, run_id: str) -> dict[str, Any]:
        """A run once it has ended, or rests."""
        over = ("Completed", "Failed", "Crashed", "Cancelled", "Suspended")
        return dict(self.until(lambda: (run := self.run(run_id))["state"] in over and run))

    def deploy(
        self, dead_after_s: int = 600, *, watch: bool = True, notify: str = "null", check: int = 0
    ) -> str:
        """What `refocus deploy` says of a new schedule."""
        text = SCHEDULE.replace("PHOTOS", str(self.photos)).replace("DEAD", str(dead_after_s))
        text = text.replace("NOTIFY", notify)
        text = text if watch else text.replace("watch: true", "watch: false")
        (self.clone.root / "infra").mkdir(exist_ok=True)
        (self.clone.root / "infra" / "schedule.yaml").write_text(text)
        done = self.clone.refocus("deploy", check=check)
        return done.stdout + done.stderr

    def python(self, code: str) -> str:
        """What our own code says in the clone."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.clone.root,
            env=self.clone.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    def history(self) -> list[str]:
        """What was decided about the model, in order."""
        return [line.split()[2] for line in self.clone.refocus("history", "tiny").stdout.splitlines()]

    def kill_all(self) -> None:
        """What a power cut does to a worker's machine."""
        root = str(self.clone.root)
        while family := [
            each for each in psutil.process_iter(["cwd"]) if str(each.info["cwd"]).startswith(root)
        ]:
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def worktrees(self) -> list[Path]:
        return list((self.clone.root / ".refocus" / "worktrees").glob("*"))


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    with ExitStack() as held:
        api = held.enter_context(prefect_server(folder / "server"))
        clone = clone_into(folder / "clone")
        (clone.root / "components" / "recipes" / "tiny.yaml").write_text(RECIPE)
        graph = clone.root / "dvc.yaml"  # one recipe is enough to deploy
        lines = graph.read_text().splitlines()
        graph.write_text(
            "\n".join("  - recipes: [tiny]" if "recipes: [" in line else line for line in lines) + "\n"
        )
        clone.git("commit", "-qam", "a person decides")
        clone.environment.update(
            {
                "PREFECT_API_URL": api,
                "PREFECT_HOME": str(folder / "client"),
                "PREFECT_WORKER_QUERY_SECONDS": "1",
                "DO_NOT_TRACK": "1",
            }
        )
        yield Team(clone, folder / "photos", held.enter_context(worker(clone)))


@pytest.fixture(scope="module")
def burst(team: Team) -> Team:
    """Photos come one after another while the watcher looks; then its first run has ended."""
    team.deploy()
    once = team.photos.with_name("all")
    photos_into(once)
    for path in sorted(path for path in once.rglob("*") if path.is_file()):
        place = team.photos / path.relative_to(once)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
        time.sleep(0.6)
    team.until(lambda: [run for run in team.runs() if run["state"] == "Completed"])
    return team


def test_deploying_again_changes_nothing(burst: Team) -> None:
    before = burst.ask("deployments")
    assert "retrain/tiny: when its photos change\n" in burst.deploy()
    assert burst.ask("deployments") == before
    assert json.loads(before)["retrain/tiny"]["limit"] == [1, "ENQUEUE"]


def test_a_burst_of_uploads_becomes_one_retraining(burst: Team) -> None:
    before = burst.looks()
    burst.until(lambda: len(burst.looks() - before) > 1)
    burst.deploy(watch=False)
    assert [run["state"] for run in burst.runs()] == ["Completed"]
    assert burst.worktrees() == []


def test_a_scheduled_run_with_nothing_new_knows_it_before_a_worktree_is_made(burst: Team) -> None:
    run = burst.ended(burst.ask("start", "retrain/tiny", "{}"))
    assert run["state"] == "Completed"
    assert "nothing to do for tiny: commit" in (burst.clone.root / ".refocus" / "worker.log").read_text()


def test_a_person_approves_on_prefects_page_and_nobody_without_an_answer(burst: Team) -> None:
    asking = burst.until(lambda: [run for run in burst.runs("approve") if run["state"] == "Suspended"])[0]
    assert asking["name"] == "approve-tiny-1"
    assert burst.history() == ["ask"]
    refused = burst.ask("resume", asking["id"], "{}")
    assert refused.startswith("REJECT")
    answer = {"decision": "approve", "reason": "sharper at night", "by": "Ada"}
    assert burst.ask("resume", asking["id"], json.dumps(answer)).startswith("ACCEPT")
    burst.until(lambda: burst.run(asking["id"])["state"] == "Completed")
    assert burst.history() == ["ask", "approve"]
    told = burst.clone.refocus("history", "tiny").stdout.splitlines()[1]
    assert "Ada on Prefect's page" in told
    assert "sharper at night" in told


def test_promoting_after_scheduled_runs_takes_the_report_from_git_and_dvc(burst: Team) -> None:
    assert not (burst.clone.root / "data" / "tiny" / "report").exists()
    done = burst.clone.refocus("promote", "tiny", "1")
    assert "approved by Ada" in done.stdout
    assert burst.worktrees() == []


@contextmanager
def webhook(heard: list[str]) -> Iterator[str]:
    """An address on this machine that keeps what it is told."""

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Not said."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            serving.join()


def test_a_run_that_failed_is_told_of_by_the_notification_block(burst: Team) -> None:
    heard: list[str] = []
    refused = burst.deploy(watch=False, notify="slack-webhook/gone", check=2)
    assert "has no block gone of the type slack-webhook" in refused
    with webhook(heard) as address:
        burst.ask("block", address)
        assert "automation refocus refocus: tell of failures" in burst.deploy(
            watch=False, notify="custom-webhook/team"
        )
        run_id = burst.ask("start", "promote/promote", '{"name": "nobody"}')
        assert burst.ended(run_id)["state"] == "Failed"
        burst.until(lambda: heard)
    assert "refocus: a run failed" in heard[0]
    assert 'no recipe registers a model \\"nobody\\"' in heard[0]


def commit_recipe(team: Team, text: str) -> None:
    (team.clone.root / "components" / "recipes" / "tiny.yaml").write_text(text)
    team.clone.git("commit", "--allow-empty", "-qam", "another recipe")


def at_work(team: Team) -> str:
    """Start a run that has something to do; gives its id once its training is under way."""
    commit_recipe(team, LONG)
    run_id = team.ask("start", "retrain/tiny", "{}")
    team.until(lambda: TRAINING in team.python(RUNNING))
    return run_id


TRAINING = "RUNNING"
# The states of the trainings in MLflow, newest first.
RUNNING = """
from components.core.files import settle_state_folder
from pathlib import Path
settle_state_folder(Path.cwd())
from components.services.tracking import store
client = store.client()
found = client.search_runs([client.get_experiment_by_name("refocus").experiment_id])
print(*[run.info.status for run in found])
"""


def test_a_run_cancelled_on_prefects_page_ends_everywhere(burst: Team) -> None:
    run_id = at_work(burst)
    burst.ask("cancel", run_id)
    assert burst.ended(run_id)["state"] == "Cancelled"
    assert burst.python(RUNNING).split()[0] == "KILLED"
    assert burst.until(lambda: not burst.worktrees())


def test_a_run_whose_machine_died_is_crashed_and_the_next_one_goes_on(burst: Team) -> None:
    commit_recipe(burst, LONG)
    run_id = burst.ask("start", "retrain/tiny", "{}")
    burst.until(burst.worktrees)
    burst.kill_all()
    assert len(burst.worktrees()) == 1
    commit_recipe(burst, RECIPE)
    after = burst.ask("start", "retrain/tiny", "{}")
    burst.deploy(dead_after_s=12, watch=False)
    burst.ask("beat", run_id)  # its last, a moment before; a living one beats every 180 s
    assert burst.ended(run_id)["state"] == "Crashed"
    burst.deploy(watch=False)
    with worker(burst.clone):
        assert burst.ended(after)["state"] == "Completed"
    assert burst.worktrees() == []
