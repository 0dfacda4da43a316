"""The user's clock: it runs from the moment the command was given, not from when a run felt ready."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil


def seconds_since_start() -> float:
    """How long this process has been there, imports and all; to a hundredth of a second on Linux,
    elsewhere to a second.
    """
    try:
        # psutil counts from the second in which the machine started, whole: up to one too many.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except OSError:
        return max(0.0, time.time() - psutil.Process().create_time())
