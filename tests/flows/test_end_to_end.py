"""The whole path on a clone of this checkout: photos to a promoted version, twice, interrupted,
broken, under Prefect, in a worktree.
"""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from processes import children_of, ends, wait_for
from tiny_clone import TINY, Clone

pytestmark = pytest.mark.services


def timings(clone: Clone) -> list[dict[str, object]]:
    return [
        json.loads(line)
        for line in (clone.root / ".refocus" / "timings" / "tiny.jsonl").read_text().splitlines()
    ]


def test_one_command_goes_from_photos_to_a_verdict(trained: Clone) -> None:
    words = trained.environment["WORDS"]
    for said in (
        "PSNR blurred",
        "verdict",
        "registered     tiny version 1",
        "report.html",
        "make ui",
        "dvc.lock",
        "orchestration",
    ):
        assert said in words
    assert list((trained.root / ".refocus" / "mlartifacts").rglob("dvc.lock")), (
        "the run holds the lock file that names its data"
    )
    assert [step["how"] for step in timings(trained)[0]["steps"]][:4] == ["ran"] * 4  # type: ignore[index, attr-defined]
    assert "Running stage" not in words, "DVC's chatter is left out"


def test_the_branch_and_the_index_are_untouched(trained: Clone) -> None:
    assert trained.git("status", "--porcelain") == "?? dvc.lock"
    assert trained.git("log", "--oneline", "HEAD").count("\n") == 0
    assert trained.git("for-each-ref", "--format=%(refname)", "refs/refocus/runs").startswith(
        "refs/refocus/runs/tiny-"
    )


def test_the_training_names_on_mlflows_page_whose_it_is_and_what_made_it(trained: Clone) -> None:
    with closing(sqlite3.connect(trained.root / ".refocus" / "mlflow.db")) as database:
        tags = dict(database.execute("SELECT key, value FROM tags").fetchall())
    assert "@" in tags["mlflow.user"], "the account and its machine at least"
    assert tags["mlflow.source.name"] == "refocus run tiny"


def test_the_second_run_says_in_one_line_why_there_is_nothing_to_do(trained: Clone) -> None:
    last = trained.refocus("run", "tiny", "--no-prefect").stdout.splitlines()[-1]
    assert last.startswith(
        "nothing to do for tiny: photos, code and parameters are those of the last run, and the champion is"
        " still version 1"
    )


def test_under_prefect_the_same_run_is_a_flow(trained: Clone) -> None:
    # Without the last verdict there is something to do: to ask the gate again.
    with closing(sqlite3.connect(trained.root / ".refocus" / "mlflow.db")) as database, database:
        gone = database.execute("DELETE FROM model_version_tags WHERE key = 'refocus.settled'").rowcount
    assert gone == 1
    done = trained.refocus("run", "tiny")
    assert "registered     tiny version 1" in done.stdout
    assert "synthesize reused, train reused, evaluate reused, push" in done.stdout.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert (trained.root / ".refocus" / "prefect").is_dir()
    left = [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(trained.root)]
    assert ends(left), "Prefect's short-lived server must end with the run"


def test_nothing_to_do_is_known_before_prefects_server_starts(trained: Clone, tmp_path: Path) -> None:
    clone = Clone(trained.root, {**trained.environment, "PREFECT_HOME": str(tmp_path / "prefect")})
    done = clone.refocus("run", "tiny")
    assert done.stdout.splitlines()[-1].startswith("nothing to do for tiny: photos, code and parameters are")
    assert not (tmp_path / "prefect").exists()


def test_lineage_holds_until_an_object_is_altered(trained: Clone) -> None:
    assert "verified" in trained.refocus("lineage", "tiny@champion", "--verify").stdout
    stores = [
        trained.root / ".dvc" / "cache" / "files" / "md5",
        trained.root / ".refocus" / "dvc-remote" / "files" / "md5",
    ]
    victim = next(path for path in stores[0].rglob("*") if path.is_file() and not path.name.endswith(".dir"))
    kept = {
        store / victim.relative_to(stores[0]): (store / victim.relative_to(stores[0])).read_bytes()
        for store in stores
    }
    try:
        for path in kept:
            path.chmod(0o644)
            path.write_bytes(b"altered")
        assert "was altered" in trained.refocus("lineage", "tiny@champion", "--verify", check=8).stdout
    finally:
        for path, data in kept.items():
            path.write_bytes(data)


