"""What is shared and takes seconds to make is made in one process only."""

from __future__ import annotations

import re

import pytest
from bundled import CLONE
from shared_out import TOGETHER, group_of, makes_once

SHARED_BY_A_FOLDER = re.compile(r'scope="module"\)\ndef (\w+)')


@pytest.mark.parametrize(
    ("test", "group"),
    [
        ("tests/register/test_bundle.py::test_one", "tests/register/"),
        ("tests/flows/test_stops.py::test_one[a::b]", "tests/flows/test_stops.py"),
        ("tests/test_layers.py::test_one", "tests/test_layers.py::test_one"),
    ],
)
def test_a_test_stays_with_those_it_shares_with(test: str, group: str) -> None:
    assert group_of(test) == group


@pytest.mark.parametrize("group", TOGETHER)
def test_a_group_is_there_and_is_not_one_by_itself(group: str) -> None:
    assert (CLONE / group).exists()
    assert group.endswith("/") or not makes_once(group)


FOLDERS = sorted(path.parent.relative_to(CLONE).as_posix() for path in (CLONE / "tests").rglob("conftest.py"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_who_uses_what_a_folder_makes_once_for_a_file_stays_together(folder: str) -> None:
    for name in SHARED_BY_A_FOLDER.findall((CLONE / folder / "conftest.py").read_text()):
        for path in (CLONE / folder).rglob("test_*.py"):
            if re.search(rf"\b{name}: ", path.read_text()):
                file = path.relative_to(CLONE).as_posix()
                assert group_of(f"{file}::test") != f"{file}::test", (
                    f"{file} uses {name}: name it in TOGETHER"
                )
