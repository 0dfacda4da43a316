"""A flow that meets a service which does not answer tries again after a while; whatever else went
wrong would go wrong again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from components.core.errors import RefocusError, ServiceError

Result = TypeVar("Result")


def patiently(work: Callable[[], Result], say: Callable[[str], None], pauses_s: Sequence[float]) -> Result:
    """Do the work; again after each pause, for as long as it ends with the exit code of a ServiceError
    (a stage's process says so by its own).

    Prefect's own retries know no kinds of errors: they would train a diverging recipe four times.
    """
    for number, pause_s in enumerate(pauses_s, start=1):
        try:
            return work()
        except RefocusError as error:
            if error.exit_code != ServiceError.exit_code:
                raise
            say(f"{error}. Tried again in {pause_s:g} s ({number} of {len(pauses_s)})")
        time.sleep(pause_s)
    return work()
