"""Lock files: held, told whose they are, and told when they cannot be had."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from components.core import causes, locks
from components.core.errors import BusyError, InputError
from components.core.locks import alone_in


def test_a_lock_that_another_holds_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "a.lock"
    assert not locks.is_held(path)
    with locks.locked(path, patience_s=0):
        assert locks.is_held(path)
        with pytest.raises(BusyError, match=r"it holds .*a\.lock"), locks.locked(path, patience_s=0):
            pass
    assert not locks.is_held(path)


def test_a_lock_file_of_root_is_told_with_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.lock"
    path.touch()

    def refuse(*given: object, **named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(locks.FileLock, "acquire", refuse)
    monkeypatch.setattr(causes.os, "getuid", lambda: path.stat().st_uid + 1)
    owner = causes.name_of(path.stat().st_uid)
    with (
        pytest.raises(InputError, match=rf"a\.lock, which belongs to {owner} .*sudo chown -R"),
        locks.locked(path, patience_s=0),
    ):
        pass


def test_a_share_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock; use SoftFileLock instead")

    monkeypatch.setattr(locks.FileLock, "acquire", refuse)
    with (
        pytest.raises(InputError, match=r"no file locks .*REFOCUS_HOME"),
        locks.locked(tmp_path / "a", patience_s=0),
    ):
        pass


def test_a_folder_is_let_go_with_the_process_that_had_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from components.core.locks import alone_in\n"
        "with alone_in(Path(sys.argv[1])):\n    print(flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a" / "out")],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(BusyError, match="another process is writing into"), alone_in(tmp_path / "a" / "out"):
        pass
    holder.kill()
    holder.communicate()
    with alone_in(tmp_path / "a" / "out"):
        pass


@pytest.mark.parametrize(
    ("one", "other", "is_busy"),
    [
        ("a", "a", True),
        ("a", "a/b", True),
        ("a/b", "a", True),
        ("a", "a/b/c", True),
        ("a/b", "a/c", False),
        ("a", "ab", False),
    ],
)
def test_who_writes_into_a_folder_has_those_in_it_too(
    one: str, other: str, is_busy: bool, tmp_path: Path
) -> None:
    with alone_in(tmp_path / one):
        if is_busy:
            with (
                pytest.raises(BusyError, match=r"another process is writing into .*choose another folder"),
                alone_in(tmp_path / other),
            ):
                pass
        else:
            with alone_in(tmp_path / other):
                pass
        assert [path.name for path in tmp_path.rglob("*")] == one.split("/")
    assert list(tmp_path.iterdir()) == []
    with alone_in(tmp_path / other):
        pass


@pytest.mark.parametrize("theirs", ["another user's", "not to be read"])
def test_a_folder_of_others_is_not_locked_for_what_lies_in_it(
    theirs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as /tmp, which other programs lock."""
    if theirs == "not to be read":
        monkeypatch.setattr(locks.os, "access", lambda path, how: False)
    else:
        uid = tmp_path.stat().st_uid
        monkeypatch.setattr(locks.os, "getuid", lambda: uid + 1)
    with alone_in(tmp_path), alone_in(tmp_path / "a"):
        pass


def test_a_folder_that_others_use_is_not_taken_away(tmp_path: Path) -> None:
    one, other = locks.Shared(tmp_path / "bench"), locks.Shared(tmp_path / "bench")
    (tmp_path / "bench" / "a.png").touch()
    assert not one.take_away()
    assert (tmp_path / "bench" / "a.png").exists()
    assert other.take_away()
    assert not (tmp_path / "bench").exists()
    again = locks.Shared(tmp_path / "bench")
    del again  # a process that ends lets it go
    assert locks.Shared(tmp_path / "bench").take_away()


@pytest.fixture(params=locks.NO_LOCKS)
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share that has no locks, and says so in one of its ways."""

    def refuse(*given: object) -> None:
        raise OSError(request.param, "no locks here")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)


@pytest.mark.usefixtures("without_locks")
def test_on_a_share_without_locks_a_folder_in_use_is_taken_away(tmp_path: Path) -> None:
    assert locks.Shared(tmp_path / "bench").take_away()


def test_a_folder_that_stays_empty_is_taken_away_with_those_made_for_it(tmp_path: Path) -> None:
    with alone_in(tmp_path / "a" / "b"):
        pass
    assert list(tmp_path.iterdir()) == []
    with alone_in(tmp_path / "a" / "b"):
        (tmp_path / "a" / "note").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["note"]


@pytest.mark.usefixtures("without_locks")
def test_a_share_without_locks_lets_everybody_in(tmp_path: Path) -> None:
    with alone_in(tmp_path), alone_in(tmp_path):
        pass
