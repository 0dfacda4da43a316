"""The commands that run a recipe: whole, or one stage of it; and its pairs to and from a bucket."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from components.console.commands.parser import Add, add_overwrite
from components.core import stopping
from components.core.causes import explained
from components.core.errors import RefocusError

if TYPE_CHECKING:
    from components.pipeline.project import Project


def add_to(add: Add) -> None:
    """Add the commands of this file."""
    made = add(
        "run",
        "run a whole recipe: its stages, registering, the gate, promotion",
        "refocus run deblurgan --photos ~/photos",
        _run,
    )
    made.add_argument("recipe", metavar="RECIPE")
    made.add_argument(
        "--photos",
        metavar="PLACE",
        help=(
            "folder or s3://bucket/prefix of sharp photos (of the pairs, with ingest.pairs), instead of the"
            " recipe's ingest.photos"
        ),
    )
    made.add_argument(
        "--no-prefect",
        action="store_true",
        help="the same steps without Prefect's server and page (starts 10 s faster)",
    )
    made.add_argument(
        "--dry-run", action="store_true", help="print the recipe with every default filled in, and stop"
    )
    made.add_argument(
        "--worktree",
        action="store_true",
        help="run the last commit in a folder of its own, as scheduled runs do",
    )
    _add_accept_fewer(made)
    abouts = {
        "ingest": (
            "read sharp photos, or real pairs, from a folder or bucket, sort out the unusable, split by"
            " content"
        ),
        "synthesize": (
            "make pairs: photos blurred as cameras do, made small, parted, or as they came, beside their"
            " sharp ones"
        ),
        "train": "train the restoration GAN on the pairs; run it again to resume",
        "evaluate": "measure the checkpoint and doing nothing on the test pairs",
    }
    for name, about in abouts.items():
        made = add(name, f"one stage: {about}", f"refocus {name} demo", _stage)
        made.add_argument("recipe", metavar="RECIPE")
        if name == "ingest":
            _add_accept_fewer(made)
    _add_pairs(add)


def _add_pairs(add: Add) -> None:
    made = add(
        "send-pairs",
        "copy a recipe's pairs to a bucket",
        "refocus send-pairs deblurgan s3://sets/deblurgan",
        _send_pairs,
    )
    made.add_argument("recipe", metavar="RECIPE")
    made.add_argument("place", metavar="PLACE", help="s3://bucket/prefix")
    add_overwrite(made)
    made = add(
        "fetch-pairs",
        "bring pairs back from a bucket, every byte checked",
        "refocus fetch-pairs s3://sets/deblurgan --out pairs",
        _fetch_pairs,
    )
    made.add_argument("place", metavar="PLACE", help="s3://bucket/prefix")
    made.add_argument("--out", required=True, metavar="DIR", type=Path)
    add_overwrite(made)


def _add_accept_fewer(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--accept-fewer",
        action="store_true",
        help="agree that the set of photos may shrink by more than ingest.max_shrink since the last run",
    )


def _accept_fewer(arguments: argparse.Namespace) -> None:
    if getattr(arguments, "accept_fewer", False):
        from components.ingest.account import accept_fewer

        accept_fewer()


def _stage(arguments: argparse.Namespace) -> int:
    from components.core.clock import seconds_since_start
    from components.core.records import EvalReport
    from components.pipeline import recipe_lock, stages
    from components.pipeline.project import Project, Run, is_of_a_run

    if "DVC_STAGE" in os.environ:
        # A run started in the background has Ctrl-C switched off for its children too; yet that is
        # how we ask a stage to end in order.
        stopping.heed_interrupt()
    name = arguments.command
    _accept_fewer(arguments)
    project = Project.here()
    with _status_left(arguments.recipe, name):
        run = Run.of(project, arguments.recipe)
        with recipe_lock.held_by_hand(run), stages.prepared(name, run) as work:
            record = work()
    if isinstance(record, EvalReport) and not is_of_a_run(run.name):  # which has them at its own end
        from components.evaluate.tables import terminal_table

        print(f"\n{terminal_table(record).rstrip()}\n\nreport         {record.folder / 'report.html'}")
    print(
        f"{name} of {run.name}: {type(record).__name__} {record.digest[:12]} in {seconds_since_start():.1f} s"
    )
    return 0


@contextmanager
def _status_left(recipe: str, stage: str) -> Iterator[None]:
    """Leave word of how a stage ended, for the run that it is part of, if any."""
    from components.core.progress import Progress
    from components.pipeline.project import is_of_a_run
    from components.services import versioning

    if not is_of_a_run(recipe):
        yield
        return
    try:
        yield
    except Exception as error:
        told = explained(error)
        with suppress(RefocusError, OSError):  # of two errors the stage's own is the one to tell
            versioning.leave_status(
                recipe, stage, exit_code=told.exit_code, message=" ".join(str(told).split())
            )
        raise
    versioning.leave_status(recipe, stage, seconds=round(Progress.worked_s, 2))


def _send_pairs(arguments: argparse.Namespace) -> int:
    from components.core.records import PairSet
    from components.pipeline.project import Project, Run
    from components.synthesize.exchange import send

    pairset = Run.of(Project.here(), arguments.recipe).load(PairSet)
    print(send(pairset, arguments.place, overwrite=arguments.overwrite))
    return 0


def _fetch_pairs(arguments: argparse.Namespace) -> int:
    from components.synthesize.exchange import fetch

    print(fetch(arguments.place, arguments.out, overwrite=arguments.overwrite))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from components.pipeline.project import Project

    project = Project.here(writes=not arguments.dry_run)
    photos = (
        arguments.photos
        if arguments.photos is None or "://" in arguments.photos
        else str(Path(arguments.photos).expanduser().resolve())
    )
    if arguments.dry_run:
        return _dry_run(arguments.recipe, photos, project)
    _accept_fewer(arguments)
    settings = {"photos": photos, "worktree": arguments.worktree, "debug": arguments.debug}
    if arguments.no_prefect:
        from flows.steps import retrain_plainly

        retrain_plainly(arguments.recipe, project, **settings)
    else:
        from flows.console import retrain_at_console

        retrain_at_console(arguments.recipe, project, **settings)
    return 0


def _dry_run(name: str, photos: str | None, project: Project) -> int:
    import yaml

    from components.pipeline.project import Run

    recipe = Run.of(project, name, photos=photos).recipe
    print(yaml.safe_dump(recipe.plain(), sort_keys=False, allow_unicode=True), end="")
    print(f"# digest {recipe.record().digest}")
    return 0
