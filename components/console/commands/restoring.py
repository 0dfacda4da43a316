"""The commands that put a model to use: restore photos, export files for other programs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.console.commands.parser import Add, add_overwrite, add_where
from components.core.errors import PhotoError


def add_to(add: Add) -> None:
    """Add the commands of this file."""
    _add_restore(add)
    _add_export(add)


def _add_restore(add: Add) -> None:
    made = add(
        "restore",
        "restore photos and videos with a registered model or a checkpoint's folder",
        "refocus restore blurred.jpg --model demo@champion --out restored",
        _restore,
    )
    made.add_argument(
        "images",
        metavar="IMAGE",
        nargs="+",
        help=(
            "files, folders, patterns or s3://bucket/prefix: JPEG, PNG, WebP, TIFF, AVIF or HEIC, and"
            " videos; RGB comes out, transparency is dropped"
        ),
    )
    made.add_argument(
        "--model",
        required=True,
        metavar="MODEL",
        help="NAME@champion, NAME@challenger, a folder with a checkpoint, or an exported .onnx file",
    )
    made.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        type=Path,
        help="folder for the restored photos, subfolders as they were",
    )
    made.add_argument(
        "--format",
        default="png",
        choices=["png", "jpeg", "tiff", "webp"],
        help="of the restored photos; PNG (the default) and TIFF keep 16 bits, JPEG and WebP have 8",
    )
    made.add_argument(
        "--video",
        default="mkv",
        choices=["mkv", "webm", "mp4"],
        help="of restored videos: FFV1 without loss (the default), or VP9 or MPEG-4 for viewing; no H.264",
    )
    made.add_argument(
        "--frames",
        action="store_true",
        help="each folder that is named is a clip, its pictures the frames in the order of their names",
    )
    add_where(made)
    add_overwrite(made)


def _add_export(add: Add) -> None:
    made = add(
        "export",
        "write a model as a file for other programs, with a report of how near it is",
        "refocus export demo@champion --format onnx --out exported",
        _export,
    )
    made.add_argument("model", metavar="MODEL", help="NAME@champion, NAME:3, or a folder with a checkpoint")
    made.add_argument(
        "--format",
        required=True,
        action="append",
        dest="formats",
        choices=["onnx", "onnx_int8", "onnx_int8_aware", "onnx_without_dropout"],
        help="may be said several times; what each is stands in docs/delivery.md",
    )
    made.add_argument(
        "--out", required=True, metavar="DIR", type=Path, help="folder for the files and KIND.json"
    )
    made.add_argument(
        "--recipe", metavar="RECIPE", help="on whose pairs here it is measured (default: the model's own)"
    )
    add_overwrite(made)


def _restore(arguments: argparse.Namespace) -> int:
    from components.console.restore import Restored, planned, restore
    from components.console.restore_video import parted, restore_clips
    from components.core.delivery import delivering
    from components.pipeline.project import Project
    from components.serving.settings import is_of_registry

    if is_of_registry(arguments.model):  # which is this project's
        Project.here()
    where = {
        "overwrite": arguments.overwrite,
        "device": arguments.device,
        "precision": arguments.precision,
        "tile_px": arguments.tile,
    }
    written, refused = list[Restored](), list[PhotoError]()
    with delivering(out := arguments.out):
        named = parted(arguments.images, out, frames=arguments.frames)
        if named.clips and named.words:  # else the photos' refusal would come when the clips are done
            planned(named.words, out, overwrite=arguments.overwrite, form=arguments.format)
        both: list[tuple[Any, Callable[..., Restored], str]] = [
            (named.clips, restore_clips, arguments.video),
            (named.words, restore, arguments.format),
        ]
        for some, work, form in both:
            try:
                if some:
                    written.append(work(some, arguments.model, out, form=form, **where))
            except PhotoError as error:  # none of them; the others are done
                refused.append(error)
    if refused and not written:
        raise refused[0] if len(refused) == 1 else PhotoError("; ".join(map(str, refused)))
    for reason in refused:
        print(f"restore: {reason}", file=sys.stderr)
    for path in (path for each in written for path in each.files):
        print(path)
    return 0 if not refused and not any(each.left_out for each in written) else 1


def _export(arguments: argparse.Namespace) -> int:
    from components.console.export import export
    from components.pipeline.project import Project

    made = export(
        arguments.model,
        arguments.formats,
        arguments.out,
        Project.here(),
        recipe=arguments.recipe,
        overwrite=arguments.overwrite,
    )
    for found in made:
        place = arguments.out / (found.file or found.name)
        print(f"{place}: {found.words}")
    return 0 if all(found.passed for found in made) else 1
