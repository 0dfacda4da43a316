"""docs/systems.md: every row of the checklist has its answer, the count is true, and the places it
names are there.
"""

from __future__ import annotations

import re
from collections import Counter

from test_layers import ROOT

TEXT = (ROOT / "docs" / "systems.md").read_text()
ROWS = re.findall(r"^\| ([ABCD]-\d\d) \| (.+?) \| (\w+) \| ?(.*?) ?\|$", TEXT, re.MULTILINE)


def test_every_row_of_the_checklist_is_answered_once() -> None:
    wanted = [
        f"{system}-{number:02d}"
        for system, last in (("A", 25), ("B", 30), ("C", 34), ("D", 18))
        for number in range(1, last + 1)
    ]
    assert [row for row, *_ in ROWS] == wanted


def test_the_count_is_that_of_the_rows() -> None:
    found = Counter(status for _, _, status, _ in ROWS)
    assert set(found) == {"built", "answered"}
    assert (
        f"{len(ROWS)} rows: {found['built']} built, {found['answered']} answered, {found['later']} later."
        in TEXT
    )


def test_what_is_built_says_where_and_what_is_not_says_why() -> None:
    assert [row for row, _, status, place in ROWS if not place and status != "later"] == []


def test_the_files_it_names_are_there() -> None:
    named = set(re.findall(r"`([a-z_/]+(?:\.py|\.yaml|/))`", TEXT))
    assert len(named) > 15
    assert [
        name
        for name in sorted(named)
        if not (ROOT / "components" / name).exists() and not (ROOT / name).exists()
    ] == []


def test_the_fields_it_names_are_settings_of_a_recipe() -> None:
    from components.recipes import Recipe

    schema = str(Recipe.model_json_schema())
    named = {
        path.split(".")[-1]
        for path in re.findall(r"`((?:train|synthesize)\.[a-z_.]+)(?::[^`]*)?`", TEXT)
        if not path.endswith("py")
    }
    assert len(named) > 8
    assert [name for name in sorted(named) if f"'{name}'" not in schema] == []


def test_the_tests_it_names_are_there() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", TEXT)) - {"test_time_dropout", "test_time_statistics"}
    written = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 10
    assert [name for name in sorted(named) if f"def {name}(" not in written] == []
