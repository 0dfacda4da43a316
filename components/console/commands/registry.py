"""The commands about registered models: which serves, what was decided, where one comes from."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.console.commands.parser import Add, add_overwrite
from components.core import stopping
from components.core.errors import LineageError, nearest


def add_to(add: Add) -> None:
    """Add the commands of this file."""
    made = add(
        "promote",
        "make a registered version the champion, if the gate says yes",
        "refocus promote demo 3",
        _promote,
    )
    made.add_argument("name", metavar="NAME")
    made.add_argument(
        "version",
        metavar="VERSION",
        nargs="?",
        type=int,
        help="a version's number; the challenger when left out",
    )
    add(
        "power",
        "say which gain the recipe's test photos can show, and how many more one needs",
        "refocus power demo",
        _power,
    ).add_argument("recipe", metavar="RECIPE")
    _add_answers(add)
    made = add(
        "rollback",
        "give the champion's place back to the version before it",
        'refocus rollback demo --reason "halos at night"',
        _rollback,
    )
    made.add_argument("name", metavar="NAME")
    made.add_argument("--reason", required=True, help="why; it goes into the record")
    made.add_argument(
        "--to",
        type=int,
        metavar="VERSION",
        help="a version that once passed the gate, instead of the previous champion",
    )
    add(
        "history",
        "list what was decided about a model, by whom and when",
        "refocus history demo",
        _history,
    ).add_argument("name", metavar="NAME")
    _add_compare(add)
    made = add(
        "lineage",
        "walk a model back to its photos, code and parameters",
        "refocus lineage demo@champion --verify",
        _lineage,
    )
    made.add_argument("model", metavar="NAME@ALIAS")
    made.add_argument("--photos", action="store_true", help="list the photos it was trained and tested on")
    made.add_argument(
        "--verify", action="store_true", help="hash every object again and check that every link holds"
    )


def _add_answers(add: Add) -> None:
    for name, about in (
        ("approve", "let a version that waits for a person serve"),
        ("reject", "keep a version that waits for a person from serving"),
    ):
        made = add(name, about, f'refocus {name} demo:3 --reason "looked at the pictures"', _answer)
        made.add_argument(
            "run", metavar="RUN", help="NAME:VERSION, or the name or id of a Prefect run that asks or trained"
        )
        made.add_argument("--reason", required=True, help="why; it goes into the record")


def _add_compare(add: Add) -> None:
    made = add(
        "compare",
        "put versions or recipes side by side: figures with intervals, settings that differ, pictures",
        "refocus compare demo@previous demo@champion",
        _compare,
    )
    made.add_argument(
        "models", metavar="MODEL", nargs="+", help="two or more: NAME:3, NAME@alias, or a recipe's name"
    )
    made.add_argument(
        "--on", metavar="RECIPE", help="measure all of them on this recipe's test pairs, as they lie here"
    )
    made.add_argument(
        "--out", metavar="DIR", type=Path, help="folder for index.html; .refocus/compare when left out"
    )
    add_overwrite(made)


def _promote(arguments: argparse.Namespace) -> int:
    from components.console.registry_commands import promote
    from components.pipeline.project import Project

    decision = promote(arguments.name, arguments.version, Project.here())
    print(decision.told)
    return 0 if decision.promoted else 1


def _answer(arguments: argparse.Namespace) -> int:
    from components.pipeline.project import Project
    from flows.answers import answer

    approve = arguments.command == "approve"
    decision = answer(Project.here(), arguments.run, approve=approve, reason=arguments.reason)
    print(decision.told)
    return 0 if decision.action == arguments.command else LineageError.exit_code


def _power(arguments: argparse.Namespace) -> int:
    from components.console.registry_commands import power
    from components.pipeline.project import Project

    for line in power(arguments.recipe, Project.here()):
        print(line)
    return 0


def _rollback(arguments: argparse.Namespace) -> int:
    from components.pipeline.project import Project
    from components.registry.rollback import rollback

    Project.here()
    print(rollback(arguments.name, arguments.reason, arguments.to).told)
    return 0


def _history(arguments: argparse.Namespace) -> int:
    from components.pipeline.project import Project
    from components.registry.history import history
    from components.services import tracking

    Project.here()
    lines = history(arguments.name)
    for line in lines:
        print(line)
    if not lines:
        hint = nearest(arguments.name, tracking.ledger.models())
        stopping.say(
            f"nothing is decided about {arguments.name} so far (refocus recipes lists the names).{hint}"
        )
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from components.compare.command import compare_all
    from components.pipeline.project import Project

    settings = {"on": arguments.on, "out": arguments.out, "overwrite": arguments.overwrite}
    for line in compare_all(arguments.models, Project.here(), **settings).lines:
        print(line)
    return 0


def _lineage(arguments: argparse.Namespace) -> int:
    from components.pipeline.project import Project
    from components.registry import lineage

    root = Project.here().root
    print(lineage.trace(arguments.model))
    settings, photos = lineage.photos_told(arguments.model) if arguments.photos else ("", ())
    if settings:
        print(f"photos taken in with: {settings}")
    for photo in photos:
        print(
            f"{photo.split:<5}  {photo.id[:16]}  {photo.width}×{photo.height}  {photo.name}"
            + (f"  ({photo.licence})" if photo.licence else "")
        )
    if not arguments.verify:
        return 0
    problems = lineage.verify(arguments.model, root=root)
    for problem in problems:
        print(f"!! {problem}")
    print(
        f"{len(problems)} link{'s' if len(problems) != 1 else ''} broken"
        if problems
        else "verified: every object exists and every hash matches"
    )
    return LineageError.exit_code if problems else 0
