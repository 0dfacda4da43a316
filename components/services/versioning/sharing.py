"""What a worktree has of the checkout that it belongs to: all of its DVC settings, committed or not,
written so that any path survives, and the results that its lock file names.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.core.errors import InputError, LineageError
from components.services.versioning.dvc import ask


def share_with(main: Path, worktree: Path) -> None:
    """Let a worktree use the main checkout's cache, remotes, credentials and whatever else it is told,
    by its .dvc/config.local: every relative place made absolute, whatever characters it holds.
    """
    from configobj import ConfigObjError
    from dvc.config import Config, ConfigError, merge
    from dvc.repo import Repo

    own: dict[str, Any] = {"cache": {}, "remote": {}}
    try:
        with Repo(str(main)) as repo:
            for level in ("repo", "local"):
                merge(own, _absolute(repo.config.read(level)))
            own["cache"]["dir"] = str(repo.cache.local.path).removesuffix("/files/md5")
        place = worktree / ".dvc" / "config.local"
        place.parent.mkdir(exist_ok=True)
        place.unlink(missing_ok=True)
        place.touch(mode=0o600)  # it may hold a remote's password
        place.write_text(_as_ini(own), encoding="utf-8")
        Config(str(worktree / ".dvc"))  # read as DVC will read it
    except (ConfigError, ConfigObjError) as error:
        raise InputError(
            f"DVC's configuration in {main / '.dvc'} cannot be used: {error}; correct it"
        ) from error


def bring(recipe: str, stages: Iterable[str], *, root: Path) -> None:
    """Put the results of stages into the checkout, as its dvc.lock names them: from DVC's cache, else
    from the default remote. Raises LineageError when they are in neither.
    """
    wanted = [f"{stage}@{recipe}" for stage in stages]
    try:
        ask("--wait-for-lock", "checkout", *wanted, root=root)
    except LineageError:
        ask("--wait-for-lock", "pull", *wanted, root=root)


def _as_ini(settings: dict[str, Any]) -> str:
    """Settings as DVC keeps them, quoted by the library that it reads them with."""
    from configobj import ConfigObj

    named = {
        (f'{section} "{name}"'): values
        for section in ("remote", "machine", "db")
        for name, values in settings.get(section, {}).items()
    }
    plain = {name: values for name, values in settings.items() if name not in ("remote", "machine", "db")}
    lines = ConfigObj({**{name: each for name, each in plain.items() if each}, **named}, interpolation=False)
    return "\n".join(lines.write()) + "\n"


def _absolute(settings: Any) -> Any:
    """DVC's settings with its marks of relative paths taken off: they were made absolute when read."""
    if isinstance(settings, dict):
        return {name: _absolute(value) for name, value in settings.items()}
    return str(settings) if isinstance(settings, str) else settings
