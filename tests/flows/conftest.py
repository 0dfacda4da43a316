"""Fixtures for whole runs."""

from __future__ import annotations

import pytest
from tiny_clone import Clone, clone_into

ODD = 'it\'s #1, 50%20off ("für" Ö?)'


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which `refocus run tiny --no-prefect` came to its end once, in a folder of a name as
    people give them: all that is tried on it is tried there.
    """
    clone = clone_into(tmp_path_factory.mktemp("clone") / ODD)
    clone.environment["WORDS"] = clone.refocus("run", "tiny", "--no-prefect").stdout
    return clone
