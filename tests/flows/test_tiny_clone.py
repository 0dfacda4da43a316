"""The clones in which whole runs are tried hold none of what a user keeps in theirs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bundled import CLONE, RECIPES
from tiny_clone import clone_into

from components.recipes import names
from components.services import versioning


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A clone after a demo: a lock, data, settings and recipes of a user's own, a team's store."""
    root = tmp_path / "used"
    for folder in ("components", "flows"):
        shutil.copytree(CLONE / folder, root / folder)
    for name in (".gitignore", ".dvcignore", "pyproject.toml", "dvc.yaml"):
        shutil.copyfile(CLONE / name, root / name)
    (root / "components" / "recipes" / "half_written.yaml").write_text("name: [")
    listed = (root / "dvc.yaml").read_text()
    (root / "dvc.yaml").write_text(listed.replace("recipes: [", "recipes: [half_written, "))
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text("[core]\n    remote = team\n")
    for name in ("dvc.lock", ".env", "data/demo/photos/one.png", ".refocus/mlflow.db", "photos/mine.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("a user's")
    return root


def test_a_users_files_stay_behind(used: Path, tmp_path: Path) -> None:
    clone = clone_into(tmp_path / "new", source=used)
    held = {path for path in clone.root.rglob("*") if path.is_file() and ".git" not in path.parts}
    assert [path for path in held if b"a user's" in path.read_bytes()] == []
    assert "team" not in (clone.root / ".dvc" / "config").read_text()
    assert set(names(clone.root)) == set(versioning.recipes_in_graph(clone.root)) == {"tiny", *RECIPES}
    assert clone.git("status", "--porcelain") == ""
