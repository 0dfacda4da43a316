"""All ways to be stopped, as one: Ctrl-C, SIGTERM (a supervisor), SIGHUP (a closed terminal), a
closed pipe.

The first signal raises an exception in the main thread, so that every `finally` runs and no child
is left behind. Each later one only asks for more haste. Whatever hangs meanwhile, the process ends
within LIMIT_S of the first (HURRY_S of the second) with the line that says how to go on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

LIMIT_S = 25.0  # a stage gets 18 s to finish the file it is writing, and to end its Ray
HURRY_S = 4.0
# Signals so close together are one: `timeout` sends it to a process and again to its group, as a closing
# terminal and its shell both do.
ONE_S = 0.2
GO_ON = "what was finished is kept, run the same command again to go on"
WORDS = {
    signal.SIGINT: f"interrupted; {GO_ON}",
    signal.SIGTERM: f"ended from outside (SIGTERM); {GO_ON}",
    signal.SIGHUP: f"ended by the closed terminal (SIGHUP); {GO_ON}",
    signal.SIGPIPE: f"nobody reads this output any more (closed pipe); {GO_ON}",
}
HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

hurry = threading.Event()  # set by the second signal: whoever waits in order to end well stops waiting
_heeding = False
_begun: int | None = None
_begun_at = 0.0
_last_word = threading.Lock()  # held by whoever says the line at the end, and never let go
_last_deeds: list[Callable[[], None]] = []
_deferral: Deferral | None = None


class Deferral:
    """What a first signal waits for: work that ends at a moment of its own choice."""

    def __init__(self) -> None:
        self.number: int | None = None

    @property
    def asked(self) -> bool:
        """Whether the end has been asked for."""
        return self.number is not None

    def leave(self) -> None:
        """End now, if that was asked for: raises what the signal would have raised."""
        if self.number is not None:
            number, self.number = self.number, None
            raise _raised_by(number)


@contextmanager
def deferred() -> Iterator[Deferral]:
    """For the length of a block a first signal raises nothing in the middle of things: the block asks, and
    leaves where it can go on later. The watch over the end runs meanwhile. Whoever does not ask ends with
    the block.
    """
    global _deferral
    before, _deferral = _deferral, (mine := Deferral())
    try:
        yield mine
        mine.leave()
    finally:
        _deferral = before


def heed() -> None:
    """Take signals from now on. One that this process was started to ignore stays ignored (nohup,
    a shell's background).
    """
    global _heeding
    if threading.current_thread() is not threading.main_thread():
        return
    _heeding = True
    for number in HEEDED:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _heard)


def heed_interrupt() -> None:
    """Take Ctrl-C even where a background shell switched it off: it is how a run asks its stage to
    end.
    """
    signal.signal(signal.SIGINT, _heard)


def begin(number: int) -> None:
    """The end has begun, by whatever way: later signals only ask for haste, and a watch is set.
    Nothing happens where nobody heeds (inside of a Prefect worker).
    """
    global _begun, _begun_at
    if not _heeding or _begun is not None:
        return
    _begun, _begun_at = number, time.monotonic()
    if threading.current_thread() is threading.main_thread():
        for each in HEEDED:
            if signal.getsignal(each) != signal.SIG_IGN:
                signal.signal(each, _heard)
    threading.Thread(target=_watch, args=(number,), daemon=True).start()


def has_begun() -> bool:
    """Whether this process is ending already, and signals no longer interrupt it."""
    return _begun is not None


def renew() -> None:
    """Take signals again, from a library that took them for itself (Ray, when it starts)."""
    if _heeding and threading.current_thread() is threading.main_thread():
        for number in HEEDED:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _heard)


@contextmanager
def at_last(deed: Callable[[], None]) -> Iterator[None]:
    """Something to do when all patience is over (killing children), before this process is ended:
    for the length of a block.
    """
    _last_deeds.append(deed)
    try:
        yield
    finally:
        if _begun is None:
            _last_deeds.remove(deed)


def signal_of(error: BaseException) -> int | None:
    """The signal that an exception stands for: Ctrl-C, our own SystemExit, a closed pipe, Prefect's
    TerminationSignal.
    """
    if isinstance(error, KeyboardInterrupt):
        return signal.SIGINT
    if isinstance(error, BrokenPipeError):
        return signal.SIGPIPE
    if isinstance(error, SystemExit):
        found = next((each for each in HEEDED if error.code == 128 + each), None)
        return None if found is None else int(found)
    number = getattr(error, "signal", None)
    return number if type(error).__name__ == "TerminationSignal" and isinstance(number, int) else None


def words_of(number: int) -> str:
    """The line for a person."""
    return WORDS.get(signal.Signals(number), f"ended by {signal.Signals(number).name}; {GO_ON}")


def need_reader() -> None:
    """Raises BrokenPipeError when nobody reads what this process prints any more: a run that says
    nothing for an hour would go on for that hour.
    """
    import select

    try:
        handle = sys.stdout.fileno()
        poll = select.poll()
        poll.register(handle, 0)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            raise BrokenPipeError(32, "the reader of this output has gone")
    except (OSError, ValueError) as error:
        if isinstance(error, BrokenPipeError):
            raise


def say_last(number: int, *, aloud: bool = True) -> None:
    """The line for a person, once: a process that has said it may still take a while to end, in which the
    watch comes. aloud: False where no line is wanted, from the watch neither.
    """
    if _last_word.acquire(blocking=False) and aloud:
        say(words_of(number))


def say(text: str) -> None:
    """A line on stderr, if there still is one to write to."""
    try:
        print(f"refocus: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        mute()


def mute() -> None:
    """Send what is still printed nowhere: Python itself would complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nowhere, stream.fileno())


def _heard(number: int, frame: FrameType | None) -> None:
    if _begun is not None:
        if time.monotonic() - _begun_at > ONE_S:
            hurry.set()
        return
    begin(number)
    if _deferral is not None:
        _deferral.number = number
        return
    raise _raised_by(number)


def _raised_by(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def _watch(number: int) -> None:
    began = time.monotonic()
    hurry.wait(LIMIT_S)
    time.sleep(max(0.0, min(HURRY_S, LIMIT_S - (time.monotonic() - began))))
    for deed in _last_deeds:
        deed()
    say_last(number)
    os._exit(128 + number)
