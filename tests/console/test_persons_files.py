"""Every command that writes where a person says: nothing that lies there and is theirs is replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from components.console import commands
from components.core.errors import InputError
from components.core.files import sha256_of_file
from components.core.images import write_png
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
