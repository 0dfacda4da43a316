"""State of our own is a cache: what cannot be read is set aside with a line, and never stops a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from components.core.errors import LineageError
from components.core.own_state import read_json
from components.train.states import FolderStore
from components.train.training_state import is_whole, read_state, write_state

HARM: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "zeroed": lambda data: bytes(len(data)),
    "zeroed in part": lambda data: data[: len(data) // 2] + bytes(64) + data[len(data) // 2 + 64 :],
    "one bit": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
}


@pytest.mark.parametrize("text", ["", "{", "[1]", "\0\0", '"words"', "\xff"])
def test_a_note_that_is_no_object_is_set_aside_once(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "demo.json"
    path.write_bytes(text.encode("latin-1"))
    assert read_json(path) is None
    assert "it is set aside as demo.json.unreadable" in capsys.readouterr().err
    assert (path.exists(), (tmp_path / "demo.json.unreadable").exists()) == (False, True)
    assert read_json(path) is None
    assert capsys.readouterr().err == ""


def test_a_good_note_is_read(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text('{"champion": "3"}')
    assert read_json(tmp_path / "demo.json") == {"champion": "3"}


def state(images_seen: int) -> bytes:
    return write_state({"progress": {"images_seen": images_seen}, "step": {"weights": torch.arange(999.0)}})


@pytest.mark.parametrize("harm", HARM)
def test_of_a_training_state_every_byte_counts(harm: str) -> None:
    whole = state(8)
    assert read_state(whole)["progress"] == {"images_seen": 8}
    assert not is_whole(HARM[harm](whole))
    with pytest.raises(LineageError, match="was cut or altered"):
        read_state(HARM[harm](whole))


@pytest.mark.parametrize("harm", HARM)
def test_the_state_before_an_unreadable_one_is_taken(
    harm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = FolderStore(tmp_path)
    for images_seen in (4, 8):
        store.save(state(images_seen), images_seen)
    newest = tmp_path / "state-000000000008.pt"
    newest.write_bytes(HARM[harm](newest.read_bytes()))
    found = store.load()
    assert found is not None
    assert read_state(found)["progress"] == {"images_seen": 4}
    assert "state-000000000008.pt cannot be read" in capsys.readouterr().err
    store.save(state(12), 12)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == [
        "state-000000000004.pt",
        "state-000000000012.pt",
    ]


def test_with_no_state_left_the_training_begins_anew(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.save(state(4), 4)
    (tmp_path / "state-000000000004.pt").write_bytes(b"")
    assert store.load() is None
