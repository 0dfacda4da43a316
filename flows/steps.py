"""The whole run in its one order, with or without Prefect: stages as dvc.yaml orders them, then
push, commit, register, promote.

    refocus run demo --no-prefect

`flows/retrain.py` walks through the same steps and makes each a Prefect task.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from components import recipes
from components.core.errors import StageError
from components.core.files import code_digest, state_folder, write_text
from components.core.parts import digest_of
from components.core.records import Checkpoint, EvalReport, ModelVersion, PairSet, PhotoSet, Provenance
from components.pipeline import stages
from components.registry import promotion
from components.registry.decision import Decision
from components.services import tracking, versioning
from components.train.run import preflight
from flows.closing import closing_lines
from flows.timing import Step, keep_times
from flows.workspace import Workspace, workspace

Result = TypeVar("Result")


class Do(Protocol):
    """How a step is taken: called straight, or as a Prefect task of that name."""

    def __call__(self, name: str, work: Callable[[], Result]) -> Result: ...


def straight(name: str, work: Callable[[], Result]) -> Result:
    """Take a step by calling it."""
    return work()


@dataclass
class Run:
    """A run on its way: where, and what was done so far."""

    space: Workspace
    do: Do
    say: versioning.Say
    steps: list[Step] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def stage(self, name: str) -> versioning.Outcome:
        """Bring one stage up to date in a child process."""
        space, began = self.space, time.monotonic()
        outcome = self.do(
            name,
            lambda: versioning.reproduce(
                space.recipe,
                name,
                root=space.root,
                say=self.say,
                debug=space.debug,
                extra=space.environment,
                started=space.note_child,
            ),
        )
        self.steps.append(Step(name, outcome.how, time.monotonic() - began, outcome.computing_s))
        return outcome

    def step(self, name: str, work: Callable[[], Result], *, computes: bool = False) -> Result:
        """Do one step in this process. computes: its time is work, not orchestration."""
        began = time.monotonic()
        result = self.do(name, work)
        seconds = time.monotonic() - began
        self.steps.append(Step(name, "ran", seconds, seconds if computes else 0.0))
        return result


@dataclass(frozen=True)
class Finished:
    """What a run came to. `lines` is what a person is told at its end."""

    recipe: str
    lines: tuple[str, ...]
    changed: bool
    version: ModelVersion | None = None
    report: EvalReport | None = None
    decision: Decision | None = None


def retrain_plainly(
    recipe: str,
    root: Path,
    *,
    photos: str | None = None,
    worktree: bool = False,
    debug: bool = False,
    say: versioning.Say = print,
) -> Finished:
    """Run a recipe from photos to a verdict, without Prefect; says at the end what came of it."""
    with workspace(recipe, root, photos=photos, worktree=worktree, debug=debug) as space:
        finished = follow(space, straight, say)
    for line in finished.lines:
        say(line)
    return finished


def follow(space: Workspace, do: Do, say: versioning.Say) -> Finished:
    """Take every step of a run, in order; stops at once when nothing has changed since the last
    one.
    """
    stages.need_torch()
    run = Run(space, do, say)
    recipe = recipes.load(space.recipe, root=space.root)
    tracking.prepare()  # an address that does not answer is said before any work
    first, *rest = versioning.stage_order(space.root)
    run.stage(first)
    stale = versioning.status(recipe.name, rest, root=space.root)
    if not stale and (stamp := _stamp_of(run)) == _last_stamp(recipe.name):
        return _nothing_to_do(run, recipe.name, stamp["champion"])
    if any(name.startswith(("synthesize@", "train@")) for name in stale):
        preflight(recipe.train)  # weights that cannot be had are said before hours of other work
    for name in rest:
        if stale:
            run.stage(name)
        else:
            run.steps.append(Step(name, "reused", 0.0, 0.0))
    if stale and (left := versioning.status(recipe.name, rest, root=space.root)):
        raise StageError(
            f"after the run DVC still holds {', '.join(left)} to be out of date; was a file edited meanwhile?"
            " Run the same command again"
        )
    run.step("push", lambda: versioning.push(recipe.name, (first, *rest), root=space.root))
    commit = run.step(
        "commit",
        lambda: versioning.snapshot(
            recipe.name, f"refocus run {recipe.name}: data, code and parameters as used", root=space.root
        ),
    )
    version = run.step("register", lambda: _register(space, commit), computes=True)
    decision = run.step("promote", lambda: decide(recipe, version, space.root), computes=True)
    write_text(_stamp_path(recipe.name), json.dumps(_stamp_of(run)) + "\n")
    report = EvalReport.load(stages.folder_of(space.root, recipe.name, EvalReport))
    total_s = time.monotonic() - run.began
    keep_times(recipe.name, run.steps, total_s)
    lines = closing_lines(space.root, commit, version, report, decision, run.steps, total_s)
    return Finished(recipe.name, lines, True, version, report, decision)


def _register(space: Workspace, commit: str) -> ModelVersion:
    provenance = Provenance(git_commit=commit, dvc=versioning.hashes(space.recipe, root=space.root))
    version = stages.register(space.recipe, provenance, space.root)
    run_id = tracking.get_version(version.name, version.version).run_id
    if run_id is not None:
        tracking.log_results(run_id, metrics={}, step=0, files=(space.root / "dvc.lock",))
    return version


def decide(recipe: recipes.Recipe, version: ModelVersion, root: Path) -> Decision:
    """Let the gate decide on a version, with the recipe's pairs and report at hand."""
    pairset, report = (kind.load(stages.folder_of(root, recipe.name, kind)) for kind in (PairSet, EvalReport))
    assert isinstance(pairset, PairSet)
    assert isinstance(report, EvalReport)
    return promotion.promote(recipe.register_, pairset, report, version, tile_px=recipe.evaluate.tile_px)


def _stamp_of(run: Run) -> dict[str, str | None]:
    """What a verdict rests on, by content: when none of it changed, the verdict would be the same."""
    space = run.space
    recipe = recipes.load(space.recipe, root=space.root)
    champion = tracking.at_alias(recipe.register_.name, "champion")
    kinds = (PhotoSet, PairSet, Checkpoint, EvalReport)
    return {
        # Where the photos lay is left out: what they are stands in the PhotoSet.
        "recipe": digest_of(
            {name: section for name, section in recipe.record().sections.items() if name != "ingest"}
        ),
        "code": code_digest(
            *(
                space.root / "components" / name
                for name in ("core", "metrics", "nets", "evaluate", "register", "registry")
            )
        ),
        "champion": str(champion.number) if champion else None,
        **{
            kind.__name__: kind.load(stages.folder_of(space.root, recipe.name, kind)).digest for kind in kinds
        },
    }


def _stamp_path(recipe: str) -> Path:
    return state_folder() / "verdicts" / f"{recipe}.json"


def _last_stamp(recipe: str) -> dict[str, str | None] | None:
    path = _stamp_path(recipe)
    if not path.is_file():
        return None
    stamp: dict[str, str | None] = json.loads(path.read_text())
    return stamp


def _nothing_to_do(run: Run, name: str, champion: str | None) -> Finished:
    seconds = time.monotonic() - run.began
    keep_times(name, run.steps, seconds)
    serving = f"the champion is still version {champion}" if champion else "there is still no champion"
    return Finished(
        name,
        (
            (
                f"nothing to do for {name}: photos, code and parameters are those of the last run, and"
                f" {serving} ({seconds:.1f} s)"
            ),
        ),
        False,
    )
