"""The command `refocus` (also `python -m components.console.cli`): one sentence on stderr when
something is wrong, an exit code that says what.

This file must parse on Python 3.8, or the check of the version could not speak.
"""

from __future__ import annotations

import components.console.python_version  # isort: skip # noqa: F401 - first: it ends an old Python with a sentence
import os
import signal
import sys


def main(argv: list[str] | None = None) -> int:
    """Run one command; gives the process's exit code. What the codes mean stands in core/errors.py;
    130 is Ctrl-C, 143 SIGTERM.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    from components.console import commands
    from components.core import debugging
    from components.core.errors import RefocusError

    if "--debug" in words:
        words = [word for word in words if word != "--debug"]
        debugging.switch_on()
    debug = debugging.is_on()
    try:
        arguments = commands.parse(words, debug=debug)
        # SIGTERM becomes an exception, so that every `finally` runs and no child is left behind.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
        exit_code: int = arguments.do(arguments)
        return exit_code
    except RefocusError as error:
        if debug:
            raise
        _say("error: " + " ".join(str(error).split()))
        return error.exit_code
    except KeyboardInterrupt:
        if debug:
            raise
        _say("interrupted; what was finished is kept, run the same command again to go on")
        return 130
    except SystemExit as ended:
        if ended.code == 143:
            _say(
                "ended from outside (SIGTERM); what was finished is kept, run the same command again to go on"
            )
        raise
    except BrokenPipeError:  # the reader of our words has gone (refocus recipes | head -1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ModuleNotFoundError as error:
        if debug:
            raise
        _say(
            f"error: the package {error.name} is not installed for {sys.executable}; activate the environment"
            " (. .venv/bin/activate), or make it: make venv"
        )
        return 2
    except Exception as error:
        if debug:
            raise
        _say(
            "error: this should not happen: {}: {} (--debug shows where)".format(
                type(error).__name__, " ".join(str(error).split())
            )
        )
        return 1


def _say(text: str) -> None:
    print("refocus: " + text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
