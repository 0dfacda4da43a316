"""Every command that writes where a person says: nothing that lies there and is theirs is replaced."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from components.console import commands
from components.core.errors import BusyError, InputError
from components.core.files import sha256_of_file
from components.core.images import write_png
from components.core.locks import alone_in
from components.nets.generators import UNet
from components.nets.restore import save_generator

Command = Callable[[Path], list[str]]


def restore(folder: Path) -> list[str]:
    """The words that restore two photos."""
    import numpy as np

    net = UNet(width=4, depth=1)
    save_generator(folder / "checkpoint", net, net.build(seed=0).state_dict())
    paths = [folder / "given" / f"{name}.png" for name in ("a", "b")]
    for path in paths:
        write_png(path, np.full((24, 24, 3), 90, np.uint8))
    return ["restore", *map(str, paths), "--model", str(folder / "checkpoint")]


COMMANDS: dict[str, Command] = {
    "restore": restore,
    "describe": lambda folder: ["describe", "demo", "--crop", "64"],
    "blur-atlas": lambda folder: ["blur-atlas", "srgan_seed"],
}


def everything(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of_file(path) for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_replaces_a_persons_file_unless_told_to(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [*COMMANDS[name](tmp_path), "--out", str(out)]
    assert commands.run(words) == 0
    made = everything(out)
    assert commands.run(words) == 0, "what it made itself it makes anew"
    assert everything(out) == made
    for victim in list(made)[-1:]:
        before = (out / victim).read_bytes()
        for theirs in (b"a person's own work", before + b"\n"):
            (out / victim).write_bytes(theirs)
            others = everything(out)
            with pytest.raises(InputError, match=f"{victim} would be replaced, .* say --overwrite"):
                commands.run(words)
            assert everything(out) == others
        assert commands.run([*words, "--overwrite"]) == 0
        assert everything(out) == made


def test_every_command_with_a_place_to_write_to_can_be_told_to_overwrite() -> None:
    """A new command with --out, or with a bucket to write to, must ask the same question."""
    parser, names = commands.all_commands()
    (choices,) = [action.choices for action in parser._subparsers._group_actions]  # type: ignore[union-attr]
    writers = []
    for name in names:
        options = {option for action in choices[name]._actions for option in action.option_strings}  # type: ignore[index]
        if "--out" in options or name == "send-pairs":
            writers.append(name)
            assert "--overwrite" in options, name
    # Their models come from a registry; test_exported_files.py has export, compare writes as these do.
    elsewhere = {"fetch-pairs", "send-pairs", "export", "compare"}
    assert {*writers} == {*COMMANDS, *elsewhere}


def export(folder: Path) -> list[str]:
    """The words that export a checkpoint."""
    return ["export", restore(folder)[-1], "--recipe", "demo", "--format", "onnx"]


@pytest.mark.parametrize("name", [*COMMANDS, "export"])
def test_two_commands_do_not_write_into_one_folder_at_once(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [*(COMMANDS | {"export": export})[name](tmp_path), "--out", str(out)]
    with alone_in(out), pytest.raises(BusyError, match=r"another process is writing into .*out; wait for it"):
        commands.run(words)
    assert not out.exists()


def test_a_folder_that_is_no_longer_written_into_can_be_written_into(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [*restore(tmp_path), "--out", str(out)]
    with alone_in(out):
        pass
    assert commands.run(words) == 0
    with alone_in(out):
        assert {path.name for path in out.iterdir()} == {"a.png", "b.png", ".restored.jsonl"}
    assert commands.run(words) == 0


def test_whoever_delivers_into_a_folder_is_alone_in_it() -> None:
    """restore.py and restore_video.py are called by one command, which is."""
    components = Path(__file__).parents[2] / "components"
    found = {
        path.relative_to(components).as_posix(): unguarded(path.read_text())
        for path in components.rglob("*.py")
        if "Delivery(" in path.read_text() or path.name == "restoring.py"
    }
    assert {name for name, calls in found.items() if calls} == {
        "console/restore.py",
        "console/restore_video.py",
    }
    assert len(found) >= 8


def unguarded(text: str) -> list[str]:
    """The calls that write into a folder, and do not stand below `with delivering(...)`."""
    tree = ast.parse(text)
    guarded = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.With)
        and any(ast.unparse(item.context_expr).startswith("delivering(") for item in block.items)
        for node in ast.walk(block)
    }
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node not in guarded]
    return [
        name for call in calls if (name := ast.unparse(call.func)) in ("Delivery", "restore", "restore_clips")
    ]
