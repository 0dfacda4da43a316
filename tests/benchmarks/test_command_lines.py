"""Every benchmark starts and says what it takes, and what is quoted of it anywhere it takes."""

from __future__ import annotations

import argparse
import os
import re
import runpy
import sys
from unittest import mock

import pytest
from test_docs import FENCED, PAGES
from test_layers import ROOT

FILES = {path.stem: path for path in sorted((ROOT / "benchmarks").glob("*.py"))}
OF_ANOTHER = {"synthesize_stage"}  # synthesize.py alone starts it
SCRIPTS = {
    name: path
    for name, path in FILES.items()
    if '__name__ == "__main__"' in path.read_text() and name not in OF_ANOTHER
}
COMMAND = re.compile(r"(?<![\w/])benchmarks/(\w+)\.py\b(.*?)(?=[`#|:;]|\.\s|\n\n|\bpython |\Z)", re.DOTALL)


@pytest.fixture(scope="module")
def usages() -> dict[str, str]:
    """What each benchmark takes, as the parser says that answers --help with status 0."""
    found: dict[str, str] = {}

    def keep(parser: argparse.ArgumentParser) -> None:
        assert parser.format_help()
        found[name] = parser.format_usage()

    with mock.patch.dict(os.environ), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
        patch.setattr(argparse.ArgumentParser, "print_help", keep)
        for name, path in SCRIPTS.items():
            patch.setattr(sys, "argv", [path.name, "--help"])
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(str(path), run_name="__main__")
            assert ended.value.code == 0, name
    return found


def quoted() -> list[tuple[str, str, list[str]]]:
    """Every command that a page or a benchmark shows: the file, the benchmark, and the options behind it."""
    texts = {path: path.read_text() for path in [*FILES.values(), ROOT / "Makefile"]}
    for page in PAGES:
        if page.name != "CHANGELOG.md":  # what was, stays told
            text = page.read_text()
            spans = re.findall(r"`([^`]+)`", FENCED.sub("", text))
            texts[page] = "\n\n".join([*spans, *(block for _, block in FENCED.findall(text))])
    return [
        (path.relative_to(ROOT).as_posix(), name, re.findall(r"--[a-z][\w-]*", words))
        for path, text in texts.items()
        for name, words in COMMAND.findall(text)
    ]


def test_every_benchmark_answers_help(usages: dict[str, str]) -> None:
    assert len(usages) > 30
    assert set(usages) == set(SCRIPTS)


def test_a_benchmark_that_is_quoted_is_there_and_takes_its_options(usages: dict[str, str]) -> None:
    shown = quoted()
    assert len({file for file, *_ in shown}) > 40
    assert [(file, name) for file, name, _ in shown if name not in FILES] == []
    unknown = [
        (file, name, option)
        for file, name, options in shown
        for option in options
        if option not in re.findall(r"--[\w-]+", usages.get(name, ""))
    ]
    assert unknown == []
