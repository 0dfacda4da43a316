"""A stage that was killed goes on where it was, and makes the same bytes; what other settings or
code made is not used.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from photosets import everything, photoset_of

from components.core import pixel_code
from components.core.errors import InputError
from components.core.files import state_folder
from components.core.records import ClipFrame, PairedInput, PairSet, Photo, PhotoMap, PhotoSet
from components.optics.blurs import NoBlur, RandomTrajectory
from components.synthesize import unfinished_pairs as workbench
from components.synthesize.config import SynthesizeConfig
from components.synthesize.in_store import Task
from components.synthesize.run import run
from components.synthesize.unfinished_pairs import Workbench

CONFIG = SynthesizeConfig(blurs=(RandomTrajectory(), NoBlur()), pairs_per_photo=2)
PHOTOS = 8
# The stage, which ends itself as kill -9 does: in its fifth photo, between the first picture and
# the second.
STAGE = """
import os, signal, sys; from pathlib import Path
from components.core.records import PhotoSet
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run
from components.synthesize.unfinished_pairs import Workbench
write = Workbench.write
def killed_in_the_fifth(bench, file):
    if "/input/" in file.name and (bench.folder / "finished.jsonl").read_text().count("\\n") == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    write(bench, file)
Workbench.write = killed_in_the_fifth
config = SynthesizeConfig.model_validate_json(sys.argv[1])
run(config, PhotoSet.load(Path(sys.argv[2])), out=Path(sys.argv[3]))
"""


def made_at(folder: Path) -> dict[str, int]:
    """When each picture of a bench was written."""
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*.png")}


def finished_lines() -> list[str]:
    found = list((state_folder() / "synthesize").glob("*/finished.jsonl"))
    return [line for line in found[0].read_text().splitlines() if line] if found else []


def test_after_a_kill_nothing_finished_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    photoset = photoset_of(tmp_path / "ingested", sizes=((96, 80),) * PHOTOS)
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            STAGE,
            CONFIG.model_dump_json(),
            str(photoset.folder),
            str(tmp_path / "pairs"),
        ],
        check=False,
    )
    assert child.returncode == -signal.SIGKILL
    finished = len(finished_lines())
    assert finished == 4 < PHOTOS
    assert not (tmp_path / "pairs" / PairSet.FILE).exists()

    bench = Workbench(CONFIG).folder
    before = made_at(bench)
    assert sum(name not in "".join(finished_lines()) for name in before) == 1, (
        "the fifth photo's first picture"
    )
    capfd.readouterr()
    run(CONFIG, photoset, out=tmp_path / "pairs")
    assert f"{finished} of {PHOTOS} photos were finished by an earlier run" in capfd.readouterr().err
    after = made_at(bench)
    assert sum(after[name] == when for name, when in before.items()) >= 2 * finished
    assert len(finished_lines()) == PHOTOS, "a line for each photo: those before the kill, and the others"

    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path / "another state"))
    run(CONFIG, photoset, out=tmp_path / "in one go")
    assert everything(tmp_path / "pairs") == everything(tmp_path / "in one go")


def test_a_second_run_makes_nothing_and_gives_the_same_set(tmp_path: Path) -> None:
    photoset = photoset_of(tmp_path / "ingested")
    first = run(CONFIG, photoset, out=tmp_path / "pairs")
    before, files = made_at(Workbench(CONFIG).folder), everything(tmp_path / "pairs")
    for path in (tmp_path / "pairs").rglob("*"):  # as DVC does before it runs a stage
        if path.is_file():
            path.unlink()
    assert run(CONFIG, photoset, out=tmp_path / "pairs").digest == first.digest
    assert made_at(Workbench(CONFIG).folder) == before
    assert everything(tmp_path / "pairs") == files


def test_a_new_photo_is_the_only_one_that_is_made(tmp_path: Path) -> None:
    run(
        CONFIG,
        photoset_of(tmp_path / "ingested", sizes=((96, 80), (80, 120), (70, 70))),
        out=tmp_path / "pairs",
    )
    before = made_at(Workbench(CONFIG).folder)
    more = run(
        CONFIG,
        photoset_of(tmp_path / "more", sizes=((96, 80), (80, 120), (70, 70), (64, 90))),
        out=tmp_path / "pairs",
    )
    after = made_at(Workbench(CONFIG).folder)
    new = {name for row in more.pairs("test") for name in (row.target, row.input)}
    assert {name for name, when in after.items() if before.get(name) != when} == new


def test_a_picture_that_was_altered_is_made_again(tmp_path: Path) -> None:
    photoset = photoset_of(tmp_path / "ingested")
    first = run(CONFIG, photoset, out=tmp_path / "pairs")
    files = everything(tmp_path / "pairs")
    bench = Workbench(CONFIG).folder
    row = first.pairs()[0]
    (bench / row.input).unlink()  # not in place: the set's picture is the same file by another name
    (bench / row.input).write_bytes(b"half a pict")
    with (bench / "finished.jsonl").open("a") as journal:
        journal.write('{"rows":[{"id":"cut off by a ki')
    run(CONFIG, photoset, out=tmp_path / "pairs")
    assert everything(tmp_path / "pairs") == files
    photos = {photo.id: photo for photo in photoset.photos()}
    assert Workbench(CONFIG).finished(photos[row.photo]) is not None, (
        "its new line is not joined to the one that was cut off"
    )


def test_other_settings_and_other_code_reuse_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = photoset_of(tmp_path / "ingested").photos()[0]
    run(CONFIG, photoset_of(tmp_path / "ingested 2"), out=tmp_path / "pairs")
    assert Workbench(CONFIG).finished(photo) is not None
    assert Workbench(CONFIG.model_copy(update={"workers": 3})).finished(photo) is not None
    assert Workbench(CONFIG.model_copy(update={"seed": 1})).finished(photo) is None
    for module, name, other in (
        (pixel_code, "releases", lambda: {"numpy": "0.1"}),
        (workbench, "CODE", ("core",)),
    ):
        # One at a time: each must do it alone.
        with monkeypatch.context() as patched:
            patched.setattr(module, name, other)
            assert Workbench(CONFIG).finished(photo) is None
        assert Workbench(CONFIG).finished(photo) is not None


def test_a_full_disk_is_told_from_one_with_room(tmp_path: Path) -> None:
    run(CONFIG, photoset_of(tmp_path / "ingested"), out=tmp_path / "pairs")
    bench = Workbench(CONFIG)
    free_mb = shutil.disk_usage(bench.folder).free / 1e6
    bench.need_space(free_mb / 2, tmp_path / "pairs")
    with pytest.raises(InputError, match="synthesize needs about"):
        bench.need_space(free_mb * 2, tmp_path / "pairs")


INPUT = PairedInput(
    id="b" * 64,
    file="b.png",
    name="blur/b.png",
    size_bytes=9,
    layout="two_folders",
    scene="s",
    shift_px=(0.0, 0.0),
    likeness=0.9,
    severity=1.0,
)
# Of each field of a photo's row another value, and whether its pairs then are others. Its maps count where
# a blur takes them, which none does here.
OTHER: dict[str, tuple[object, bool]] = {
    "file": ("photos/elsewhere.png", False),
    "name": ("renamed.png", False),
    "also_named": (("copy.png",), False),
    "size_bytes": (1, False),
    "origin": ("somewhere", False),
    "licence": ("CC0", False),
    "maps": ((PhotoMap(id="c" * 64, kind="mask", file="c.png", name="c.png", size_bytes=9),), False),
    "width": (97, True),
    "height": (81, True),
    "channels": (1, True),
    "bits": (16, True),
    "split": ("test", True),
    "group": ("d" * 64, True),
    "inputs": ((INPUT,), True),
    "domain": ("input", True),
    "frames": ((ClipFrame(id="e" * 64, file="e.png", name="v 1", size_bytes=9),), True),
}


@pytest.mark.parametrize("field", [field for field in Photo.model_fields if field != "id"])
def test_a_photo_is_made_again_when_what_its_pairs_depend_on_is_another(field: str, tmp_path: Path) -> None:
    photoset = photoset_of(tmp_path / "ingested", sizes=((96, 80),) * 3)
    run(CONFIG, photoset, out=tmp_path / "pairs")
    photo = next(photo for photo in photoset.photos() if photo.split == "train")
    value, counts = OTHER[field]
    changed = photo.model_copy(update={field: value})
    assert (Workbench(CONFIG).finished(changed) is None) == counts
    shards = [Task(CONFIG, (each,), tmp_path).key for each in (photo, changed)]
    assert (shards[0] != shards[1]) == counts


def test_a_set_whose_near_duplicates_are_others_is_as_if_made_in_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows name the groups that intervals are counted over."""
    photoset = photoset_of(tmp_path / "ingested")
    run(CONFIG, photoset, out=tmp_path / "pairs")
    rows = photoset.photos()
    of_train = [photo.id for photo in rows if photo.split == "train"]
    together = tuple(
        photo.model_copy(update={"group": of_train[0]}) if photo.id in of_train else photo for photo in rows
    )
    sha256 = PhotoSet.write_table(photoset.folder, together)
    joined = photoset.model_copy(update={"table_sha256": sha256}).save(photoset.folder)
    after = run(CONFIG, joined, out=tmp_path / "pairs")
    assert {row.group for row in after.pairs("train")} == {of_train[0]}
    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path / "another state"))
    assert run(CONFIG, joined, out=tmp_path / "in one go").digest == after.digest


