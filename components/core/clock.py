"""The user's clock: it runs from the moment the command was given, not from when a run felt ready."""

from __future__ import annotations

import time

import psutil


def seconds_since_start() -> float:
    """How long this process has been there, imports and all."""
    return max(0.0, time.time() - psutil.Process().create_time())
