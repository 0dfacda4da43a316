"""Memory that was freed and is still this process's."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# How torch (on Linux, on Windows, on a GPU), ONNX Runtime, C++ and the system say that memory is at its end.
SPENT = (
    *("cannot allocate memory", "can't allocate memory", "not enough memory", "out of memory"),
    *("failed to allocate memory", "std::bad_alloc", "bad allocation", "memoryerror"),
)


def give_back() -> None:
    """Give the machine back what lies free between pieces that are in use: after tiles of several shapes
    that is as much again as a tile takes. Only glibc keeps it, and only there something is done.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def is_spent(error: BaseException) -> bool:
    """Whether an error says that memory is at its end, whichever library raised it.

    >>> is_spent(RuntimeError("DefaultCPUAllocator: can't allocate memory")), is_spent(ValueError("broken"))
    (True, False)
    """
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in SPENT)
