"""Files for a person's folder: what was not made here is never replaced."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.core.delivery import Delivery, delivering, is_sealed, sealed
from components.core.errors import InputError
from components.core.images import png_bytes

PAGE = b"<!doctype html>\n<p>words</p>\n"
MADE = {
    "a.png": png_bytes(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)),
    "deep.png": png_bytes(np.arange(192, dtype=np.uint16).reshape(8, 8, 3)),
    "index.html": PAGE,
    "net.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


@pytest.mark.parametrize("name", MADE)
@given(place=st.integers(0, 10_000), change=st.integers(1, 255))
def test_a_file_is_ours_until_one_byte_of_it_changes(name: str, place: int, change: int) -> None:
    made = sealed(MADE[name])
    assert is_sealed(made)
    assert not is_sealed(MADE[name])
    edited = bytearray(made)
    edited[place % len(made)] ^= change
    assert not is_sealed(bytes(edited))


def test_a_sealed_picture_is_the_same_picture() -> None:
    for name in ("a.png", "deep.png"):
        one, other = (
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            for data in (MADE[name], sealed(MADE[name]))
        )
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


@pytest.mark.parametrize("theirs", [b"", b"their words", PAGE, sealed(PAGE) + b"\n<p>their own line</p>"])
def test_a_persons_file_stays_unless_overwrite_is_said(tmp_path: Path, theirs: bytes) -> None:
    (tmp_path / "index.html").write_bytes(theirs)
    with pytest.raises(InputError, match=r"index\.html would be replaced, and was not made .*--overwrite"):
        Delivery(tmp_path).write("index.html", b"<p>new</p>")
    assert (tmp_path / "index.html").read_bytes() == theirs
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    Delivery(tmp_path, overwrite=True).write("index.html", b"<p>new</p>")
    assert (tmp_path / "index.html").read_bytes() == sealed(b"<p>new</p>")


def test_what_was_made_here_is_made_anew(tmp_path: Path) -> None:
    for text in (b"<p>one</p>", b"<p>two</p>"):
        Delivery(tmp_path).write("index.html", text)
    assert (tmp_path / "index.html").read_bytes() == sealed(b"<p>two</p>")


def test_all_that_stand_in_the_way_are_told_before_work(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.png").write_bytes(b"theirs")
    with pytest.raises(InputError, match=r"0\.png, .*4\.png and 2 more would be replaced, and were not"):
        Delivery(tmp_path).refuse_others(f"{number}.png" for number in range(9))


def test_a_link_a_folder_and_a_link_to_nothing_stay(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.png").write_bytes(sealed(MADE["a.png"]))
    (tmp_path / "out" / "folder.png").mkdir(parents=True)
    (tmp_path / "out" / "link.png").symlink_to(tmp_path / "elsewhere.png")
    (tmp_path / "out" / "nothing.png").symlink_to(tmp_path / "nowhere.png")
    for name in ("folder.png", "link.png", "nothing.png"):
        with pytest.raises(InputError, match=f"{name} would be replaced"):
            Delivery(tmp_path / "out").write(name, MADE["deep.png"])
    with pytest.raises(InputError, match=r"folder\.png .*move it"):
        Delivery(tmp_path / "out", overwrite=True).write("folder.png", MADE["a.png"])
    assert (tmp_path / "elsewhere.png").read_bytes() == sealed(MADE["a.png"])


def test_a_file_that_comes_while_another_is_made_stays(tmp_path: Path) -> None:
    def meanwhile() -> None:
        with Delivery(tmp_path).incoming("a.png") as temporary:
            temporary.write_bytes(b"ours")
            (tmp_path / "a.png").write_bytes(b"theirs")

    with pytest.raises(InputError, match="came there while"):
        meanwhile()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"theirs"}


def test_what_a_record_names_may_be_replaced_and_nothing_else(tmp_path: Path) -> None:
    from components.core.files import sha256_of_bytes

    (tmp_path / "a.png").write_bytes(b"of the set")
    (tmp_path / "b.png").write_bytes(b"edited since")
    known = {name: {sha256_of_bytes(b"of the set")} for name in ("a.png", "b.png")}
    delivery = Delivery(tmp_path, known=known)
    with delivery.incoming("a.png") as temporary:
        temporary.write_bytes(b"new")
    with pytest.raises(InputError, match=r"b\.png would be replaced"):
        delivery.refuse_others(["a.png", "b.png"][1:])
    assert (tmp_path / "a.png").read_bytes() == b"new"


@pytest.mark.parametrize("place", ["/proc/out", "/dev/null/out", "FILE", "FILE/deep/out"])
def test_a_folder_that_nothing_can_be_written_to_is_told_before_any_work(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = Path(place.replace("FILE", str(tmp_path / "file")))
    with (
        pytest.raises(InputError, match=f"--out {folder} cannot be written to .*name another folder"),
        delivering(folder),
    ):
        pass
    with delivering(tmp_path / "new" / "out"):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["file"], "asking leaves nothing behind"
