"""What a colleague made of the same code and data is had from the DVC remote, and nothing else is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from test_versioning import GRAPH, STAGE, git

from components.core.errors import InputError, RefocusError
from components.services import versioning
from components.services.versioning import at_hand

pytestmark = pytest.mark.services
BOTH = ("first", "second")


def silent(line: str) -> None:
    """Hears nothing."""


@pytest.fixture
def clones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two clones with a cache each and one remote; in the first both stages ran and were sent."""
    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    ann, ben = tmp_path / "ann", tmp_path / "ben"
    (ann / ".dvc").mkdir(parents=True)
    (ann / "components").mkdir()
    (ann / ".dvc" / "config").write_text(
        f"[core]\n    analytics = false\n    remote = far\n['remote \"far\"']\n    url = {tmp_path / 'far'}\n"
    )
    (ann / ".dvc" / ".gitignore").write_text("/tmp\n/cache\n/config.local\n")
    (ann / ".gitignore").write_text("/data/\n")
    (ann / "dvc.yaml").write_text(GRAPH)
    (ann / "stage.py").write_text(STAGE)
    git(ann, "init", "-q")
    git(ann, "add", "-A")
    git(ann, "commit", "-qm", "first")
    subprocess.run(["git", "clone", "-q", str(ann), str(ben)], check=True)
    make(ann)
    return ann, ben


def make(root: Path) -> None:
    for stage in BOTH:
        versioning.reproduce("one", stage, root=root, say=silent)
    versioning.push("one", BOTH, root=root)


def test_a_fresh_clone_has_what_the_remote_has_without_the_lock_and_then_with_it(
    clones: tuple[Path, Path],
) -> None:
    ann, ben = clones
    assert versioning.out_of_date("one", BOTH, root=ben) == {
        "first@one": "changed",
        "second@one": "changed",
    }
    assert versioning.bring_made("one", BOTH, root=ben, say=silent) == ("first@one", "second@one")
    heard: list[str] = []
    assert [versioning.reproduce("one", stage, root=ben, say=heard.append).how for stage in BOTH] == [
        "restored",
        "restored",
    ]
    assert heard == [], "no stage ran"
    assert (ben / "dvc.lock").read_text() == (ann / "dvc.lock").read_text()
    for folder in ("data", ".dvc/cache"):
        shutil.rmtree(ben / folder)
    assert set(versioning.out_of_date("one", BOTH, root=ben).values()) == {"missing"}
    assert versioning.bring_made("one", BOTH, root=ben, say=silent) == ("first@one", "second@one")
    assert versioning.out_of_date("one", BOTH, root=ben) == {}


def test_only_the_result_of_the_same_code_is_taken_whatever_the_lock_names(clones: tuple[Path, Path]) -> None:
    ann, ben = clones
    shutil.copyfile(ann / "dvc.lock", ben / "dvc.lock")  # that of the old code
    newer = STAGE.replace("write_text(name)", 'write_text(name + " anew")')
    (ben / "stage.py").write_text(newer)
    assert versioning.bring_made("one", BOTH, root=ben, say=silent) == (), "nobody has run that code"
    (ann / "stage.py").write_text(newer)
    make(ann)
    assert versioning.bring_made("one", BOTH, root=ben, say=silent) == ("first@one", "second@one")
    assert (ben / "data" / "one" / "pairs" / "words.txt").read_text() == "second anew"


def test_a_run_sends_its_own_record_and_not_those_before(clones: tuple[Path, Path]) -> None:
    ann, _ = clones
    far = ann.parent / "far"
    shutil.rmtree(far / "runs")
    (ann / "stage.py").write_text(STAGE + "# edited\n")
    make(ann)
    assert len([path for path in (far / "runs").rglob("*") if path.is_file()]) == 2
    assert len([path for path in (ann / ".dvc" / "cache" / "runs").rglob("*") if path.is_file()]) == 4


@pytest.mark.parametrize("change", ["changed", "put there"])
def test_what_somebody_changed_by_hand_is_not_lost_and_told_with_what_to_do(
    change: str, clones: tuple[Path, Path]
) -> None:
    ann, _ = clones
    folder = ann / "data" / "one" / "pairs"
    path = folder / ("words.txt" if change == "changed" else "notes.txt")
    path.write_text("mine")
    with pytest.raises(InputError, match=rf"{path} is not what the last .*delete data/one/pairs, and"):
        versioning.bring_made("one", BOTH, root=ann, say=silent)
    assert path.read_text() == "mine"
    shutil.rmtree(folder)
    assert versioning.bring_made("one", BOTH, root=ann, say=silent) == ("second@one",)
    assert (folder / "words.txt").read_text() == "second"


def test_a_remote_that_is_gone_is_told_before_anything_is_made(clones: tuple[Path, Path]) -> None:
    _, ben = clones
    config = ben / ".dvc" / "config.local"
    config.write_text(
        "[core]\n    remote = dead\n['remote \"dead\"']\n    url = s3://nobody/dvc\n"
        "    endpointurl = http://127.0.0.1:9\n    access_key_id = a\n    secret_access_key = b\n"
    )
    with pytest.raises(RefocusError, match="one"):
        versioning.bring_made("one", BOTH, root=ben, say=silent)


def test_a_lock_is_taken_for_a_recipe_that_has_none_and_no_other_is_touched(
    clones: tuple[Path, Path],
) -> None:
    ann, ben = clones
    git(ann, "add", "dvc.lock")
    git(ann, "commit", "-qm", "lock")
    git(ben, "fetch", "-q", "origin")
    commit = git(ben, "rev-parse", "origin/HEAD")
    own = "schema: '2.0'\nstages:\n  first@two:\n    cmd: x\n"
    (ben / "dvc.lock").write_text(own)
    versioning.take_lock("one", commit, root=ben)
    text = (ben / "dvc.lock").read_text()
    assert text.startswith(own)
    assert "second@one" in text
    (ben / "dvc.lock").write_text(text.replace("first@two", "first@one"))
    before = (ben / "dvc.lock").read_text()
    versioning.take_lock("one", commit, root=ben)
    assert (ben / "dvc.lock").read_text() == before


def test_the_words_of_the_script_are_those_that_are_read() -> None:
    assert (at_hand.CHANGED, at_hand.BROUGHT) == (versioning.CHANGED, "brought")
