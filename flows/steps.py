"""The whole run in its one order, with or without Prefect: stages as dvc.yaml orders them, then
push, commit, register, promote.

    refocus run demo --no-prefect

`flows/retrain.py` walks through the same steps and makes each a Prefect task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from components.core.clock import seconds_since_start
from components.core.errors import StageError
from components.core.progress import Progress
from components.core.records import Checkpoint, EvalReport, ModelVersion, PairSet
from components.pipeline import registering, stages
from components.pipeline.out_of_step import of_other_releases
from components.pipeline.project import Project, Run
from components.pipeline.recipe_lock import note_child
from components.registry.at_work import alone
from components.registry.decision import Decision
from components.registry.drift import Drift
from components.services import tracking, versioning
from components.services.cluster import is_outside
from flows import verdicts
from flows.closing import closing_lines, drift_lines
from flows.timing import Step, keep_times
from flows.workspace import workspace

Result = TypeVar("Result")


class Do(Protocol):
    """How a step is taken: called straight, or as a Prefect task of that name."""

    def __call__(self, name: str, work: Callable[[], Result]) -> Result: ...


def straight(name: str, work: Callable[[], Result]) -> Result:
    """Take a step by calling it."""
    return work()


@dataclass
class Steps:
    """The steps of a run as they are taken: how, who hears of it, and how long each took."""

    do: Do
    say: versioning.Say
    taken: list[Step] = field(default_factory=list)

    def stage(self, run: Run, name: str) -> versioning.Outcome:
        """Bring one stage up to date in a child process."""
        began = time.monotonic()
        work = partial(
            versioning.reproduce,
            run.name,
            name,
            root=run.root,
            say=self.say,
            debug=run.debug,
            extra=run.for_stages,
            started=partial(note_child, run.holder),
        )
        outcome = self.do(name, work)
        self.taken.append(Step(name, outcome.how, time.monotonic() - began, outcome.computing_s))
        return outcome

    def step(self, name: str, work: Callable[[], Result]) -> Result:
        """Do one step in this process. Only what stands behind a progress bar (the champion being
        measured) counts as computing, as in a stage.
        """
        began, computed = time.monotonic(), Progress.worked_s
        result = self.do(name, work)
        seconds = time.monotonic() - began
        self.taken.append(Step(name, "ran", seconds, Progress.worked_s - computed))
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
    drift: tuple[Drift, ...] = ()


@dataclass(frozen=True)
class Look:
    """What a look at photos, data and registry found.

    first: the stage that looks at the world, as it was taken; stale: stages that must be brought
    up to date, as `stage@recipe`; made: those of them whose results are at hand, as somebody made them
    before; settled: what there is to say when there is nothing to do.
    """

    first: Step
    stale: Sequence[str]
    settled: Finished | None
    made: Sequence[str] = ()


def retrain_plainly(
    recipe: str,
    project: Project,
    *,
    photos: str | None = None,
    worktree: bool = False,
    debug: bool = False,
    say: versioning.Say = print,
) -> Finished:
    """Run a recipe from photos to a verdict, without Prefect; says at the end what came of it."""
    with workspace(recipe, project, photos=photos, worktree=worktree, debug=debug) as run:
        finished = follow(run, straight, say)
    for line in finished.lines:
        say(line)
    return finished


def look(run: Run, do: Do, say: versioning.Say) -> Look:
    """Look at the photos, and at what has changed since the last verdict, here or elsewhere; no server
    is started, no heavy library imported. What others made of the same is fetched.
    """
    stages.need_torch()
    tracking.need_answer()  # an address that does not answer is said before any work
    steps = Steps(do, say)
    steps.stage(run, run.order[0])
    found = _out_of_date(run)
    if versioning.CHANGED not in found.values() and (run.in_worktree or not found):
        champion = verdicts.champion_of(run)
        if verdicts.is_settled(run, champion):
            return Look(steps.taken[0], (), _nothing_to_do(run, steps.taken, champion))
    made: Sequence[str] = ()
    if found:
        began = time.monotonic()
        made = do("fetch", partial(versioning.bring_made, run.name, run.order, root=run.root, say=say))
        steps.taken.append(Step("fetch", "ran", time.monotonic() - began, 0.0))
        found = _out_of_date(run) if made else found
    settled = None
    if not found and verdicts.is_settled(run, champion := verdicts.champion_of(run)):
        settled = _nothing_to_do(run, steps.taken, champion)
    return Look(steps.taken[0], tuple(found), settled, made)


def follow(run: Run, do: Do, say: versioning.Say, *, seen: Look | None = None) -> Finished:
    """Take every step of a run, in order; stops at once when nothing has changed since the last
    one.

    seen: a look that was had already.
    """
    seen = seen or look(run, do, say)
    if seen.settled:
        return seen.settled
    with alone(run.name, say) as need_alone:
        return _worked(run, do, say, seen, need_alone)


def _worked(run: Run, do: Do, say: versioning.Say, seen: Look, need_alone: Callable[[], None]) -> Finished:
    """All steps of a run that has something to do. need_alone: raises once another has taken its place."""
    tracking.prepare()
    to_make = [name for name in seen.stale if name not in seen.made]
    if not is_outside() and any(name.startswith(("synthesize@", "train@")) for name in to_make):
        from components.train.run import preflight  # torch; who has nothing to do need not wait for it

        preflight(run.recipe.train)  # weights that cannot be had are said before hours of other work
    steps = Steps(do, say, [seen.first])
    for name in run.order[1:]:
        need_alone()
        if seen.stale:
            steps.stage(run, name)
        else:
            steps.taken.append(Step(name, "reused", 0.0, 0.0))
    if seen.stale and (left := _out_of_date(run)):
        raise StageError(
            f"after the run DVC still holds {', '.join(left)} to be out of date; was a file edited meanwhile?"
            " Run the same command again"
        )
    need_alone()
    steps.step("push", partial(versioning.push, run.name, run.order, root=run.root))
    message = f"refocus run {run.name}: data, code and parameters as used"
    commit = steps.step("commit", partial(versioning.snapshot, run.name, message, root=run.root))
    if (why := steps.step("share", partial(versioning.push_runs, root=run.root))) is not None:
        say(f"warning: the commit of this run could not be pushed to {why}; the next run tries again")
    version = steps.step("register", partial(registering.register, run, commit))
    decision = steps.step("promote", partial(registering.decide, run, version))
    drift = steps.step("drift", partial(registering.drift, run, decision))
    verdicts.keep_settled(run, version.version)
    report, total_s = run.load(EvalReport), seconds_since_start()
    keep_times(run, steps.taken, total_s)
    stays = not run.in_worktree
    lines = closing_lines(run.root, commit, version, report, decision, steps.taken, total_s, stays=stays)
    lines = (*lines, *drift_lines(drift), *_of_other_releases(run))
    return Finished(run.name, lines, True, version, report, decision, drift)


def _out_of_date(run: Run) -> dict[str, str]:
    """What is out of date of all that follows the look at the world, which is out of date always."""
    return versioning.out_of_date(run.name, run.order, root=run.root)


def _nothing_to_do(run: Run, taken: Sequence[Step], champion: int | None) -> Finished:
    seconds = seconds_since_start()
    keep_times(run, taken, seconds)
    serving = f"the champion is still version {champion}" if champion else "there is still no champion"
    words = (
        f"nothing to do for {run.name}: photos, code and parameters are those of the last run, and"
        f" {serving} ({seconds:.1f} s)"
    )
    return Finished(run.name, (words, *_of_other_releases(run)), False)


def _of_other_releases(run: Run) -> tuple[str, ...]:
    """What was made with other libraries than these and is taken as it is: DVC knows of code and data."""
    return tuple(f"warning: {words}" for words in of_other_releases(run, PairSet, Checkpoint, EvalReport))
