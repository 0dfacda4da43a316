"""DVC's own files that a crash left unreadable stop no run: they are set aside, dvc.lock comes back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components.services.versioning import mend, snapshot

LOCK = "schema: '2.0'\nstages:\n  ingest@demo:\n    cmd: x\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "a.py").touch()
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True)
    return tmp_path


# Some of them YAML, as after an editor's or a merge's slip, which DVC refuses for good as well.
HARMS = (
    *(b"", b"\0\0\0", b"stages: [", b"words", LOCK.encode()[:-9] + b": {"),
    *(b"- a\n", b"stages: {ingest@demo: x}\n", b"stages: {ingest@demo: {outs: []}}\n"),
    *(b"stages: {ingest@demo: {cmd: x, outs: {}}}\n", b"stages: {ingest@demo: {cmd: x, deps: [a]}}\n"),
    *(b"stages: {ingest@demo: {cmd: x, outs: [{md5: a}]}}\n", b"schema: '9'\n", b"stages: [a]\n"),
)


@pytest.mark.parametrize("harm", HARMS)
def test_an_unreadable_lock_comes_back_as_the_last_run_had_it(harm: bytes, clone: Path) -> None:
    (clone / "dvc.lock").write_text(LOCK)
    snapshot("demo", "a run", root=clone)
    (clone / "dvc.lock").write_bytes(harm)
    mend("demo", root=clone)
    assert (clone / "dvc.lock").read_text() == LOCK
    assert (clone / "dvc.lock.unreadable").read_bytes() == harm


def test_without_an_earlier_run_the_stages_are_asked_anew(clone: Path) -> None:
    (clone / "dvc.lock").write_bytes(b"\0")
    mend("demo", root=clone)
    assert not (clone / "dvc.lock").exists()


@pytest.mark.parametrize("harm", [b"\0\0", b"{", b"words"])
def test_an_unreadable_rwlock_is_set_aside_and_a_good_one_stays(harm: bytes, clone: Path) -> None:
    rwlock = clone / ".dvc" / "tmp" / "rwlock"
    rwlock.write_bytes(b"{}")
    mend("demo", root=clone)
    assert rwlock.read_bytes() == b"{}"
    rwlock.write_bytes(harm)
    mend("demo", root=clone)
    assert not rwlock.exists()
