"""Random numbers that depend on what they are for, never on when or where they are drawn.

A stream is named by a list of keys, such as (recipe seed, "augment", 1204): the same keys give the
same numbers on any machine, in any order, on any number of workers.
"""

from __future__ import annotations

import hashlib

import numpy as np

Key = str | int


def seed_of(*keys: Key) -> int:
    """A 63-bit seed for a named stream.

    >>> seed_of(1, "noise") == seed_of(1, "noise") != seed_of("1", "noise")
    True
    """
    text = "\x1f".join(f"{type(key).__name__}:{key}" for key in keys)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def stream(*keys: Key) -> np.random.Generator:
    """A numpy generator for a named stream (PCG64, seeded by `seed_of`)."""
    return np.random.Generator(np.random.PCG64(seed_of(*keys)))
