"""Files on their way lie in no output, and what a killed process left is taken away."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.core import temporaries
from components.core.files import atomic_path, write_bytes
from components.core.temporaries import new_temporary, sweep


def project(root: Path) -> Path:
    (root / ".dvc").mkdir(parents=True)
    (root / "dvc.yaml").touch()
    return root


def test_below_a_project_a_file_on_its_way_lies_in_dvcs_own_folder(tmp_path: Path) -> None:
    out = project(tmp_path) / "data" / "demo" / "pairs"
    with atomic_path(out / "a.png") as temporary:
        assert temporary.parent == tmp_path / ".dvc" / "tmp" / "refocus"
        assert list(out.iterdir()) == []
        temporary.write_bytes(b"x")
    assert (out / "a.png").read_bytes() == b"x"
    assert not temporary.exists()


def test_elsewhere_it_lies_beside_the_file_under_a_name_of_its_own(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.png") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(f".refocus-{os.getpid()}-")


def test_a_disk_that_only_looks_like_the_same_is_bridged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = project(tmp_path) / "data" / "a.png"
    plain = Path.replace

    def across(self: Path, target: Path) -> Path:
        if self.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return plain(self, target)

    monkeypatch.setattr(Path, "replace", across)
    write_bytes(place, b"whole")
    assert place.read_bytes() == b"whole"
    assert [path.name for path in place.parent.iterdir()] == ["a.png"]


@pytest.mark.parametrize("where", ["project", "beside"])
def test_what_a_killed_process_left_is_swept_and_what_a_living_one_has_stays(
    tmp_path: Path, where: str
) -> None:
    root = project(tmp_path) if where == "project" else tmp_path
    folder = tmp_path / "data"
    folder.mkdir()
    script = (
        "import os, sys; from pathlib import Path; from components.core.temporaries import new_temporary;"
        " print(new_temporary(Path(sys.argv[1]))); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    )
    words = [sys.executable, "-c", script, str(folder / "a.png")]
    told = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    left, ours = Path(told.strip()), new_temporary(folder / "b.png")
    assert left.is_file()
    (folder / ".refocus-notes").touch()  # a person's, by chance
    assert sweep(root, folder) == (left,)
    assert (left.exists(), ours.exists(), (folder / ".refocus-notes").exists()) == (False, True, True)


def test_a_process_number_that_was_given_again_is_another_process(tmp_path: Path) -> None:
    path = tmp_path / f"{temporaries.PREFIX}{os.getpid()}-1-abc.png"
    path.touch()
    assert sweep(tmp_path, tmp_path) == (path,)
