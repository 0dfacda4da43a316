"""The command line: help answers at once, mistakes get one sentence and an exit code, tracebacks
only with --debug.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bundled import RECIPES, bundled_into

from components.console import commands
from components.core.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
NAMES = commands.all_commands()[1]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout of the bundled recipes alone."""
    return bundled_into(tmp_path / "clone")


def refocus(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "components.console.cli", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_answers_with_the_standard_library_alone() -> None:
    # How many milliseconds that takes is for benchmarks/console_clock.py to say.
    script = (
        "import sys; before = set(sys.modules); from components.console import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: refocus")
    taken = {name.split(".")[0] for name in done.stderr.split()}
    assert taken - sys.stdlib_module_names == {"components"}


@pytest.mark.parametrize("name", NAMES)
def test_every_command_says_what_it_does_and_gives_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        commands.parse([name, "--help"])
    words = capsys.readouterr().out
    assert f"Example: refocus {name}" in words
    assert len([line for line in words.splitlines() if line.endswith(".")]) >= 1


def test_a_wrong_command_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r'no command "tarin".*Did you mean "train"'):
        commands.parse(["tarin", "demo"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "the following arguments are required: RECIPE"),
        (["rollback", "demo"], "the following arguments are required: --reason"),
        (["promote", "demo", "three"], "invalid int value: 'three'"),
        (["run", "demo", "--foto", "x"], "unrecognized arguments: --foto"),
    ],
)
def test_wrong_words_are_refused_in_one_sentence(words: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        commands.parse(words)


def test_every_command_that_our_texts_name_exists() -> None:
    prose = {"as", "says", "inside", "checkout"}  # "what refocus says it needs" is no command
    files = [
        path
        for folder in ("components", "flows", "docs", "infra")
        for kind in ("*.py", "*.yaml", "*.md")
        for path in (ROOT / folder).rglob(kind)
        if path.parent.name != "recipes" or path.suffix != ".yaml" or path.stem in RECIPES
    ]
    named = {
        word
        for path in [*files, ROOT / "README.md"]
        for word in re.findall(r"(?<!/)\brefocus ([a-z]+(?:-[a-z]+)*)", path.read_text())
    }
    assert named - prose == {*NAMES}


def test_a_wrong_recipe_gives_one_paragraph_and_exit_code_2(clone: Path) -> None:
    done = refocus("run", "dmeo", "--dry-run", cwd=clone)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith('refocus: error: no recipe "dmeo"')
    assert 'Did you mean "demo"?' in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "demo:1", "demo:2", "--on", "dmeo"],
        ["send-pairs", "dmeo", "s3://nowhere/pairs"],
        ["power", "dmeo"],
        ["describe", "dmeo"],
        ["blur-atlas", "dmeo"],
        ["evaluate", "dmeo"],
    ],
    ids=lambda words: words[0],
)
def test_a_mistyped_recipe_is_told_by_every_command_that_takes_one(
    words: list[str], clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone)
    monkeypatch.setenv("REFOCUS_HOME", str(clone / "state"))
    with pytest.raises(InputError, match=r'no recipe "dmeo" .*Did you mean "demo"\?'):
        commands.run(words)


def test_debug_shows_where(clone: Path) -> None:
    done = refocus("--debug", "run", "dmeo", "--dry-run", cwd=clone)
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_a_dry_run_prints_the_recipe_with_the_photos_given(clone: Path) -> None:
    done = refocus("run", "demo", "--dry-run", "--photos", "s3://bucket/photos", cwd=clone)
    assert done.returncode == 0
    assert "photos: s3://bucket/photos" in done.stdout
    assert "# digest " in done.stdout


def test_outside_a_checkout_the_sentence_says_so(tmp_path: Path) -> None:
    done = refocus("recipes", cwd=tmp_path)
    assert done.returncode == 2
    assert "not inside a refocus checkout" in done.stderr


def test_recipes_are_listed_with_what_they_are(clone: Path) -> None:
    lines = refocus("recipes", cwd=clone).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(RECIPES)


def test_a_photo_that_is_not_there_is_said_before_the_model_is_fetched(clone: Path) -> None:
    done = refocus("restore", "nowhere.png", "--model", "demo@champion", "--out", "out", cwd=clone)
    assert done.returncode == 2
    assert "no photo at nowhere.png" in done.stderr


@pytest.mark.parametrize("name", ["cli.py", "python_version.py", "__init__.py"])
def test_what_an_old_python_reads_first_parses_there(name: str) -> None:
    ast.parse((ROOT / "components" / "console" / name).read_text(), feature_version=(3, 8))
