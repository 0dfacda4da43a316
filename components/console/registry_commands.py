"""What `refocus promote` and `power` do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components import recipes
from components.core.errors import InputError, LineageError, nearest
from components.core.records import EvalReport
from components.pipeline.project import Project, Run
from components.pipeline.registering import decide
from components.pipeline.version_run import record_of, run_of_version
from components.registry.decision import Decision
from components.services import tracking
from components.services.tracking import registry


def promote(name: str, number: int | None, project: Project) -> Decision:
    """Let the gate decide on a version of a model (the challenger when none is named), with its own
    pairs and report: of the checkout, or as git and DVC keep them.

    name: the model's name in the registry. Raises LineageError when there is no such version, or
    what it was measured on cannot be had.
    """
    sharing = recipes_of(name, project.root)  # before the registry is asked
    if number is None:
        found = tracking.at_alias(name, tracking.CHALLENGER)
    else:
        found = tracking.get_version(name, number)
    if found is None:
        raise LineageError(
            f"{name} has no challenger; run `refocus run {sharing[0].name}` to make one, or name a version"
        )
    recipe = the_one(sharing, found.tags.get(registry.RECIPE_NAME))
    with run_of_version(project, recipe, found) as run:
        return decide(run, record_of(found))


def power(name: str, project: Project) -> tuple[str, ...]:
    """What a recipe's test photos can show, in lines. Raises LineageError when it was not evaluated
    here yet.
    """
    from components.registry.power import report_power

    run = Run.of(project, name)
    return report_power(run.recipe.register_, run.load(EvalReport))


def recipes_of(name: str, root: Path) -> list[recipes.Recipe]:
    """The recipes whose models have that name in the registry, at least one. Raises InputError with
    the nearest right name.
    """
    found, refused = recipes.load_all(root)
    sharing = [recipe for recipe in found.values() if recipe.register_.name == name]
    if not sharing:
        known = sorted({recipe.register_.name for recipe in found.values()})
        unread = "".join(f" {each} cannot be read: {error}." for each, error in refused.items())
        raise InputError(
            f'no recipe registers a model "{name}"; there are {", ".join(known)}.{nearest(name, known)}'
            f"{unread}"
        )
    return sharing


def the_one(sharing: Sequence[recipes.Recipe], made_by: str | None) -> recipes.Recipe:
    """Of recipes that share a model's name the one that a version says it was made by.

    Raises InputError when nothing tells which of several is meant.
    """
    chosen = [recipe for recipe in sharing if recipe.name == made_by] or sharing
    if len(chosen) > 1:
        names = " and ".join(recipe.name for recipe in chosen)
        raise InputError(
            f"the recipes {names} both register their models as {chosen[0].register_.name}, and the version"
            f" says {'it is of ' + made_by if made_by else 'of none which made it'}: give each recipe a"
            " register.name of its own"
        )
    return chosen[0]
