"""Why a person decided, as the record keeps it: one line of printable text."""

from __future__ import annotations

from components.core.errors import InputError
from components.core.photo_names import readable

LONGEST = 2000  # characters; a registry's tag holds 5,000 at some servers, and the decision stands around it


def reason_of(text: str, example: str) -> str:
    """A reason as it is kept. example: a command with one, for who gave none.

    Raises InputError for an empty one, and one that is too long to be read.
    """
    reason = one_line(text)
    if not reason:
        raise InputError(f"a reason is needed, which is kept with the version: {example}")
    if len(reason) > LONGEST:
        raise InputError(
            f"the reason has {len(reason)} characters, at most {LONGEST} are kept with the version; say it"
            " shorter, and where the rest stands"
        )
    return reason


def one_line(text: str) -> str:
    r"""A text without line ends and control characters, which would break a list of lines or be obeyed by
    a terminal; bytes that are no text as \xff.

    >>> one_line("halos\n  at\tnight\x1b[31m")
    'halos at night [31m'
    """
    plain = readable(text)
    return " ".join("".join(each if each.isprintable() else " " for each in plain).split())
