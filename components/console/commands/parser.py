"""How a command line is read: the parser that fails in the house's way, and how a command is added
to it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from components.core.errors import InputError

Command = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """A parser that fails in the house's way (one sentence, exit code 2) and leaves an example's
    line whole.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def _print_message(self, message: str, file: Any = None) -> None:
        """As argparse does, which says nothing of a stream that cannot be written."""
        print(message, end="", file=file)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; `{self.prog} --help` shows how it is called")


def add_overwrite(made: argparse.ArgumentParser) -> None:
    """Let a command that writes files replace those that it did not make."""
    made.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files there that this command did not make; without it they are refused",
    )


def add_where(made: argparse.ArgumentParser) -> None:
    """On what, in which arithmetic and in what pieces photos are restored."""
    made.add_argument("--device", metavar="DEVICE", help="cpu or cuda; cuda where there is one")
    made.add_argument(
        "--precision",
        default="fp32",
        choices=["fp32", "tf32", "bf16"],
        help=(
            "fp32, exact, is the default; tf32 is faster on NVIDIA's GPUs; bf16 takes about half the time"
            " where the device has it, and is off by about a level of 255, at single px by several"
        ),
    )
    made.add_argument(
        "--tile",
        type=int,
        default=1024,
        metavar="PX",
        help="side of the pieces that are restored at once; 1024",
    )


class Add(Protocol):
    """Adds a command: its name, what it does in a sentence, how it is called, what does it."""

    def __call__(self, name: str, about: str, example: str, do: Command) -> argparse.ArgumentParser: ...
