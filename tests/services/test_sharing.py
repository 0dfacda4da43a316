"""A worktree's DVC settings lead to the checkout's cache and remotes, whatever its path holds."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

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


def test_whatever_a_checkout_is_told_holds_in_its_worktree_for_this_user_alone(tmp_path: Path) -> None:
    """A remote added with `dvc remote add --local -d`, its password, an option not committed, a cache
    elsewhere.
    """
    from dvc.repo import Repo

    main, night = checkout(tmp_path / "main"), checkout(tmp_path / "night")
    (main / ".dvc" / "config").write_text(
        "[core]\n    remote = local\n    autostage = true\n['remote \"local\"']\n    url = ../state/remote\n"
        "    jobs = 3\n['remote \"keyed\"']\n    url = ssh://host/dvc\n    keyfile = ../keys/night\n"
    )
    (main / ".dvc" / "config.local").write_text(
        "[core]\n    remote = team\n['remote \"team\"']\n    url = s3://bucket/dvc\n"
        '    access_key_id = ann\n    secret_access_key = "a\'b # c"\n[cache]\n    dir = ../cache\n'
        "    type = hardlink\n"
    )
    versioning.share_with(main, night)
    with Repo(str(main)) as theirs, Repo(str(night)) as ours:
        for section in ("core", "remote", "cache"):
            assert ours.config[section] == {**theirs.config[section], **_cache_of(theirs, section)}
        assert ours.config["core"]["remote"] == "team"
        assert ours.config["remote"]["keyed"]["keyfile"] == str(main / "keys" / "night")
    assert (night / ".dvc" / "config.local").stat().st_mode & 0o777 == 0o600


def _cache_of(repo: Any, section: str) -> dict[str, str]:
    """The one place that is written out, whether the checkout names it or not."""
    place = str(repo.cache.local.path).removesuffix("/files/md5")
    return {"dir": place} if section == "cache" else {}
