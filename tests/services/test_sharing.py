"""A worktree's DVC settings lead to the checkout's cache and remotes, whatever its path holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components.core.errors import InputError
from components.services import versioning

ODD = [
    "plain",
    "a b",
    "a #1",
    "50%20off",
    "it's",
    '"quoted"',
    'it\'s "both"',
    "ümlaut ö",
    "a,b",
    "a;b",
    "[x]",
    "a=b",
]


def checkout(root: Path) -> Path:
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text(
        "[core]\n    remote = local\n['remote \"local\"']\n    url = ../state/remote\n"
    )
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


@pytest.mark.parametrize("name", ODD)
def test_a_worktree_finds_the_cache_and_every_remote_of_its_checkout(name: str, tmp_path: Path) -> None:
    from dvc.repo import Repo

    main = checkout(tmp_path / name / "main")
    (main / ".dvc" / "config.local").write_text(
        "['remote \"team\"']\n    url = ../team\n    jobs = 2\n['remote \"far\"']\n    url = s3://bucket/dvc\n"
    )
    night = checkout(tmp_path / name / "main" / ".refocus" / "night")
    versioning.share_with(main, night)
    with Repo(str(main)) as theirs, Repo(str(night)) as ours:
        assert ours.cache.local.path == theirs.cache.local.path
        assert ours.cache.local.path.startswith(str(main))
        for remote, place in (("local", main / "state" / "remote"), ("team", main / "team")):
            assert ours.config["remote"][remote]["url"] == str(place)
        assert ours.config["remote"]["team"]["jobs"] == 2
        assert ours.config["remote"]["far"]["url"] == "s3://bucket/dvc"


def test_settings_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    main, night = checkout(tmp_path / "main"), checkout(tmp_path / "night")
    (main / ".dvc" / "config.local").write_text("[cache\n")
    with pytest.raises(InputError, match=r"DVC's configuration in .*main/\.dvc cannot be used.*correct it"):
        versioning.share_with(main, night)
