"""The commands about runs that nobody starts by hand: deployments, the worker that takes them, runs
for certain photos.
"""

from __future__ import annotations

import argparse

from components.console.commands.parser import Add


def add_to(add: Add) -> None:
    """Add the commands of this file."""
    add(
        "deploy",
        "put recipes, their schedules and triggers onto the Prefect server",
        "refocus deploy",
        _deploy,
    ).add_argument("recipes", metavar="RECIPE", nargs="*", help="all of dvc.yaml when left out")
    add(
        "worker",
        "take scheduled runs from the Prefect server and run them in this checkout",
        "refocus worker",
        _worker,
    )
    made = add(
        "backfill",
        "queue a run of a recipe for each place of photos",
        "refocus backfill deblurgan s3://photos/2026-09 s3://photos/2026-10",
        _backfill,
    )
    made.add_argument("recipe", metavar="RECIPE")
    made.add_argument(
        "places", metavar="PLACE", nargs="+", help="folder or s3://bucket/prefix, in this order"
    )


def _deploy(arguments: argparse.Namespace) -> int:
    from components.pipeline.project import Project
    from flows.deployments import deploy

    for line in deploy(Project.here(), tuple(arguments.recipes)):
        print(line)
    return 0


def _worker(arguments: argparse.Namespace) -> int:
    from components.pipeline.project import Project
    from flows.queued import work

    work(Project.here())
    return 0


def _backfill(arguments: argparse.Namespace) -> int:
    from components.pipeline.project import Project
    from flows.queued import backfill

    for line in backfill(Project.here(), arguments.recipe, tuple(arguments.places)):
        print(line)
    return 0