def test_a_wrong_address_is_refused_before_any_work(trained: Clone) -> None:
    before = len(timings(trained))
    for name in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL"):
        clone = Clone(trained.root, {**trained.environment, name: "http://127.0.0.1:9"})
        done = clone.refocus("run", "tiny", check=4)
        assert name in done.stderr
        assert done.stderr.count("\n") == 1, "one paragraph"
    assert len(timings(trained)) == before


def test_a_second_run_at_the_same_time_is_refused_and_ctrl_c_ends_every_child(trained: Clone) -> None:
    def states() -> set[Path]:
        """The states that trainings keep, each in a folder of its own."""
        return {path.parent for path in (trained.root / ".refocus" / "training").rglob("state*")}

    recipe = trained.root / "components" / "recipes" / "tiny.yaml"
    recipe.write_text(TINY.replace("images: 480", "images: 4800000"))
    before = states()
    run = trained.start("run", "tiny", "--no-prefect")
    try:
        process = psutil.Process(run.pid)
        assert wait_for(lambda: run.poll() is not None or bool(states() - before), 600), (
            "no state of the training"
        )
        assert run.poll() is None, run.communicate()[0]
        busy = trained.refocus("run", "tiny", "--no-prefect", check=5)
        assert f"process {run.pid} since" in busy.stderr
        family = children_of(process)
        run.send_signal(signal.SIGINT)
        words, _ = run.communicate()
        assert run.returncode == 130, words
        assert words.splitlines()[-1].startswith("refocus: interrupted")
        assert "Traceback" not in words
        assert ends(family)
    finally:
        recipe.write_text(TINY)
        if run.poll() is None:
            run.kill()
    after = trained.refocus("run", "tiny", "--no-prefect").stdout
    # What DVC has of the old recipe is brought back, and its verdict is known: no work, no second version.
    assert "nothing to do for tiny" in after
    assert "the champion is still version 1" in after


def test_a_scheduled_run_works_in_a_worktree_and_takes_it_away(trained: Clone) -> None:
    trained.git("add", "dvc.lock")
    done = trained.refocus("run", "tiny", "--no-prefect", "--worktree", "--photos", "photos")
    assert "nothing to do" in done.stdout.splitlines()[-1] or "registered     tiny version 1" in done.stdout
    assert not list((trained.root / ".refocus" / "worktrees").iterdir())
    assert trained.git("worktree", "list").count("\n") == 0
    trained.git("reset", "-q")  # the other tests, in whatever order, find the index as it was


def test_a_scheduled_run_finds_photos_that_only_the_checkout_has(trained: Clone) -> None:
    recipe = trained.root / "components" / "recipes" / "tiny.yaml"
    (trained.root / "photos").rename(trained.root / "mine")
    (trained.root / ".git" / "info" / "exclude").write_text("/mine/\n")
    recipe.write_text(TINY.replace("photos: photos", "photos: mine"))
    trained.git("add", "-A", ":!dvc.lock")
    trained.git("commit", "-qm", "photos beside the repository")
    try:
        done = trained.refocus("run", "tiny", "--no-prefect", "--worktree")
        same = "nothing to do" in done.stdout or "registered     tiny version 1" in done.stdout
        assert same, "they are the same photos"
    finally:
        (trained.root / "mine").rename(trained.root / "photos")
        trained.git("reset", "-q", "--hard", "HEAD~1")


def test_nothing_was_left_beside_the_project(trained: Clone) -> None:
    assert [path.name for path in trained.root.parent.iterdir()] == [trained.root.name]


def test_a_stage_that_fails_is_told_in_one_paragraph_with_its_own_exit_code(
    trained: Clone, tmp_path: Path
) -> None:
    done = trained.refocus("run", "tiny", "--no-prefect", "--photos", str(tmp_path), check=2)
    assert done.stderr.splitlines()[-1].startswith("refocus: error: ingest of tiny: ")
    assert "Traceback" not in done.stdout + done.stderr
    assert trained.refocus("run", "tiny", "--no-prefect").stdout.splitlines()[-1].startswith("nothing to do")
