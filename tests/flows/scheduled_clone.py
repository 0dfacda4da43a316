"""A clone whose runs a Prefect server schedules, and what its tests ask that server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
from processes import wait_for
from tiny_clone import TINY, Clone, photos_into

RECIPE = TINY.replace("images: 480", "images: 32").replace(
    "  load_test: false\n", "  load_test: false\n  approval: person\n"
)
LONG = RECIPE.replace("images: 16,", "images: 1600000,")
SCHEDULE = """
recipes:
  tiny: {watch: true, photos: PHOTOS}
watch: {every_s: 10, settled_s: 4}
alarms: {dead_after_s: DEAD, cancel_within_s: 60, waiting_s: WAITING, notify: NOTIFY}
retry_after_s: []
"""
# Asks Prefect's server; started in a process of its own, since Prefect reads its settings at import.
ASK = """
import json, sys
from prefect.client.orchestration import get_client
what, *words = sys.argv[1:]
with get_client(sync_client=True) as client:
    if what == "start":
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
        """Runs that have begun, newest first; asked without Prefect, whose import takes a second."""
        begun = {"state": {"type": {"not_any_": ["SCHEDULED", "PENDING"]}}}
        asked = {"sort": "START_TIME_DESC", "limit": 200, "flow_runs": begun}
        flows = {each["id"]: each["name"] for each in self.api("flows/filter", {"limit": 200})}
        return [
            {"id": run["id"], "name": run["name"], "state": run["state_name"]}
            for run in self.api("flow_runs/filter", asked)
            if run["start_time"] and flow in ("", flows[run["flow_id"]])
        ]

    def api(self, place: str, body: dict[str, Any] | None) -> Any:
        """What the server answers to a question; without a body it is a GET."""
        address = f"{self.clone.environment['PREFECT_API_URL']}/{place}"
        data = None if body is None else json.dumps(body).encode()
        question = urllib.request.Request(address, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(question, timeout=120) as answer:
            return json.loads(answer.read())

    def artifacts(self, run_id: str) -> dict[str, Any]:
        """What a run left on Prefect's page, by key."""
        asked = {"artifacts": {"flow_run_id": {"any_": [run_id]}}, "limit": 200}
        return {each["key"]: each["data"] for each in self.api("artifacts/filter", asked)}

    def looks(self) -> set[str]:
        """The watcher's runs that came to their end."""
        return {run["id"] for run in self.runs("watch") if run["state"] == "Completed"}

    def run(self, run_id: str) -> dict[str, Any]:
        return next((run for run in self.runs(flow="") if run["id"] == run_id), {"state": "none"})

    def until(self, what: Callable[[], Any], seconds: float = 800) -> Any:
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
        self,
        dead_after_s: int = 600,
        *,
        watch: bool = True,
        notify: str = "null",
        waiting_s: int = 3600,
        check: int = 0,
    ) -> str:
        """What `refocus deploy` says of a new schedule."""
        text = SCHEDULE.replace("PHOTOS", str(self.photos)).replace("DEAD", str(dead_after_s))
        text = text.replace("NOTIFY", notify).replace("WAITING", str(waiting_s))
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


def commit_recipe(team: Team, text: str) -> None:
    (team.clone.root / "components" / "recipes" / "tiny.yaml").write_text(text)
    team.clone.git("commit", "--allow-empty", "-qam", "another recipe")


def dark_photos_into(folder: Path) -> None:
    """The same photos as at dusk, with a small sensor's noise."""
    import numpy as np
    from skimage import io

    photos_into(folder)
    random = np.random.default_rng(7)
    for path in sorted(folder.rglob("*.png")):
        dark = io.imread(path) * 0.2 + random.normal(0, 12, io.imread(path).shape) + 12
        io.imsave(path, dark.clip(0, 255).astype(np.uint8), check_contrast=False)
