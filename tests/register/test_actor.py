"""Who decided stands in the record: the person or service, with account and machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components.registry.actor import owner


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of git in which nobody is named."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    for name in ("REFOCUS_ACTOR", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_nearest_name_is_taken_and_the_account_always_told(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = owner()
    assert "@" in account
    assert "(" not in account
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "login")
    assert owner() == account, "a login without a server is nobody's"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert owner() == f"login ({account})"
    for key, value in (("name", "Ann Lee"), ("email", "ann@example.org")):
        subprocess.run(["git", "config", f"user.{key}", value], cwd=elsewhere, check=True)
    assert owner() == f"Ann Lee <ann@example.org> ({account})"
    monkeypatch.setenv("REFOCUS_ACTOR", "the  nightly\nschedule")
    assert owner() == f"the nightly schedule ({account})"
