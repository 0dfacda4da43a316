"""--debug: all output and every traceback, in this process and in all that it starts."""

from __future__ import annotations

import os

_VARIABLE = "REFOCUS_DEBUG"


def switch_on() -> None:
    """From now on, here and in every child."""
    os.environ[_VARIABLE] = "1"


def is_on() -> bool:
    """Whether somebody asked for it, here or in a process above."""
    return bool(os.environ.get(_VARIABLE))
