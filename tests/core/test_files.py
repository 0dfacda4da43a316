"""Files are whole or absent; digests follow content."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors import SafetensorError

from components.core import files, temporaries
from components.core.errors import BusyError, InputError, RefocusError
from components.core.parts import Part, canonical_json, digest_of


def test_a_write_cut_short_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    files.write_text(target, "old")

    def cut_short() -> None:
        with files.atomic_path(target) as temporary:
            temporary.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_short()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert target.read_text() == "old"


def test_missing_folders_are_made(tmp_path: Path) -> None:
    files.write_bytes(tmp_path / "a" / "b" / "c.bin", b"x")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"x"


def test_a_full_disk_is_named_with_what_is_free(tmp_path: Path) -> None:
    def fill() -> None:
        with files.atomic_path(tmp_path / "a.bin"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"the disk is full: \d+ MB are free at .*more are needed for a.bin"):
        fill()
    assert not list(tmp_path.iterdir())


def test_a_file_where_a_folder_is_wanted_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    for wanted in (tmp_path / "taken", tmp_path / "taken" / "below"):
        for write in (
            lambda folder: files.write_text(folder / "a.txt", "x"),
            lambda folder: files.need_free_space(folder, 1, "ingest"),
        ):
            with pytest.raises(
                InputError,
                match=r"the folder .*taken.* cannot be made: .*taken.* is a file, or lies below one; move it",
            ):
                write(wanted)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("read-only", "Read-only file system; mount it"),
        ("no right", "Permission denied.*let this user write"),
    ],
)
def test_a_place_that_nothing_can_be_written_to_is_told_before_work(
    fault: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.need_writable_place(tmp_path / "data" / "demo" / "checkpoint")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(files.os, "access", lambda path, how: False)
    flags = os.ST_RDONLY if fault == "read-only" else 0
    monkeypatch.setattr(files.os, "statvfs", lambda path: SimpleNamespace(f_flag=flags))
    with pytest.raises(
        InputError, match=rf"nothing can be written to the folder {tmp_path}/data/demo: {words}"
    ):
        files.need_writable_place(tmp_path / "data" / "demo")


def test_a_file_where_a_result_should_go_is_told_before_work(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(InputError, match=rf"nothing can be written to the folder {tmp_path}/data/demo"):
        files.need_writable_place(tmp_path / "data" / "demo")


def test_a_folder_that_others_own_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    # Those who run tests may be allowed everything.
    monkeypatch.setattr(temporaries.tempfile, "mkstemp", forbidden)
    with pytest.raises(
        InputError,
        match=r"nothing can be written to the folder .*: Permission denied; let this user write there",
    ):
        files.write_text(tmp_path / "a.txt", "x")
    monkeypatch.setattr(Path, "mkdir", forbidden)
    with pytest.raises(
        InputError, match=r"the folder .* cannot be made: Permission denied; let this user write there"
    ):
        files.make_folder(tmp_path / "b")


def test_too_little_room_is_refused_before_work_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5_000_000))
    files.need_free_space(tmp_path, 4.9, "synthesize")
    with pytest.raises(InputError, match=r"synthesize needs about 6 MB at .*, 5 MB are free"):
        files.need_free_space(tmp_path, 6, "synthesize")


@pytest.mark.parametrize(
    ("within", "remedy"), [(True, "set REFOCUS_HOME to a folder"), (False, "make its disk")]
)
def test_a_larger_disk_is_advised_for_the_folder_that_lacks_room(
    within: bool, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path / "state"))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    with pytest.raises(InputError, match=rf"0 MB are free; free some, or {remedy}"):
        files.need_free_space(tmp_path / ("state/training" if within else "data"), 1, "training")


@pytest.mark.parametrize(
    "refusal",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("write failed: no space left on device"),
        ValueError("Read-only file system"),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
def test_a_disk_that_refuses_is_named_by_the_file_whoever_writes_it(
    refusal: Exception, tmp_path: Path
) -> None:
    def write() -> None:
        with files.atomic_path(tmp_path / "out" / "a.bin"):
            raise refusal

    with pytest.raises(RefocusError, match=rf"{tmp_path}/out"):
        write()
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("fault", [RuntimeError("shapes differ"), BusyError("no space left on device")])
def test_what_is_no_fault_of_the_disk_stays_what_it_is(fault: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(fault)) as caught, files.atomic_path(tmp_path / "a.bin"):
        raise fault
    assert caught.value is fault


def test_digests_are_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert files.sha256_of_file(tmp_path / "a") == files.sha256_of_bytes(b"abc") == expected


def test_code_digest_follows_names_and_bytes_but_not_the_place(tmp_path: Path) -> None:
    def tree(folder: str, name: str = "a.py", text: str = "x = 1") -> str:
        files.write_text(tmp_path / folder / "code" / name, text)
        (tmp_path / folder / "code" / "notes.txt").write_text(folder)
        return files.code_digest(tmp_path / folder / "code")

    assert tree("one") == tree("two")
    assert len({tree("one"), tree("three", name="b.py"), tree("four", text="x = 2")}) == 3


def test_rows_are_one_json_line_each(tmp_path: Path) -> None:
    class Row(Part):
        b: int
        a: str

    digest = files.write_rows(tmp_path / "rows.jsonl", [Row(b=1, a="ä"), Row(b=2, a="")])
    data = (tmp_path / "rows.jsonl").read_bytes()
    assert data.decode() == '{"a":"ä","b":1}\n{"a":"","b":2}\n'
    assert digest == hashlib.sha256(data).hexdigest()


def test_a_state_folder_that_cannot_be_is_refused_with_the_variable_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(InputError, match=f"{tmp_path / 'file' / 'home'} cannot be made .*set REFOCUS_HOME"):
        files.state_folder()


def test_a_state_folder_of_somebody_elses_is_refused_before_work_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.need_writable(tmp_path)
    monkeypatch.setattr(
        os, "access", lambda folder, rights: False
    )  # root, as whom tests may run, may write everywhere
    with pytest.raises(InputError, match=f"{tmp_path} may not be written.*set REFOCUS_HOME"):
        files.need_writable(tmp_path)


def test_the_state_folder_is_where_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path / "home"))
    assert files.state_folder() == (tmp_path / "home").resolve()
    monkeypatch.delenv("REFOCUS_HOME")
    assert files.state_folder(tmp_path) == (tmp_path / ".refocus").resolve()
    assert (tmp_path / ".refocus").is_dir()


def test_equal_values_have_equal_digests_whatever_their_order() -> None:
    assert (
        digest_of({"a": 1, "b": [1, 2]})
        == digest_of({"b": [1, 2], "a": 1})
        != digest_of({"a": 1, "b": [2, 1]})
    )


def test_nan_has_no_digest() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))
