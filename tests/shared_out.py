"""Which tests stay together in one of pytest's processes, because they share what takes seconds to make."""

from __future__ import annotations

from functools import cache
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]

# What is shared (a registry, a trained clone) comes from a conftest.py.
TOGETHER = (
    "tests/register/",
    "tests/flows/test_end_to_end.py",
    "tests/serving/",
    "tests/team/",
)


def group_of(nodeid: str) -> str:
    """A group of TOGETHER; the file, if it has a fixture that is made once; else the test alone.

    The scheduler hands out large groups first and single tests last, so that all processes end within
    seconds of each other.
    """
    file = nodeid.partition("::")[0]
    together = next((group for group in TOGETHER if nodeid.startswith(group)), None)
    return together or (file if makes_once(file) else nodeid)


@cache
def makes_once(file: str) -> bool:
    """Whether a file, named from the clone's root, has a fixture that all its tests share."""
    return 'scope="module"' in (CLONE / file).read_text(encoding="utf-8")
