"""The commands of `refocus`: how each is called and what it does, by subject. Everything heavy is
imported by the command that needs it, so that --help answers at once.

pipeline.py   run, its four stages, pairs to and from a bucket
registry.py   promote, approve, reject, power, rollback, history, lineage
scheduling.py deploy, worker, backfill
restoring.py  restore, export
serving.py    serve
about.py      recipes, describe, blur-atlas, doctor, clean, ui
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from components.console.commands import about, pipeline, registry, restoring, scheduling, serving
from components.console.commands.parser import Command, Parser
from components.core.errors import InputError, nearest


def parse(words: Sequence[str], *, debug: bool = False) -> argparse.Namespace:
    """What the words of a command line ask for; its `do`, called with it, does that and gives the
    exit code. Raises InputError.
    """
    if any(not word.strip() for word in words):
        raise InputError(
            "one of the words of the command line is empty: is a variable of the shell not set? This folder"
            " is called by a dot"
        )
    parser, names = all_commands()
    command = next((word for word in words if not word.startswith("-")), None)
    if command is not None and command not in names:
        raise InputError(f'no command "{command}"; there are {", ".join(names)}.{nearest(command, names)}')
    try:
        arguments = parser.parse_args(list(words), argparse.Namespace(debug=debug))
    except InputError as error:
        raise InputError(f"{error}{_dashed(words)}") from None
    if not hasattr(arguments, "do"):
        arguments.do, arguments.parser = _help, parser
    return arguments


def run(words: Sequence[str]) -> int:
    """Do what a command line says, for callers in Python; gives the exit code, raises what `main`
    would put into a sentence.
    """
    arguments = parse(words)
    exit_code: int = arguments.do(arguments)
    return exit_code


def all_commands() -> tuple[argparse.ArgumentParser, list[str]]:
    """The parser of every command, and their names."""
    parser = Parser(
        prog="refocus",
        description="From a folder of sharp photos to a promoted image-restoration model.",
        epilog=(
            "Example: refocus run demo\nEach command has its own: refocus COMMAND --help. Every command takes"
            " --debug: all output, and tracebacks."
        ),
    )
    parser.add_argument("--version", action="version", version="refocus 0.1.0")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(name: str, about: str, example: str, do: Command) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}.", epilog=f"Example: {example}"
        )
        made.set_defaults(do=do, command=name)
        return made

    for group in (pipeline, registry, scheduling, restoring, serving, about):
        group.add_to(add)
    return parser, list(commands.choices)


def _help(arguments: argparse.Namespace) -> int:
    arguments.parser.print_help()
    return 0


def _dashed(words: Sequence[str]) -> str:
    """How a file whose name begins with a dash is given, where one of the words may be such a file."""
    named = [
        word
        for word in words
        if word.startswith("-") and (os.path.lexists(word) or (word[:2] != "--" and "." in word.strip(".")))
    ]
    if not named or "--" in words:
        return ""
    return (
        f'. If {named[0]} is a file: a name that begins with "-" is given after all options and a lone --, as'
        f" in `-- {named[0]}`, or as ./{named[0]}"
    )
