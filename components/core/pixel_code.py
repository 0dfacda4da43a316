"""Which code a picture or a number rests on: what is kept between runs and taken again names it, lest it be
taken for that of other code.
"""

from __future__ import annotations

from pathlib import Path

from components.core.files import code_digest

# What in this folder turns files into pixels, and draws. The rest says, stores, locks or waits: who edits
# that need not train again (tests/core/test_pixel_code.py has both).
PIXELS = (
    "core/baseline.py",
    "core/decoding",
    "core/images.py",
    "core/levels.py",
    "core/records/pairs.py",
    "core/resize.py",
    "core/seeds.py",
    "core/windows.py",
)


def pixel_code(*parts: str) -> str:
    """SHA-256 over the code of parts of components/, folders or files, and of what gives them pixels."""
    components = Path(__file__).parents[1]
    return code_digest(*(components / part for part in (*parts, *PIXELS)))
