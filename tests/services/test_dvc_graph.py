"""dvc.yaml, which people edit to add a recipe: what is wrong with it is told before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.core.errors import InputError
from components.services import versioning

STAGES = """
stages:
  second: {matrix: {recipe: "${recipes}"}, cmd: b, deps: [a.py, "data/${item.recipe}/a"], outs: [c]}
  first: {matrix: {recipe: "${recipes}"}, cmd: a, outs: ["data/${item.recipe}/a": {persist: true}]}
"""
WRONG = {
    "vars:\n  - recipes: demo, wide": r"must be a list, such as \[demo, demo_wide\]; it is 'demo, wide'",
    "vars:\n  - recipes:": "must be a list, .*; it is None",
    "vars:\n  - recipes: [demo, no]": "holds False, which is no recipe's name",
    "vars:\n  - recipes: [[demo]]": r"holds \['demo'\], which is no recipe's name",
    "vars:\n  - recipes: [demo, , wide]": r"dvc\.yaml cannot be read: .*git diff dvc\.yaml shows it",
    "vars:\n  - recipes: [demo": r"dvc\.yaml cannot be read: ",
    "\tvars: []": r"dvc\.yaml cannot be read: ",
    "vars: 3": r"has no `vars: - recipes: \[\.\.\.\]` list",
    "vars: [{recipees: [demo]}]": "has no `vars: - recipes",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_slip_in_the_list_of_recipes_is_told_with_what_to_do(text: str, tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(text + STAGES)
    with pytest.raises(InputError, match=WRONG[text]):
        versioning.need_in_graph(tmp_path, "demo")


@pytest.mark.parametrize("text", ["", "vars: []\n", "- a\n", "stages: 3\n", "stages:\n", "words"])
def test_a_graph_without_stages_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(text)
    for asked in (versioning.stage_order, versioning.recipes_in_graph):
        with pytest.raises(InputError, match=r"dvc\.yaml has no `stages:` with settings below; .*git diff"):
            asked(tmp_path)


def test_a_graph_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_bytes(b"vars: \xff")
    with pytest.raises(InputError, match=r"dvc\.yaml cannot be read: 'utf-8' codec"):
        versioning.stage_order(tmp_path)


def test_stages_of_a_persons_own_are_not_taken_for_those_of_recipes(tmp_path: Path) -> None:
    own = "  plot: {cmd: a, deps: [c]}\n  each: {matrix: {seed: [1, 2]}, cmd: a, outs: [d]}\n  broken: 3\n"
    (tmp_path / "dvc.yaml").write_text(
        "vars:\n  - seeds: [1]\n  - recipes: [demo, demo, wide]" + STAGES + own
    )
    assert versioning.stage_order(tmp_path) == ("first", "second")
    assert versioning.recipes_in_graph(tmp_path) == ("demo", "wide")
