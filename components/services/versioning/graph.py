"""dvc.yaml as we read it: for which recipes there are stages, and in which order. People edit it by hand,
to add a recipe: what is wrong with it is told before DVC meets it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from components.core.errors import InputError, nearest

GRAPH = "dvc.yaml"


def recipes_in_graph(root: Path) -> tuple[str, ...]:
    """The recipes that dvc.yaml has stages for: its first `vars` list. Raises InputError when it is none."""
    lists = _graph(root).get("vars", [])
    for entry in lists if isinstance(lists, list) else ():
        if isinstance(entry, dict) and "recipes" in entry:
            return _names(root, entry["recipes"])
    raise InputError(f"{root / GRAPH} has no `vars: - recipes: [...]` list")


def _names(root: Path, found: object) -> tuple[str, ...]:
    if not isinstance(found, list):
        raise InputError(
            f"`recipes` in {root / GRAPH} must be a list, such as [demo, demo_wide]; it is {found!r}"
        )
    for name in found:
        if not isinstance(name, str):
            raise InputError(
                f"`recipes` in {root / GRAPH} holds {name!r}, which is no recipe's name: correct it, or take"
                " it out"
            )
    return tuple(dict.fromkeys(found))


def stage_order(root: Path) -> tuple[str, ...]:
    """The names of the stages that each recipe has, in the order that their dependencies ask for; others
    are their author's to run.
    """
    stages: dict[str, Any] = {
        name: stage
        for name, stage in _graph(root)["stages"].items()
        if isinstance(stage, dict) and "recipe" in (stage.get("matrix") or ())
    }
    gives = {
        str(out if isinstance(out, str) else next(iter(out))): name
        for name, stage in stages.items()
        for out in stage.get("outs", [])
    }
    order: list[str] = []

    def visit(name: str) -> None:
        for dep in stages[name].get("deps", []):
            if dep in gives:
                visit(gives[dep])
        if name not in order:
            order.append(name)

    for name in stages:
        visit(name)
    return tuple(order)


def need_in_graph(root: Path, recipe: str) -> None:
    """Refuse a recipe that dvc.yaml has no stages for."""
    known = recipes_in_graph(root)
    if recipe not in known:
        raise InputError(
            f'no stages for recipe "{recipe}" in {root / GRAPH}; its `recipes` list has {", ".join(known)}:'
            f" add the name there.{nearest(recipe, known)}"
        )


def _graph(root: Path) -> dict[str, Any]:
    path = root / GRAPH
    if not path.is_file():
        raise InputError(f"no {GRAPH} at {root}; run refocus inside a clone of its repository")
    undo = f"correct it, or take the change back (git diff {GRAPH} shows it)"
    try:
        graph = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}; {undo}") from error
    if not isinstance(graph, dict) or not isinstance(graph.get("stages"), dict):
        raise InputError(f"{path} has no `stages:` with settings below; {undo}")
    return graph
