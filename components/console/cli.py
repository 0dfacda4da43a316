"""The command `refocus` (also `python -m components.console.cli`): one sentence on stderr when
something is wrong, an exit code that says what.

This file must parse on Python 3.8, or the check of the version could not speak.
"""

from __future__ import annotations

import components.console.python_version  # isort: skip # noqa: F401 - first: it ends an old Python with a sentence
import sys


def main(argv: list[str] | None = None) -> int:
    """Run one command; gives the process's exit code. What the codes mean stands in core/errors.py;
    129 is a closed terminal, 130 Ctrl-C, 141 a closed pipe, 143 SIGTERM.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    from components.core import debugging, own_output, stopping, surroundings

    if "--debug" in words:
        words = [word for word in words if word != "--debug"]
        debugging.switch_on()
    debug = debugging.is_on()
    own_output.mark()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no text
    try:
        surroundings.settle()
        from components.console import commands

        arguments = commands.parse(words, debug=debug)
        stopping.heed()
        exit_code: int = arguments.do(arguments)
        sys.stdout.flush()
        return exit_code
    except BaseException as error:
        return _ended(error, words, debug)


def _ended(error: BaseException, words: list[str], debug: bool) -> int:
    """Say how a command ended early; gives its exit code."""
    from components.core import stopping

    number = stopping.signal_of(error)
    if number is not None:
        stopping.begin(number)
        if debug:
            _show_trace()
        # A list whose reader has seen enough (refocus recipes | head -1) is no work broken off.
        work = bool(words) and words[0] in WORK
        stopping.say_last(number, aloud=work or not isinstance(error, BrokenPipeError))
        stopping.mute()
        return 128 + number
    if isinstance(error, SystemExit):  # --help and --version end so
        error = _last_words_of(error)
    if not isinstance(error, Exception):
        raise error
    if debug:
        _show_trace()
    if isinstance(error, ModuleNotFoundError):
        stopping.say(
            f"error: the package {error.name} is not installed for {sys.executable}; activate the environment"
            " (. .venv/bin/activate), or make it: make venv"
        )
        return 2
    from components.core.causes import explained

    told = explained(error)
    stopping.say("error: " + " ".join(str(told).split()))
    stopping.mute()
    return told.exit_code


def _last_words_of(error: SystemExit) -> BaseException:
    """What a command that is done ends with: the error that came when its words were written, if any."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as refusal:
        return refusal
    return error


WORK = (
    "run",
    "ingest",
    "synthesize",
    "train",
    "evaluate",
    "restore",
    "export",
    "promote",
    "send-pairs",
    "fetch-pairs",
)


def _show_trace() -> None:
    import traceback

    from components.core.addresses import without_secrets

    print(without_secrets(traceback.format_exc()), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
