"""A team's checkout, as the worker has it: a clone with the recipe `tiny`, its photos and its DVC remote in
the store; and a scheduled run there, started and followed by Prefect's API alone.
"""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import yaml

from components.core.records import Checkpoint
from infra.team.prefect_server import PrefectWorker
from infra.team.process import TeamError
from infra.team.stack import Stack

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "flows"))
from tiny_clone import TINY, Clone, clone_into, photos_into

OVER = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
PHOTOS = "s3://photos/tiny"
SCHEDULE = """
retry_after_s: [5, 10, 20]
recipes:
  tiny: {}
"""


def recipe(images: int = 480, workers: int = 2) -> str:
    """The recipe `tiny` on the team's photos, trained by that many workers; a long one validates ten times,
    as each of its states waits for Ray to look (every 2 s).
    """
    text = TINY.replace("photos: photos", f"photos: {PHOTOS}").replace("images: 480", f"images: {images}")
    text = text.replace("validate_every: 160", f"validate_every: {max(160, images // 10)}")
    return text.replace("  workers: 0\n", f"  workers: {workers}\n  placement: spread\n")


@dataclass
class Night:
    """The clone, and the worker that runs it."""

    stack: Stack
    clone: Clone
    worker: PrefectWorker
    runs: list[Followed] = field(default_factory=list)

    def ask(self, path: str, content: dict[str, Any] | None = None) -> Any:
        """Prefect's answer."""
        return prefect(self.stack, path, content)

    def run(self, name: str = "retrain/tiny") -> Followed:
        """Start the deployment's run, as its schedule would."""
        deployment = self.ask(f"/deployments/name/{name}")
        made = self.ask(f"/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
        self.runs.append(Followed(self.stack, made["id"]))
        return self.runs[-1]


@dataclass
class Followed:
    """One run, as Prefect's API tells of it."""

    stack: Stack
    id: str

    @property
    def state(self) -> dict[str, Any]:
        run = prefect(self.stack, f"/flow_runs/{self.id}")
        return dict(run["state"] or {"type": "PENDING", "message": None})

    def to_its_end(self, seconds: float = 800) -> dict[str, Any]:
        """Its last state."""
        until = time.monotonic() + seconds
        while (state := self.state)["type"] not in OVER:
            if time.monotonic() > until:
                raise AssertionError(f"it is {state['type']} after {seconds} s\n{self.words[-4000:]}")
            time.sleep(0.5)
        return state

    def says(self, pattern: str, seconds: float = 600) -> bool:
        """Whether its log gets a line of that pattern: while it runs, or soon after, as its last lines
        come after its end.
        """
        until = time.monotonic() + seconds
        while not re.search(pattern, self.words):
            if self.state["type"] in OVER:
                until = min(until, time.monotonic() + 15)
            if time.monotonic() > until:
                return False
            time.sleep(0.3)
        return True

    @property
    def words(self) -> str:
        """What it logged."""
        found: list[str] = []
        while True:
            page = prefect(
                self.stack,
                "/logs/filter",
                {
                    "logs": {"flow_run_id": {"any_": [self.id]}},
                    "limit": 200,
                    "offset": len(found),
                    "sort": "TIMESTAMP_ASC",
                },
            )
            found += [line["message"] for line in page]
            if len(page) < 200:
                return "\n".join(found)


def prefect(stack: Stack, path: str, content: dict[str, Any] | None = None) -> Any:
    """Ask Prefect's API, with the team's login."""
    import base64

    asked = urllib.request.Request(stack.prefect.address + path)
    login = base64.b64encode(stack.credentials.prefect_login.encode()).decode()
    asked.add_header("Authorization", f"Basic {login}")
    if content is not None:
        asked.add_header("Content-Type", "application/json")
        asked.data = json.dumps(content).encode()
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=60) as answer:
        return json.load(answer)


def rays(stack: Stack, path: str) -> Any:
    """What Ray's page tells to whoever has the token."""
    asked = urllib.request.Request(
        stack.nodes[0].address + path, headers={"Authorization": f"Bearer {stack.credentials.ray_token}"}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=60) as answer:
        return json.load(answer)


def weights_md5(clone: Clone) -> str:
    """The MD5 of the weights of the clone's last run, as its kept dvc.lock and the team's DVC remote say."""
    last = clone.git("for-each-ref", "--format=%(refname)", "refs/refocus/runs").splitlines()[-1]
    lock = yaml.safe_load(clone.git("show", f"{last}:dvc.lock"))
    (folder,) = [
        out["md5"]
        for out in lock["stages"]["train@tiny"]["outs"]
        if out["path"].endswith("/checkpoint") or "checkpoint" in out["path"]
    ]
    client = boto3.session.Session().client("s3")
    listed = client.get_object(Bucket="dvc", Key=f"tiny/files/md5/{folder[:2]}/{folder[2:]}")["Body"].read()
    (weights,) = [each["md5"] for each in json.loads(listed) if each["relpath"] == Checkpoint.WEIGHTS]
    return str(weights)


def photos_to_store(folder: Path) -> None:
    """Lay the test photos into the team's bucket."""
    photos_into(folder)
    client = boto3.session.Session().client("s3")
    for path in sorted(folder.rglob("*.png")):
        client.upload_file(str(path), "photos", f"tiny/{path.relative_to(folder).as_posix()}")


def lonely_clone(root: Path, stack: Stack, **chosen: int) -> Clone:
    """The same recipe and photos on one machine: of the team's services it has the store's photos only."""
    clone = team_clone(root, stack, **chosen)
    kept = stack.s3.client_variables()
    for name in set(stack.client_variables()) - set(kept):
        del clone.environment[name]
    return clone


def team_clone(root: Path, stack: Stack, **chosen: int) -> Clone:
    """A clone whose recipe, photos and DVC remote are the team's, committed."""
    clone = clone_into(root)
    clone.environment.update(stack.client_variables())
    (root / "components" / "recipes" / "tiny.yaml").write_text(recipe(**chosen))
    (root / "infra").mkdir()
    (root / "infra" / "schedule.yaml").write_text(SCHEDULE)
    config = root / ".dvc" / "config"
    config.write_text(config.read_text().replace("url = ../.refocus/dvc-remote", "url = s3://dvc/tiny"))
    clone.git("add", "-A")
    clone.git("commit", "-qm", "the team's recipe, photos and remote")
    return clone


def night(root: Path, stack: Stack, **chosen: int) -> Night:
    """A clone with its deployments made and a worker waiting."""
    clone = team_clone(root, stack, **chosen)
    clone.refocus("deploy", "tiny")
    worker = PrefectWorker(
        stack.folder / f"worker-{root.name}",
        stack.prefect,
        stack.credentials.prefect_login,
        lambda: {**clone.environment, "PREFECT_WORKER_QUERY_SECONDS": "1"},
        checkout=root,
    )
    worker.start()
    until = time.monotonic() + 120
    while not worker.ready():
        if time.monotonic() > until:
            raise TeamError(f"the worker does not answer: {worker.last_words()}")
        time.sleep(0.2)
    return Night(stack, clone, worker)
