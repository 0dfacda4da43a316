"""What a cluster runs for a sender outside of it: `python -m components.pipeline.job s3://…/jobs/NAME`.

It reads the task there, takes records from the store by content, does a stage's work as any machine
does, and leaves how it ended beside the task. It runs in the sender's own code (sending.py).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from components.core import records, stopping, surroundings
from components.core.causes import explained
from components.core.errors import InputError, RefocusError
from components.core.files import state_folder
from components.core.progress import Progress
from components.core.record import Record
from components.pipeline.enclosed import opened
from components.pipeline.sending import OUTCOME, TASK, Asked, Measured, Outcome, Parcel, Task, store
from components.services import storage, tracking
from components.services.cluster import code, jobs


def main(folder: str) -> int:
    """Do the task at that address; gives the exit code. The outcome says how it ended, unless it was
    stopped.
    """
    surroundings.settle()
    jobs.settle(gpu=True)
    stopping.heed()
    try:
        task = Task.model_validate_json(storage.read_object(storage.join(folder, TASK)))
        jobs.settle(gpu=task.gpu)
        _need_same(task)
        folder_here = tempfile.TemporaryDirectory(prefix="job-", dir=state_folder())
        with folder_here as place, opened(task.enclosed) as start:
            outcome = WORK[task.stage](task, Path(place), start)
    except RefocusError as error:
        return _failed(folder, error)
    except BaseException as error:
        number = stopping.signal_of(error)
        if number is not None:
            stopping.begin(number)
            return 128 + number
        if not isinstance(error, Exception):
            raise
        import traceback

        traceback.print_exc()
        return _failed(folder, explained(error))
    _leave(folder, outcome.model_copy(update={"seconds": round(Progress.worked_s, 2)}))
    return 0


def _need_same(task: Task) -> None:
    """Raises InputError when this node has other code or libraries than the sender."""
    import socket

    code.refuse_others(f"{socket.gethostname()} of the cluster", code.wanted(), task.has)


def _made(task: Task, place: Path, start: Path | None) -> Outcome:
    """A stage of a run: its record, with its folder in the store."""
    from components.pipeline.stages import stage_named, start_of
    from components.recipes import Recipe

    stage = stage_named(task.stage)
    recipe = Recipe.of_record(task.recipe)
    settings = recipe.section(task.stage)
    whole = [task.recipe] if stage.whole_recipe else []
    out = place / "out"
    begins = start_of(stage, recipe, state_folder(), start)
    record = stage.run(settings, *whole, *map(_taken, task.takes), out=out, **begins)
    store().send_folder(out, record.digest)
    return Outcome(digest=record.digest)


def _registered(task: Task, place: Path, start: Path | None) -> Outcome:
    """A version in the registry. dvc.lock lies above the checkpoint, as it does in a checkout."""
    from components.pipeline.stages import REGISTER, formats_of
    from components.recipes import Recipe

    taken = {parcel.kind: _taken(parcel) for parcel in task.takes}
    work = place / "checkpoint"
    shutil.copytree(taken["Checkpoint"].folder, work)
    if isinstance(lock := task.more["lock"], str):
        (place / "dvc.lock").write_text(lock)
    checkpoint, recipe = records.Checkpoint.load(work), Recipe.of_record(task.recipe)
    pairset = taken["PairSet"]
    assert isinstance(pairset, records.PairSet)
    version = REGISTER.run(
        recipe.section("register"),
        task.recipe,
        *(taken | {"Checkpoint": checkpoint}).values(),
        records.Provenance.model_validate(task.more["provenance"]),
        out=place / "version",
        beside=formats_of(recipe, checkpoint, pairset),
    )
    return Outcome(result=version.model_dump(mode="json"))


def _measured(task: Task, place: Path, start: Path | None) -> Outcome:
    """A champion's scores on a run's pairs."""
    from components.registry.promotion import measured_here

    (pairset,) = map(_taken, task.takes)
    assert isinstance(pairset, records.PairSet)
    asked = Asked.model_validate(task.more)
    name, number = asked.champion
    found = measured_here(tracking.get_version(name, number), pairset, asked.metrics, asked.conditions)
    return Outcome(result=Measured(scores=found[0], place=found[1]).model_dump(mode="json"))


WORK: dict[str, Callable[[Task, Path, Path | None], Outcome]] = {
    "synthesize": _made,
    "train": _made,
    "evaluate": _made,
    "register": _registered,
    "measure": _measured,
}


def _taken(parcel: Parcel) -> Record:
    """A record of the store, with its folder on this machine."""
    kind: type[Record] = getattr(records, parcel.kind)
    # Photos and pairs stay where they are, and are read by name: a set may be larger than this disk.
    listed = parcel.kind in ("PhotoSet", "PairSet")
    record = kind.load((store().fetch_listed if listed else store().fetch_folder)(parcel.folder))
    if record.digest != parcel.digest:
        raise InputError(
            f"the store has {record.digest[:12]}… under {parcel.folder[:12]}…, another {parcel.kind}"
        )
    return record


def _failed(folder: str, error: RefocusError) -> int:
    words = " ".join(str(error).split())
    print(f"refocus: error: {words}", file=sys.stderr, flush=True)
    _leave(folder, Outcome(error=type(error).__name__, words=words))
    return error.exit_code


def _leave(folder: str, outcome: Outcome) -> None:
    storage.put(outcome.model_dump_json().encode(), storage.join(folder, OUTCOME))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
