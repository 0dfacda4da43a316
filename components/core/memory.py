"""Memory that was freed and is still this process's."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Give the machine back what lies free between pieces that are in use: after tiles of several shapes
    that is as much again as a tile takes. Only glibc keeps it, and only there something is done.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
