"""What a command prints, told apart from the files that it works with: a log that cannot be written is no
full disk of the project.
"""

from __future__ import annotations

import errno
import io
import sys
from pathlib import Path
from typing import cast

from components.core.errors import OutputError

NAMES = {1: "stdout", 2: "stderr"}


class _Output(io.FileIO):
    """Standard output or error, whose refusals say that they are its own."""

    def __init__(self, handle: int) -> None:
        super().__init__(handle, "w", closefd=False)

    def write(self, data: object) -> int:
        """As FileIO does. Raises OutputError; BrokenPipeError where the reader has gone, which is a way to
        be stopped.
        """
        try:
            return cast("int", super().write(data))  # type: ignore[arg-type]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(
                f"{NAMES[self.fileno()]} cannot be written{_place(self.fileno())}: {error.strerror};"
                f" {_remedy(error.errno)}"
            ) from None


def mark() -> None:
    """Let this process's standard output and error tell their own refusals from now on. What is not the
    interpreter's own stream (a test's, a notebook's) stays as it is.
    """
    for handle, name in NAMES.items():
        stream = getattr(sys, name)
        if type(stream) is not io.TextIOWrapper:
            continue
        raw = getattr(stream.buffer, "raw", stream.buffer)  # python -u has nothing between the two
        if type(raw) is not io.FileIO or raw.fileno() != handle:
            continue
        stream.flush()
        output = _Output(handle)
        made = io.TextIOWrapper(
            cast("io.BufferedWriter", output) if raw is stream.buffer else io.BufferedWriter(output),
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        setattr(sys, name, made)


def _place(handle: int) -> str:
    try:
        return f" ({Path(f'/proc/self/fd/{handle}').readlink()})"
    except OSError:  # no Linux
        return ""


def _remedy(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "send it to a file with room, and run the same command again"
    return "send it to a file or a terminal that is there, and run the same command again"
