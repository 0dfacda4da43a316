"""Fixtures for whole runs."""

from __future__ import annotations

import pytest
from tiny_clone import Clone, clone_into


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which `refocus run tiny --no-prefect` came to its end once."""
    clone = clone_into(tmp_path_factory.mktemp("clone") / "refocus")
    clone.environment["WORDS"] = clone.refocus("run", "tiny", "--no-prefect").stdout
    return clone
