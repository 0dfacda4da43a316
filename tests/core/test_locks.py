"""Lock files: held, told whose they are, and told when they cannot be had."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from components.core import causes, locks
from components.core.errors import BusyError, InputError


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
