"""Memory that was freed and is still this process's."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# glibc's malloc.h: what mallopt calls its settings.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
# The highest that glibc itself goes to for memory of its own calls, and the end of the heap it then keeps.
MMAP_BYTES, TRIM_BYTES = 2**25, 2**26
NEVER = -1

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


@contextmanager
def keeping_freed(most_bytes: int = 2**30) -> Iterator[bool]:
    """What this process frees stays its own for as long as the block lasts, to be used again; then it is
    given back.

    A training step takes and frees the same hundreds of MB each time. glibc has each of the large ones from
    the kernel anew, page by page and filled with zeros: `benchmarks/train_step.py --without` says what that
    costs. most_bytes: larger pieces still come from the kernel. Gives whether anything was set: elsewhere
    than under glibc nothing is.
    """
    # Older versions of glibc refuse more than MMAP_BYTES.
    granted = any(_set(MMAP_THRESHOLD, most) for most in (most_bytes, MMAP_BYTES))
    kept = granted and _set(TRIM_THRESHOLD, NEVER)
    try:
        yield kept
    finally:
        if kept:
            _set(MMAP_THRESHOLD, MMAP_BYTES)
            _set(TRIM_THRESHOLD, TRIM_BYTES)
            give_back()


def _set(setting: int, value: int) -> bool:
    try:
        return bool(ctypes.CDLL(None).mallopt(setting, value))
    except (OSError, AttributeError, TypeError):
        return False


def is_spent(error: BaseException) -> bool:
    """Whether an error says that memory is at its end, whichever library raised it.

    >>> is_spent(RuntimeError("DefaultCPUAllocator: can't allocate memory")), is_spent(ValueError("broken"))
    (True, False)
    """
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in SPENT)
