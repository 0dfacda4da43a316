"""Runs that nobody starts: a real Prefect server with its scheduler, a real worker, a clone of this
checkout, one after another as a team would live through them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from prefect_stack import prefect_server, worker
from scheduled_clone import LONG, RECIPE, Team, commit_recipe, dark_photos_into, webhook
from tiny_clone import clone_into, photos_into

pytestmark = pytest.mark.services


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
        remote = ["-m", "dvc", "remote", "add", "--local", "-d", "team", str(folder / "remote")]
        subprocess.run(
            [sys.executable, *remote], cwd=clone.root, env=clone.environment, check=True, capture_output=True
        )
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


@pytest.fixture(scope="module")
def approved(burst: Team) -> Team:
    """The first version was approved on Prefect's page."""
    asking = burst.until(lambda: [run for run in burst.runs("approve") if run["state"] == "Suspended"])[0]
    assert asking["name"] == "approve-tiny-1"
    assert burst.history() == ["ask"]
    refused = burst.ask("resume", asking["id"], "{}")
    assert refused.startswith("REJECT"), "nobody says yes without an answer"
    answer = {"decision": "approve", "reason": "sharper at night", "by": "Ada"}
    assert burst.ask("resume", asking["id"], json.dumps(answer)).startswith("ACCEPT")
    burst.until(lambda: burst.run(asking["id"])["state"] == "Completed")
    return burst


def test_a_person_approves_on_prefects_page_and_the_record_says_who_and_why(approved: Team) -> None:
    assert approved.history()[:2] == ["ask", "approve"]
    told = approved.clone.refocus("history", "tiny").stdout.splitlines()[1]
    assert "Ada on Prefect's page" in told
    assert "sharper at night" in told


def test_promoting_after_scheduled_runs_takes_the_report_from_git_and_dvc(approved: Team) -> None:
    assert not (approved.clone.root / "data" / "tiny" / "report").exists()
    assert "approved by Ada" in approved.clone.refocus("promote", "tiny", "1").stdout
    assert approved.worktrees() == []


# Two more versions that wait for a person, the second for a few seconds only.
TWO_MORE = """
from pathlib import Path
from components.core.files import settle_state_folder
settle_state_folder(Path.cwd())
from components.registry import approval, enact, turns
from components.registry.decision import recorded_on
from components.services import tracking
from components.services.tracking import store
source = store.client().get_model_version("tiny", "1").source
yes = recorded_on(tracking.get_version("tiny", 1))
for hours in (1, 15 / 3600):
    made = store.client().create_model_version("tiny", source, tags={tracking.STATUS: "pending"})
    about = {"version": int(made.version), "against": 1, "reason": None}
    with turns.turn("tiny", int(made.version), enact.finish) as turn:
        enact.carry_out(turn, approval.asking(yes.model_copy(update=about), hours))
    print(made.version)
"""
LAPSE = """
from pathlib import Path
from components.core.files import settle_state_folder
settle_state_folder(Path.cwd())
from components.registry import approval
approval.lapse_old("tiny")
"""


def test_one_is_rejected_by_command_and_one_lapses(approved: Team) -> None:
    numbers = approved.python(TWO_MORE).split()
    runs = [
        approved.ask("start", "approve/approve", json.dumps({"name": "tiny", "version": int(number)}))
        for number in numbers
    ]
    first, second = (approved.ended(run)["state"] for run in runs)
    assert first == "Suspended"
    done = approved.clone.refocus("reject", f"approve-tiny-{numbers[0]}", "--reason", "halos")
    assert done.stdout.startswith("rejected by ")
    assert approved.run(runs[0])["state"] == "Completed", "the page is told, too"
    approved.until(lambda: approved.run(runs[1])["state"] in ("Failed", "Completed"))
    approved.python(LAPSE)
    assert second in ("Suspended", "Failed", "Completed")  # as fast as the machine is
    assert approved.history()[-4:] in (
        ["ask", "ask", "reject", "lapse"],
        ["ask", "ask", "lapse", "reject"],
    )
    late = approved.clone.refocus("approve", f"tiny:{numbers[1]}", "--reason", "at last", check=2)
    assert "waits for nobody" in late.stderr


def test_versions_are_compared_on_the_server_and_prefects_page_has_the_table(approved: Team) -> None:
    two = next(line.split()[3] for line in approved.clone.refocus("history", "tiny").stdout.splitlines()[2:])
    assert two.isdigit(), "the one that was asked about next"
    run_id = approved.ask("start", "compare/compare", json.dumps({"models": ["tiny:1", f"tiny:{two}"]}))
    assert approved.ended(run_id)["state"] == "Completed"
    found = approved.artifacts(run_id)
    rows = json.loads(found["compare-metrics"])
    assert [row["metric"] for row in rows] == ["psnr_rgb", "ssim_gauss11_rgb"]
    assert all(row.keys() == {"metric", "tiny:1", f"tiny:{two}"} for row in rows)
    assert "a comparison promotes nothing" in found["compare"]
    pages = approved.clone.root / ".refocus" / "compare"
    assert (pages / f"tiny.1-tiny.{two}" / "index.html").is_file()


def test_backfilled_runs_wait_for_each_other_and_people_hear_of_long_waiting_and_of_drift(
    approved: Team,
) -> None:
    heard: list[str] = []
    dark = approved.photos.with_name("dark")
    dark_photos_into(dark)
    before = {run["id"] for run in approved.runs()}
    with webhook(heard) as address:
        approved.ask("block", address)
        approved.deploy(watch=False, notify="custom-webhook/team", waiting_s=10)
        told = approved.clone.refocus("backfill", "tiny", str(dark), str(approved.photos)).stdout.splitlines()
        assert [line.rpartition(" on ")[2] for line in told] == [str(dark), str(approved.photos)]
        first = approved.ended(told[0].partition("(")[2].partition(")")[0])
        (second,) = approved.until(
            lambda: [run for run in approved.runs() if run["id"] not in {*before, first["id"]}]
        )
        assert [first["state"], approved.ended(second["id"])["state"]] == ["Completed", "Completed"]
        approved.until(lambda: any("refocus: drift" in words for words in heard))
        approved.until(lambda: any("is AwaitingConcurrencySlot" in words for words in heard))
    first, second = (approved.api(f"flow_runs/{run['id']}", None) for run in (first, second))
    assert first["end_time"] <= second["start_time"], "one at a time, in their order"
    assert [run["parameters"]["photos"] for run in (first, second)] == [str(dark), str(approved.photos)]
    drift = next(words for words in heard if "refocus: drift" in words)
    assert "tiny: " in drift
    assert "photos' brightness" in drift
    waits = [words for words in heard if "refocus: a run waits" in words]
    assert any("retrain-tiny of retrain/tiny is AwaitingConcurrencySlot" in words for words in waits)
    assert not any("None" in words for words in waits)


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
