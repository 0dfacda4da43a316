"""A function in a process of its own, which ends with the one that asked for it: for libraries that take
a process's signals for themselves, as Ray does.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from components.core.errors import RefocusError, ServiceError
from components.core.files import state_folder, state_variable

Result = TypeVar("Result")
END_S = 10.0  # for a process that was told to end


def in_own_process(function: Callable[..., Result], *arguments: Any) -> Result:
    """What a function of a module gives, called elsewhere with arguments that can be pickled.

    Raises what it raises of ours; ServiceError when it ended without an answer.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    own = state_variable(state_folder())
    child = context.Process(target=_answer, args=(there, own, function, arguments), daemon=True)
    child.start()
    there.close()
    try:
        result, error = here.recv()
    except EOFError as ended:
        child.join(END_S)
        raise ServiceError(
            f"the process that was to do {function.__name__} ended with code {child.exitcode}, without an"
            " answer; its words stand above. Run the same command again"
        ) from ended
    finally:
        child.terminate()
        child.join(END_S)
        if child.is_alive():
            child.kill()
    if error is not None:
        raise error
    answer: Result = result
    return answer


def _answer(
    there: Connection, own: Mapping[str, str], function: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both: who asked ends this one
    os.environ.update(own)
    try:
        there.send((function(*arguments), None))
    except RefocusError as error:
        there.send((None, error))