def test_pictures_take_no_room_twice_on_one_disk_and_are_copied_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photoset = photoset_of(tmp_path / "ingested")
    row = run(CONFIG, photoset, out=tmp_path / "pairs").pairs()[0]
    assert (tmp_path / "pairs" / row.input).samefile(Workbench(CONFIG).folder / row.input)

    def another_disk(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", another_disk)
    other = CONFIG.model_copy(update={"seed": 1})
    folder = Workbench(other).folder
    run(other, photoset, out=tmp_path / "copied")
    assert not folder.exists(), "copies would take the room twice"
    monkeypatch.undo()
    run(other, photoset, out=tmp_path / "linked")
    assert everything(tmp_path / "copied") == everything(tmp_path / "linked")


def test_two_recipes_of_the_same_settings_on_another_disk_take_no_bench_from_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_disk(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", another_disk)
    other = Workbench(CONFIG)
    run(CONFIG, photoset_of(tmp_path / "ingested"), out=tmp_path / "pairs")
    assert (other.folder / "finished.jsonl").is_file(), "the other one is at work on it"
    run(CONFIG, photoset_of(tmp_path / "ingested 2"), out=tmp_path / "pairs 2")
    assert everything(tmp_path / "pairs") == everything(tmp_path / "pairs 2")


def test_a_bench_that_was_not_used_for_a_week_is_removed() -> None:
    old, recent = (Workbench(CONFIG.model_copy(update={"seed": seed})).folder for seed in (1, 2))
    for folder, days in ((old, 8), (recent, 6)):
        os.utime(folder / "finished.jsonl", (time.time() - days * 86400,) * 2)
    new = Workbench(CONFIG).folder
    assert not old.exists()
    assert recent.exists()
    assert new.exists()
