"""Releases of libraries: in the name of what is kept, told by records, the same for every build of one."""

from __future__ import annotations

import importlib.metadata

import pytest

from components.core.pixel_code import pixel_code
from components.core.releases import RESTS_ON, noted, releases, that_differ

INSTALLED = importlib.metadata.version


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is put in here is installed, in the place of what is."""
    there: dict[str, str] = {}
    monkeypatch.setattr(importlib.metadata, "version", lambda name: there.get(name) or INSTALLED(name))
    return there


@pytest.mark.parametrize("library", ["torch", "numpy", "albumentations", "opencv-python-headless"])
def test_another_release_of_a_library_is_another_name_and_another_build_is_not(
    library: str, install: dict[str, str]
) -> None:
    assert library in RESTS_ON
    names = []
    for version in ("9.14.1+cu126", "9.14.0+cpu", "9.14", "9.15.0+cpu", "10.14.1"):
        install[library] = version
        names.append(pixel_code("metrics"))
    assert names[0] == names[1] == names[2]
    assert len(set(names)) == 3


def test_what_is_not_installed_is_no_release() -> None:
    assert set(releases()) <= set(RESTS_ON)
    assert {"torch", "numpy"} <= set(releases())
    assert all(release.count(".") == 1 for release in releases().values())


def test_a_record_tells_what_it_was_made_with() -> None:
    here, older = {"torch": "2.14", "numpy": "2.4"}, {"torch": "2.13", "numpy": "2.4"}
    assert that_differ(noted({"releases": {**older}}), here) == "torch 2.13 (here 2.14)"
    assert that_differ(noted({"torch": "2.13.1+cpu"}), here) == "torch 2.13 (here 2.14)"
    assert that_differ(noted({}), here) == ""
    assert that_differ(noted({"releases": {**here, "scipy": "1.1"}}), here) == ""
