"""The pages for people: their links lead somewhere, their quick commands do what they say, their
examples are recipes, the paths they name are there, and no setting is missing.

A block of code marked `console` is run: what stands behind `$ ` is a command, the lines below are what
it says, in order; `…` stands for anything.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from bundled import bundled_into
from test_layers import ROOT

from components import recipes
from components.console.cli import main
from components.describe.settings_reference import reference

TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]  # others are a user's notes
PAGES = sorted([*TOP, *(ROOT / "docs").glob("*.md"), *(ROOT / "infra").glob("*.md")])
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
EVERY = pytest.mark.parametrize("path", PAGES, ids=NAMES)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def blocks(path: Path, language: str) -> list[str]:
    return [text for found, text in FENCED.findall(path.read_text()) if found == language]


def prose(path: Path) -> str:
    """The page without blocks of code."""
    return re.sub(r"(?m)^    .*$", "", FENCED.sub("", path.read_text()))


def anchors(path: Path) -> set[str]:
    """Where a link into a page may lead, as GitHub names its headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(path: Path) -> list[tuple[str, list[str]]]:
    """The commands of a page's console blocks, each with what it should say."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(blocks(path, "console")).splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return found


RUN = [(name, *each) for name, path in zip(NAMES, PAGES, strict=True) for each in commands(path)]


@EVERY
def test_every_link_leads_to_a_file_and_its_heading(path: Path) -> None:
    for target in (first or second for first, second in LINK.findall(prose(path))):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{path}: no {target}"
        assert not anchor or anchor in anchors(there), f"{path}: {there.name} has no heading for #{anchor}"


@EVERY
def test_words_have_a_hundred_columns(path: Path) -> None:
    long = [line for line in prose(path).splitlines() if len(line) > 100 and not line.startswith("|")]
    assert long == []


def test_the_readme_is_a_door() -> None:
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") < 120
    linked = {first or second for first, second in LINK.findall(text)}
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= linked


@pytest.mark.parametrize(("page", "command", "said"), RUN, ids=[command for _, command, _ in RUN])
def test_a_command_says_what_its_page_shows(
    page: str,
    command: str,
    said: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(bundled_into(tmp_path / "clone"))
    program, *words = shlex.split(command)
    assert program == "refocus"
    assert main(words) == 0
    wanted = "\n".join(said)
    pattern = ".*".join(re.escape(piece) for piece in wanted.split("…"))
    assert re.fullmatch(pattern, capsys.readouterr().out.rstrip("\n"), re.DOTALL), f"{page}: {command}"


def test_quick_commands_are_shown_and_run() -> None:
    assert len(RUN) >= 4


def told_by(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_every_command_and_option_that_is_shown_exists(capsys: pytest.CaptureFixture[str]) -> None:
    everything = "\n".join(path.read_text() for path in PAGES if path.name != "CHANGELOG.md")
    code = "\n".join(
        [*re.findall(r"(?m)^    .+$|^\$ .+$", everything), *re.findall(r"`([^`]+)`", everything)]
    )
    used: dict[str, set[str]] = {}
    for name, rest in re.findall(r"\brefocus ([a-z][a-z-]*)\b([^\n#|]*)", code):
        used.setdefault(name, set()).update(re.findall(r"--[a-z-]+", rest))
    assert len(used) > 8
    known = told_by(["--help"], capsys)
    for name, options in used.items():
        assert re.search(rf"(?m)^    {name}\b", known), f"no command {name}"
        help_ = told_by([name, "--help"], capsys)
        assert [
            option for option in sorted(options) if f"{option} " not in help_ and f"{option}]" not in help_
        ] == []


def examples() -> list[tuple[str, dict[str, Any]]]:
    """The parts of recipes that docs/recipes.md shows: one a section, where lines give alternatives."""
    found: list[tuple[str, dict[str, Any]]] = []
    for block in blocks(ROOT / "docs" / "recipes.md", "yaml"):
        for part in re.split(r"(?m)^(?=\w)", block):
            found += (yaml.safe_load(part) or {}).items()
    return found


@pytest.mark.parametrize(("section", "shown"), examples())
def test_every_example_is_read_as_a_part_of_a_recipe(section: str, shown: dict[str, Any]) -> None:
    base = recipes.load("demo", root=ROOT)
    settings, plain = type(base.section(section)), base.plain()[section]
    needed = {name: plain[name] for name, field in settings.model_fields.items() if field.is_required()}
    read = settings.model_validate((plain if section == "train" else needed) | shown)
    assert {name for name in shown if getattr(read, name) is None and shown[name] is not None} == set()


def test_the_page_of_settings_is_that_of_the_code() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    assert text == reference(), "run: python -m components.describe.settings_reference"


def test_no_setting_of_a_recipe_is_missing_on_the_page_of_settings() -> None:
    schema = recipes.Recipe.model_json_schema()
    text = (ROOT / "docs" / "settings.md").read_text()
    shown = [yaml.load(block, yaml.BaseLoader) for block in blocks(ROOT / "docs" / "settings.md", "yaml")]
    held = {frozenset(block) for block in shown}
    wanted = {
        frozenset(part["properties"])
        for part in (schema, *schema["$defs"].values())
        if part.get("properties")
    }
    assert wanted <= held
    assert max(map(len, text.splitlines())) <= 100


@EVERY
def test_every_path_that_a_page_names_is_there(path: Path) -> None:
    if path.name in ("CHANGELOG.md", "decisions.md"):  # what was, stays told
        return
    named = re.findall(r"`((?:components|flows|tests|benchmarks|docs|infra)/[\w./-]*)", path.read_text())
    gone = [name for name in named if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()]
    assert gone == []


def test_every_figure_has_a_command_a_machine_and_a_date() -> None:
    text = (ROOT / "docs" / "figures.md").read_text().split("\n## The gate")[0]
    rows = re.findall(r"(?m)^\| (.+) \|$", text)
    heading, _, *figures = [row.split(" | ") for row in rows]
    assert heading == ["What", "Figure", "Command", "Machine", "Date"]
    assert len(figures) > 15
    for row in figures:
        assert len(row) == 5, row
        assert re.search(r"`(?:make|refocus|benchmarks/|pytest )", row[2]), row
        assert re.search(r"2026-\d\d-\d\d|every test run", row[4]), row
