"""One sentence a class of cause: whoever meets it first, a person reads what is wrong, where, and what
to do; "this should not happen" stays for what nobody thought of.
"""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from components.console import cli
from components.console.commands import about
from components.core import causes, files, locks, stopping
from components.core.cause_table import CAUSES, Cause
from components.core.errors import RefocusError, ServiceError
from components.services.cluster import start
from components.services.tracking import store
from components.services.versioning import refusals

WITH_NUMBER = [(cause, number) for cause in CAUSES for number in cause.errnos]
WITH_WORDS = [(cause, words) for cause in CAUSES for words in cause.words]


def name_of(given: object) -> str:
    return (
        given.name
        if isinstance(given, Cause)
        else errno.errorcode.get(given, "")
        if isinstance(given, int)
        else ""
    )


@pytest.mark.parametrize(("cause", "number"), WITH_NUMBER, ids=name_of)
def test_every_number_of_the_operating_system_is_told_with_place_and_remedy(
    cause: Cause, number: int, tmp_path: Path
) -> None:
    error = OSError(number, os.strerror(number), str(tmp_path / "file"))
    told = causes.explained(error)
    assert isinstance(told, cause.kind)
    assert cause.remedy in str(told)
    assert os.strerror(number) in str(told)
    assert "should not happen" not in str(told)
    if "{place}" in cause.said:
        assert str(tmp_path) in str(told)


@pytest.mark.parametrize(("cause", "words"), WITH_WORDS, ids=name_of)
def test_the_same_words_of_any_tool_are_the_same_cause(cause: Cause, words: str) -> None:
    assert causes.cause_of(RuntimeError(f"Something: {words.upper()} (code 7)")) is cause
    wrapped = OperationalError("INSERT", {}, sqlite3.OperationalError(words))
    assert causes.cause_of(wrapped) is cause


def test_words_of_a_path_are_no_cause(tmp_path: Path) -> None:
    for words in (
        "a temporary folder",
        "is a directory",
        "temporary/out of memory",
        "ssl: no locks available",
    ):
        error = OSError(errno.EROFS, os.strerror(errno.EROFS), str(tmp_path / words / "file"))
        assert causes.cause_of(error) is causes.cause_named("read-only")
    gone = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")
    assert causes.cause_of(gone) is causes.cause_named("no temporary folder")


def test_no_number_and_no_words_stand_for_two_causes() -> None:
    numbers = [number for _, number in WITH_NUMBER]
    assert len(numbers) == len(set(numbers))
    for cause, words in WITH_WORDS:
        assert causes.cause_in(words) is cause


DOORS = ("full disk", "read-only", "no right", "broken disk", "too many open files", "no locks")


@pytest.mark.parametrize("cause", [causes.cause_named(name) for name in DOORS], ids=name_of)
def test_each_door_tells_a_cause_in_its_one_sentence(
    cause: Cause, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"[Errno {cause.errnos[0]}] {os.strerror(cause.errnos[0])}: '{tmp_path}/x'"

    def refuse(*given: object, **named: object) -> None:
        raise OSError(cause.errnos[0], os.strerror(cause.errnos[0]), str(tmp_path / "x"))

    told: list[RefocusError | None] = [
        refusals.of_git(f"fatal: could not write: {words}", tmp_path, ("add",)),
        refusals.of_dvc(f"unexpected error - {words}", tmp_path, "train of demo"),
        start._refusal(OSError(cause.errnos[0], os.strerror(cause.errnos[0])), "local"),
    ]
    with pytest.raises(RefocusError) as caught, store.asking("be read"):
        refuse()
    told.append(caught.value)
    monkeypatch.setattr(locks.FileLock, "acquire", refuse)
    with pytest.raises(RefocusError) as caught, locks.locked(tmp_path / "a.lock", patience_s=0):
        pass
    told.append(caught.value)
    for each in told:
        assert isinstance(each, cause.kind)
        assert cause.remedy in str(each)
        assert "should not happen" not in str(each)


@pytest.mark.parametrize("cause", [causes.cause_named(name) for name in DOORS[:4]], ids=name_of)
def test_a_file_that_cannot_be_written_names_it_and_the_remedy(
    cause: Cause, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise OSError(cause.errnos[0], os.strerror(cause.errnos[0]))

    monkeypatch.setattr("components.core.temporaries.tempfile.mkstemp", refuse)
    with pytest.raises(cause.kind, match=str(tmp_path)) as caught:
        files.write_text(tmp_path / "a.txt", "a")
    assert cause.remedy in str(caught.value)


def test_a_disk_that_sqlite_calls_broken_is_full_when_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = causes.cause_named("broken disk")
    monkeypatch.setattr(causes, "free_mb", lambda place: 3.0)
    assert "the disk is full: 3 MB are free" in str(causes.told(broken, place=tmp_path, why="disk I/O error"))
    monkeypatch.setattr(causes, "free_mb", lambda place: 3000.0)
    assert "does not answer as a disk should" in str(causes.told(broken, place=tmp_path))


def test_a_closed_pipe_is_no_fault_of_a_disk() -> None:
    assert causes.cause_of(BrokenPipeError(errno.EPIPE, "Broken pipe")) is None


def test_what_nobody_thought_of_still_says_where_to_look() -> None:
    told = causes.explained(ZeroDivisionError("division by zero"))
    assert str(told) == "this should not happen: ZeroDivisionError: division by zero (--debug shows where)"
    ours = ServiceError("as it is")
    assert causes.explained(ours) is ours


@pytest.fixture
def _signals_as_before() -> Iterator[None]:
    """A command takes signals for its whole process; here that is the process of the tests."""
    before = {number: signal.getsignal(number) for number in stopping.HEEDED}
    yield
    stopping._heeding = False
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals_as_before")
@pytest.mark.parametrize("cause", CAUSES, ids=name_of)
def test_at_the_command_line_every_cause_is_one_sentence_with_its_exit_code(
    cause: Cause, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(*given: object) -> int:
        if cause.errnos:
            raise OSError(cause.errnos[0], os.strerror(cause.errnos[0]), str(tmp_path))
        raise RuntimeError(cause.words[0])

    monkeypatch.setattr(about, "_recipes", refuse)
    assert cli.main(["recipes"]) == cause.kind.exit_code
    said = capsys.readouterr().err
    assert said.startswith("refocus: error: ")
    assert said.count("\n") == 1
    assert cause.remedy in said
