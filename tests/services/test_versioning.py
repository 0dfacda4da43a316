"""versioning: what people read of a child's words, that no descendant survives, commits that leave
the checkout alone, DVC's objects.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from processes import ends

from components.core.errors import InputError, StageError
from components.services import versioning
from components.services.versioning import process
from components.services.versioning.process import Relay, child_environment, end_tree, run_relayed

GRAPH = """
vars:
  - recipes: [one]
stages:
  first:
    matrix: {recipe: "${recipes}"}
    cmd: python stage.py first ${item.recipe}
    deps: [stage.py]
    outs: ["data/${item.recipe}/photos"]
  second:
    matrix: {recipe: "${recipes}"}
    cmd: python stage.py second ${item.recipe}
    deps: [stage.py, "data/${item.recipe}/photos"]
    outs: ["data/${item.recipe}/pairs"]
"""
STAGE = """
import pathlib, sys
name, recipe = sys.argv[1:]
print(f"{name} at work on {recipe}")
if pathlib.Path("broken").exists():
    sys.exit(7)
out = pathlib.Path("data", recipe, {"first": "photos", "second": "pairs"}[name])
out.mkdir(parents=True)
(out / "words.txt").write_text(name)
"""


def git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", *words],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A git checkout with a two-stage DVC graph, committed once."""
    root = tmp_path / "clone"
    (root / ".dvc").mkdir(parents=True)
    (root / "components").mkdir()
    (root / ".dvc" / "config").write_text(
        "[core]\n    analytics = false\n    remote = local\n['remote \"local\"']\n    url = ../remote\n"
    )
    (root / ".dvc" / ".gitignore").write_text("/tmp\n/cache\n/config.local\n")
    (root / ".gitignore").write_text("/data/\n/state/\n/remote/\n")
    (root / "dvc.yaml").write_text(GRAPH)
    (root / "stage.py").write_text(STAGE)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


@pytest.fixture
def private(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFOCUS_HOME", str(clone / "state"))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(clone / "state" / "dvc-site"))
    return clone


def test_a_newline_makes_news_and_a_carriage_return_does_not() -> None:
    heard: list[str] = []
    relay = Relay(heard.append)
    for piece in (b"tra", b"in 10%\rtrain 20%\r", b"loss 0.5\nlas", b"t"):
        relay.feed(piece)
    relay.close()
    assert heard == ["loss 0.5", "last"]


def test_words_of_a_child_come_in_order_and_its_exit_code_too(tmp_path: Path) -> None:
    heard: list[str] = []
    code = run_relayed(
        [sys.executable, "-c", "import sys; print('a'); print('b', file=sys.stderr); sys.exit(7)"],
        root=tmp_path,
        environment=child_environment(),
        say=heard.append,
    )
    assert (heard, code) == (["a", "b"], 7)


def test_a_daemon_that_holds_the_pipe_does_not_hold_us(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time;"
        " time.sleep(1200)']); print(p.pid)"
    )
    heard: list[str] = []
    assert (
        run_relayed(
            [sys.executable, "-c", script], root=tmp_path, environment=child_environment(), say=heard.append
        )
        == 0
    )
    daemon = psutil.Process(int(heard[0]))
    assert daemon.is_running(), "it is not waited for"
    daemon.kill()


def test_when_we_are_interrupted_the_child_saves_and_every_descendant_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SAVE_S", 2.0)
    deaf = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('up', flush=True);"
        " time.sleep(1200)"
    )
    script = f"""
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background has it switched off
deaf = subprocess.Popen([sys.executable, "-c", {deaf!r}], stdout=subprocess.PIPE)
deaf.stdout.readline()
try:
    print("pid", deaf.pid, flush=True)  # the interrupt answers this line at once
    time.sleep(1200)
except KeyboardInterrupt:
    pathlib.Path("saved").touch()
"""
    deaf_ones: list[psutil.Process] = []

    def hear(line: str) -> None:
        deaf_ones.append(psutil.Process(int(line.split()[1])))
        raise SystemExit(143)

    with pytest.raises(SystemExit):
        run_relayed([sys.executable, "-c", script], root=tmp_path, environment=child_environment(), say=hear)
    assert (tmp_path / "saved").exists()
    assert len(deaf_ones) == 1
    assert ends(deaf_ones)


def test_what_is_left_of_a_session_is_ended_even_when_its_leader_is_gone(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time;"
        " time.sleep(1200)']).pid, flush=True)"
    )
    leader = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    assert leader.stdout is not None
    orphan = psutil.Process(int(leader.stdout.readline()))
    leader.stdout.close()
    leader.wait()
    end_tree(leader.pid, patience_s=3)
    assert ends([orphan])


def test_the_order_of_stages_is_that_of_their_dependencies(clone: Path) -> None:
    assert versioning.stage_order(clone) == ("first", "second")
    assert versioning.recipes_in_graph(clone) == ("one",)


def test_a_recipe_that_has_no_stages_is_refused_with_the_nearest_name(clone: Path) -> None:
    with pytest.raises(InputError, match=r"onee.*recipes.*Did you mean \"one\""):
        versioning.need_in_graph(clone, "onee")


def test_an_unpacked_archive_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a git clone.*git init"):
        versioning.need_clone(tmp_path)


def test_a_folder_inside_another_clone_is_no_clone(clone: Path) -> None:
    with pytest.raises(InputError, match="not a git clone"):
        versioning.need_clone(clone / "components")


