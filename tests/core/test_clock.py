"""The user's clock starts with the process."""

from __future__ import annotations

import subprocess
import sys
import time

from components.core.clock import seconds_since_start

SCRIPT = """
import time
began = time.time()
time.sleep(0.3)
from components.core.clock import seconds_since_start
print(seconds_since_start(), time.time() - began)
"""
TICK_S = 0.1  # the system writes down when a process began in hundredths of a second


def test_what_is_told_has_the_imports_in_it_and_no_more_than_the_wall_shows() -> None:
    before = time.time()
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    wall_s = time.time() - before
    told_s, from_the_first_line_s = (float(word) for word in done.stdout.split())
    assert from_the_first_line_s - TICK_S <= told_s <= wall_s + TICK_S


def test_it_goes_on() -> None:
    first = seconds_since_start()
    time.sleep(0.02)
    assert seconds_since_start() >= first + 0.01
