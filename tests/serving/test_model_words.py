"""What a person calls a model, for restore and serve alike: a place here, or a name of the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.console import commands
from components.core.errors import InputError
from components.serving.settings import is_of_registry


def test_a_place_that_is_there_is_no_name_of_the_registry(tmp_path: Path) -> None:
    (tmp_path / "a@b").mkdir()
    (tmp_path / "G.ONNX").write_bytes(b"")
    assert not is_of_registry(str(tmp_path / "a@b"))
    assert not is_of_registry(str(tmp_path / "G.ONNX"))
    assert is_of_registry("demo@champion")
    assert is_of_registry("demo:3")


@pytest.mark.parametrize("word", ["missing.onnx", "Missing.ONNX", "a@b.onnx", "demo", "photo.jpg", ""])
@pytest.mark.parametrize("command", ["restore", "serve"])
def test_a_word_that_is_neither_is_told_before_anything_else_is_asked(
    word: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # outside of a checkout, where the registry's names are refused
    (tmp_path / "photo.jpg").write_bytes(b"a photo")
    asked = {
        "restore": ["restore", "photo.jpg", "--out", "out", "--model", word],
        "serve": ["serve", word, "--port", "1"],
    }
    if word == "":
        with pytest.raises(InputError):
            commands.run(asked[command])
        return
    with pytest.raises(InputError, match=f'"{word}" is neither a folder nor NAME@ALIAS'):
        commands.run(asked[command])
