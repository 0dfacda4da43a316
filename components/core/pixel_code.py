"""Which code a picture or a number rests on, and which releases of libraries: what is kept between runs
and taken again names them, lest it be taken for that of others.
"""

from __future__ import annotations

from pathlib import Path

from components.core.files import code_digest
from components.core.parts import digest_of
from components.core.releases import releases

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
    """SHA-256 over the code of parts of components/, folders or files, of what gives them pixels, and over
    the releases of libraries: the same on machines that have the same release for another device.
    """
    components = Path(__file__).parents[1]
    code = code_digest(*(components / part for part in (*parts, *PIXELS)))
    return digest_of({"code": code, "releases": releases()})