def test_git_that_is_not_installed_is_said(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(clone))
    with pytest.raises(InputError, match="git is not installed"):
        versioning.need_clone(clone)


def test_a_clean_checkout_is_its_own_snapshot(clone: Path) -> None:
    assert versioning.snapshot("one", "run", root=clone) == git(clone, "rev-parse", "HEAD")


def test_a_snapshot_holds_what_lies_there_and_touches_nothing(clone: Path) -> None:
    (clone / "stage.py").write_text("edited\n")
    (clone / "components" / "new.py").write_text("new\n")
    (clone / "notes.txt").write_text("private\n")
    (clone / "dvc.lock").write_text("lock\n")
    git(clone, "add", "stage.py")
    (clone / "stage.py").write_text("edited again\n")
    before = (
        git(clone, "status", "--porcelain"),
        git(clone, "rev-parse", "HEAD"),
        (clone / ".git" / "index").read_bytes(),
    )
    commit = versioning.snapshot("one", "run", root=clone)
    assert (
        git(clone, "status", "--porcelain"),
        git(clone, "rev-parse", "HEAD"),
        (clone / ".git" / "index").read_bytes(),
    ) == before
    assert set(git(clone, "diff", "--name-only", "HEAD", commit).split()) == {
        "stage.py",
        "components/new.py",
        "dvc.lock",
    }
    assert git(clone, "show", f"{commit}:stage.py") == "edited again"
    assert versioning.commit_exists(commit, root=clone)
    assert versioning.last_run("one", root=clone) == commit
    assert versioning.file_at(commit, "dvc.lock", root=clone) == "lock\n"
    assert versioning.snapshot("one", "again", root=clone) == commit, "the same tree makes no second commit"


@pytest.mark.parametrize("other", ["one-wide", "one-2", "one-20261129", "one_wide", "one-z"])
def test_the_last_run_of_a_recipe_is_none_of_one_whose_name_begins_alike(other: str, clone: Path) -> None:
    (clone / "stage.py").write_text("as one used it\n")
    commit = versioning.snapshot("one", "run", root=clone)
    (clone / "stage.py").write_text("as the other one used it\n")
    foreign = versioning.snapshot(other, "run", root=clone)
    assert versioning.last_run("one", root=clone) == commit
    assert versioning.last_run(other, root=clone) == foreign
    versioning.snapshot("one", "the same tree", root=clone)
    assert [run.recipe for run in versioning.run_commits(clone)].count("one") == 2, "it has a name of its own"


def test_a_commit_that_is_not_there_does_not_exist(clone: Path) -> None:
    assert not versioning.commit_exists("0" * 40, root=clone)
    assert not versioning.commit_exists("", root=clone)


def test_a_worktree_comes_and_goes(clone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "worktree"
    versioning.add_worktree(folder, root=clone)
    (folder / "left").touch()
    assert (folder / "stage.py").is_file()
    versioning.remove_worktree(folder, root=clone)
    assert not folder.exists()
    assert git(clone, "worktree", "list").count("\n") == 0


@pytest.mark.services
def test_a_stage_runs_once_is_reused_restored_pushed_and_checked(private: Path) -> None:
    heard: list[str] = []
    ran = versioning.reproduce("one", "first", root=private, say=heard.append)
    assert heard == ["first at work on one"], "DVC's own words are left out"
    assert ran.how == "ran"
    assert versioning.reproduce("one", "first", root=private, say=heard.append).how == "reused"
    subprocess.run(["rm", "-r", str(private / "data" / "one" / "photos")], check=True)
    assert versioning.reproduce("one", "first", root=private, say=heard.append).how == "restored"
    both = ("first", "second")
    assert versioning.out_of_date("one", both, root=private) == {"second@one": "changed"}
    versioning.reproduce("one", "second", root=private, say=heard.append)
    assert versioning.out_of_date("one", both, root=private) == {}

    md5 = versioning.hashes("one", root=private)
    assert set(md5) == {"photos", "pairs"}
    versioning.push("one", both, root=private)
    assert versioning.check_objects(md5["photos"], root=private) == []
    cache = private / ".dvc" / "cache" / "files" / "md5"
    words = next(path for path in cache.rglob("*") if path.is_file() and path.read_bytes() == b"first")
    words.chmod(0o644)
    words.write_bytes(b"other")
    assert "was altered" in versioning.check_objects(md5["photos"], root=private)[0]
    words.unlink()
    assert versioning.check_objects(md5["photos"], root=private) == [], "the remote has it"
    assert "neither" in versioning.check_objects("0" * 32, root=private)[0]


@pytest.mark.services
def test_a_failed_stage_is_told_by_its_own_words(private: Path) -> None:
    (private / "broken").touch()
    with pytest.raises(
        StageError, match=r"first of one ended without a word of its own.*exited with 7.*--debug"
    ):
        versioning.reproduce("one", "first", root=private, say=lambda line: None)

    def complain(line: str) -> None:
        """What the stage's process does at its end, while it is still at work."""
        versioning.leave_status("one", "first", exit_code=3, message="weights cannot be had")

    with pytest.raises(StageError, match="weights cannot be had") as caught:
        versioning.reproduce("one", "first", root=private, say=complain)
    assert caught.value.exit_code == 3
    assert os.environ["REFOCUS_HOME"] == str(private / "state")
