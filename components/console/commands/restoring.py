"""The command that restores photos."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.console.commands.parser import Add, add_overwrite


def add_to(add: Add) -> None:
    """Add the command of this file."""
    made = add(
        "restore",
        "restore photos with a registered model or a checkpoint's folder",
        "refocus restore blurred.jpg --model demo@champion --out restored",
        _restore,
    )
    made.add_argument(
        "images",
        metavar="IMAGE",
        nargs="+",
        type=Path,
        help="JPEG, PNG, WebP or TIFF, 8 or 16 bit; RGB comes out, transparency is dropped",
    )
    made.add_argument(
        "--model",
        required=True,
        metavar="MODEL",
        help="NAME@champion, NAME@challenger, or a folder with a checkpoint",
    )
    made.add_argument(
        "--out", required=True, metavar="DIR", type=Path, help="folder for the restored PNG files"
    )
    add_overwrite(made)


def _restore(arguments: argparse.Namespace) -> int:
    from components.console.restore import restore
    from components.pipeline.project import Project

    if not Path(arguments.model).is_dir():  # else it is the registry's, which is this project's
        Project.here()
    written = restore(arguments.images, arguments.model, arguments.out, overwrite=arguments.overwrite)
    for path in written:
        print(path)
    return 0 if len(written) == len(set(arguments.images)) else 1
