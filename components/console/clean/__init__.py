"""`refocus clean`: take away what past runs left and nobody needs, and say of everything that stays why.

items.py    one thing that may go, and the retention that decides
runs.py     commits of runs, git worktrees
states.py   states of trainings, local and in a bucket
leftovers.py  caches, pages, what was set aside, files of models that no version names
store.py   the team's store

Nothing that a registered version rests on goes, unless `--and-registered` says so. Objects in DVC's
cache and remote, tracking runs and versions are never touched.
"""

from __future__ import annotations

from pathlib import Path

from components.console.clean import leftovers, runs, states, store
from components.console.clean.items import Item, Retention, size_words
from components.core.temporaries import sweep
from components.pipeline.project import Project

SHOWN = 12  # lines a kind; the rest is counted


def clean(project: Project, retention: Retention, *, dry_run: bool, and_registered: bool = False) -> int:
    """Look at everything, print what goes and what stays with its reason, and take away what goes; gives
    0.

    and_registered: let runs go too that registered versions were made by. Raises ServiceError when
    the registry or the bucket of states does not answer: nobody knows then what rests on what.
    """
    found = look(project, retention, and_registered=and_registered)
    for kind in dict.fromkeys(item.kind for item in found):
        _print(kind, [item for item in found if item.kind == kind], dry_run)
    going = [item for item in found if item.goes]
    if not dry_run:
        for item in going:
            item.remove()
        sweep(project.root, project.root / "data")
    total = size_words(sum(item.bytes for item in going))
    done = "would go" if dry_run else "gone"
    print(f"{len(going)} of {len(found)} things {done}, {total}; nothing else was touched")
    return 0


def look(project: Project, retention: Retention, *, and_registered: bool = False) -> list[Item]:
    """Everything that clean knows of, each with what becomes of it and why."""
    unknown = store.runs_of_others(project.root)
    commits = list(runs.commits(project, retention, and_registered=and_registered))
    kept = {item.name for item in commits if not item.goes}
    return [
        *commits,
        *runs.worktrees(project),
        *states.local(project, retention),
        *states.in_bucket(project, retention),
        *leftovers.caches(project, retention),
        *leftovers.set_aside(project, retention),
        *leftovers.registered(project),
        *leftovers.unnamed_models(project, retention),
        *store.contents(project, retention, kept, unknown),
    ]


def sizes(root: Path, state: Path) -> list[tuple[str, Path]]:
    """The folders that grow, by what they hold."""
    return [
        ("data of recipes", root / "data"),
        ("DVC cache", root / ".dvc" / "cache"),
        ("DVC remote", state / "dvc-remote"),
        ("models", state / "mlartifacts"),
        ("states", state / "training"),
        ("node cache", state / "cache"),
        ("worktrees", state / "worktrees"),
    ]


def _print(kind: str, items: list[Item], dry_run: bool) -> None:
    going, staying = ([item for item in items if item.goes is goes] for goes in (True, False))
    print(f"{kind}: {len(going)} of {len(items)} {'would go' if dry_run else 'go'}")
    for mark, some in (("-", going), ("+", staying if dry_run else [])):
        for item in some[:SHOWN]:
            print(f"  {mark} {item.name}  {size_words(item.bytes)}  {item.why}")
        if more := some[SHOWN:]:
            print(f"  {mark} and {len(more)} more, {size_words(sum(item.bytes for item in more))}")
