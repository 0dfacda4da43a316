"""What `refocus promote` and `power` do."""

from __future__ import annotations

from pathlib import Path

from components import recipes
from components.core.errors import InputError, LineageError, nearest
from components.core.records import EvalReport, ModelVersion
from components.pipeline.project import Project, Run
from components.pipeline.registering import decide
from components.registry.decision import Decision
from components.services import tracking
from components.services.tracking import registry


def promote(name: str, number: int | None, project: Project) -> Decision:
    """Let the gate decide on a version of a model (the challenger when none is named), with the
    pairs and report of its recipe here.

    name: the model's name in the registry. Raises LineageError when there is no such version, or
    the report here is for another.
    """
    recipe = recipe_of(name, project.root)
    found = (
        tracking.at_alias(name, tracking.CHALLENGER) if number is None else tracking.get_version(name, number)
    )
    if found is None:
        raise LineageError(
            f"{name} has no challenger; run `refocus run {recipe.name}` to make one, or name a version"
        )
    version = ModelVersion(
        name=name,
        version=found.number,
        checkpoint=found.tags.get(registry.CHECKPOINT, ""),
        report=found.tags.get(registry.REPORT, ""),
        recipe=found.tags.get(registry.RECIPE, ""),
    )
    return decide(Run(project, recipe), version)


def power(name: str, project: Project) -> tuple[str, ...]:
    """What a recipe's test photos can show, in lines. Raises LineageError when it was not evaluated
    here yet.
    """
    from components.registry.power import report_power

    run = Run.of(project, name)
    return report_power(run.recipe.register_, run.load(EvalReport))


def recipe_of(name: str, root: Path) -> recipes.Recipe:
    """The recipe whose models have that name in the registry. Raises InputError with the nearest
    right one.
    """
    found, refused = recipes.load_all(root)
    known = {recipe.register_.name: recipe for recipe in found.values()}
    if name not in known:
        unread = "".join(f" {each} cannot be read: {error}." for each, error in refused.items())
        raise InputError(
            f'no recipe registers a model "{name}"; there are {", ".join(known)}.{nearest(name, known)}'
            f"{unread}"
        )
    return known[name]
