"""Every error a person can meet, as one small tree. `refocus` prints the message alone; `--debug`
adds the traceback.

RefocusError
├── InputError (also ValueError)   what was given cannot be used; nothing was started    exit 2
│   ├── RecipeError                a recipe's file, field or value
│   └── PhotoError                 no photo, or none usable
├── WeightsError                   pretrained weights cannot be had                       exit 3
├── ServiceError                   an address, bucket or credential does not answer       exit 4
├── BusyError                      another process is at the same work, or folder         exit 5
├── StageError                     a stage's process failed                               exit 6
├── DivergenceError                training met NaN or ran away; last healthy state kept  exit 7
├── OutputError (also OSError)    stdout or stderr cannot be written                    exit 2
└── LineageError                   records that do not belong together, or are missing    exit 8

A message says what was wanted, what came, where, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from components.core.addresses import without_secrets


class RefocusError(Exception):
    """The root: everything Refocus says on purpose. No password or token stays in its words."""

    exit_code = 1

    def __init__(self, *words: object) -> None:
        super().__init__(*(without_secrets(each) if isinstance(each, str) else each for each in words))


class InputError(RefocusError, ValueError):
    """What was given cannot be used; nothing was started."""

    exit_code = 2


class RecipeError(InputError):
    """A recipe's name, file, field or value."""


class PhotoError(InputError):
    """No photo, or none that can be used."""


class WeightsError(RefocusError):
    """Pretrained weights cannot be had, or are not what their checksum says."""

    exit_code = 3


class ServiceError(RefocusError):
    """An address, bucket or credential does not answer."""

    exit_code = 4


class BusyError(RefocusError):
    """Another process is at the same work: a run of the recipe, whoever writes into the folder."""

    exit_code = 5


class StageError(RefocusError):
    """A stage's process failed; its own words stand above."""

    exit_code = 6


class DivergenceError(RefocusError):
    """Training met NaN, infinity or a runaway loss; the last healthy state is kept."""

    exit_code = 7


class OutputError(RefocusError, OSError):
    """What a command prints cannot be written. It has no errno: it is none of the disk that the command
    works with.
    """

    exit_code = 2


class LineageError(RefocusError):
    """Two records that do not belong together, or one that is missing or altered."""

    exit_code = 8


def nearest(name: str, known: Iterable[str]) -> str:
    """The words that point from a mistyped name to the right one.

    >>> nearest("deblurgn", ["demo", "deblurgan"])
    ' Did you mean "deblurgan"?'
    >>> nearest("zzz", ["demo"])
    ''
    """
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f' Did you mean "{found[0]}"?' if found else ""
