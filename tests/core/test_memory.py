"""Memory that was freed: kept for as long as that is wanted, then given back."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from components.core import memory

NEEDS_GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc is asked")

# Counts the pages that the kernel has to give for the same 200 MB again and again; in a process of its own,
# whose memory nothing else has changed.
PAGES = """
import ctypes, resource
from contextlib import nullcontext
from components.core.memory import keeping_freed

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
BYTES = 200 * 2**20

def once():
    piece = libc.malloc(ctypes.c_size_t(BYTES))
    ctypes.memset(piece, 1, BYTES)
    libc.free(piece)

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    once()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

with %s as kept:
    first, again = pages(), pages()
print(kept, first, again, resident())
"""


@NEEDS_GLIBC
@pytest.mark.parametrize("wanted", [True, False])
def test_what_was_freed_is_there_for_the_next_step_and_given_back_behind_the_last(wanted: bool) -> None:
    way = "keeping_freed()" if wanted else "nullcontext(False)"
    found = subprocess.run([sys.executable, "-c", PAGES % way], capture_output=True, text=True, check=True)
    kept, first, again, resident = found.stdout.split()
    assert kept == str(wanted)
    assert int(first) > 50
    assert (int(again) < 0.1 * int(first)) is wanted
    assert int(resident) < 150 * 2**20, "given back"


class _Refusing:
    """A C library that has no such setting, or not so high a value."""

    def __init__(self, highest: int) -> None:
        self.highest, self.set = highest, dict[int, int]()

    def mallopt(self, setting: int, value: int) -> int:
        if value > self.highest:
            return 0
        self.set[setting] = value
        return 1

    def malloc_trim(self, pad: int) -> int:
        return 1


def test_an_older_library_is_asked_for_what_it_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    library = _Refusing(highest=memory.TRIM_BYTES)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    with memory.keeping_freed() as kept:
        assert kept
        assert library.set == {memory.MMAP_THRESHOLD: memory.MMAP_BYTES, memory.TRIM_THRESHOLD: memory.NEVER}
    assert library.set == {
        memory.MMAP_THRESHOLD: memory.MMAP_BYTES,
        memory.TRIM_THRESHOLD: memory.TRIM_BYTES,
    }


@pytest.mark.parametrize("library", [object(), _Refusing(highest=-5)], ids=["none", "refusing"])
def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch, library: object) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    with memory.keeping_freed() as kept:
        assert not kept
