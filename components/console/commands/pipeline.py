"""What each command of `refocus` does. Everything heavy is imported by the command that needs it,
so that --help answers at once.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from components.core.errors import InputError, LineageError, RefocusError, nearest

Command = Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    """A parser that fails in the house's way (one sentence, exit code 2) and leaves an example's
    line whole.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; `{self.prog} --help` shows how it is called")


def run(words: Sequence[str], *, debug: bool = False) -> int:
    """Parse the words of a command line and do what they say; gives the exit code."""
    parser, names = _parser()
    command = next((word for word in words if not word.startswith("-")), None)
    if command is not None and command not in names:
        raise InputError(f'no command "{command}"; there are {", ".join(names)}.{nearest(command, names)}')
    try:
        arguments = parser.parse_args(list(words))
    except InputError as error:
        raise InputError(f"{error}{_dashed(words)}") from None
    if not hasattr(arguments, "do"):
        parser.print_help()
        return 0
    arguments.debug = debug
    if getattr(arguments, "accept_fewer", False):
        os.environ["REFOCUS_ACCEPT_FEWER"] = "1"  # as --photos: the stage may run in a child of a child
    # SIGTERM becomes an exception, so that every `finally` runs and no child is left behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    do: Command = arguments.do
    return do(arguments)


def _dashed(words: Sequence[str]) -> str:
    """How a file whose name begins with a dash is given, where one of the words may be such a file."""
    named = [
        word
        for word in words
        if word.startswith("-") and (os.path.lexists(word) or (word[:2] != "--" and "." in word.strip(".")))
    ]
    if not named or "--" in words:
        return ""
    return (
        f'. If {named[0]} is a file: a name that begins with "-" is given after all options and a lone --, as'
        f" in `-- {named[0]}`, or as ./{named[0]}"
    )


def _parser() -> tuple[argparse.ArgumentParser, list[str]]:
    parser = _Parser(
        prog="refocus",
        description="From a folder of sharp photos to a promoted image-restoration model.",
        epilog=(
            "Example: refocus run demo\nEach command has its own: refocus COMMAND --help. Every command takes"
            " --debug: all output, and tracebacks."
        ),
    )
    parser.add_argument("--version", action="version", version="refocus 0.1.0")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(name: str, about: str, example: str, do: Command) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}.", epilog=f"Example: {example}"
        )
        made.set_defaults(do=do, command=name)
        return made

    _add_pipeline(add)
    _add_registry(add)
    _add_about(add)
    return parser, list(commands.choices)


def _add_pipeline(add: Callable[..., argparse.ArgumentParser]) -> None:
    made = add(
        "run",
        "run a whole recipe: its stages, registering, the gate, promotion",
        "refocus run deblurgan --photos ~/photos",
        _run,
    )
    made.add_argument("recipe", metavar="RECIPE")
    made.add_argument(
        "--photos",
        metavar="PLACE",
        help=(
            "folder or s3://bucket/prefix of sharp photos (of the pairs, with ingest.pairs), instead of the"
            " recipe's ingest.photos"
        ),
    )
    made.add_argument(
        "--no-prefect",
        action="store_true",
        help="the same steps without Prefect's server and page (starts 10 s faster)",
    )
    made.add_argument(
        "--dry-run", action="store_true", help="print the recipe with every default filled in, and stop"
    )
    made.add_argument(
        "--worktree",
        action="store_true",
        help="run the last commit in a folder of its own, as scheduled runs do",
    )
    _add_accept_fewer(made)
    abouts = {
        "ingest": (
            "read sharp photos, or real pairs, from a folder or bucket, sort out the unusable, split by"
            " content"
        ),
        "synthesize": (
            "make pairs: photos blurred as cameras do, made small, parted, or as they came, beside their"
            " sharp ones"
        ),
        "train": "train the restoration GAN on the pairs; run it again to resume",
        "evaluate": "measure the checkpoint and doing nothing on the test pairs",
    }
    for name, about in abouts.items():
        made = add(name, f"one stage: {about}", f"refocus {name} demo", _stage)
        made.add_argument("recipe", metavar="RECIPE")
        if name == "ingest":
            _add_accept_fewer(made)
    made = add(
        "send-pairs",
        "copy a recipe's pairs to a bucket",
        "refocus send-pairs deblurgan s3://sets/deblurgan",
        _send_pairs,
    )
    made.add_argument("recipe", metavar="RECIPE")
    made.add_argument("place", metavar="PLACE", help="s3://bucket/prefix")
    _add_overwrite(made)
    made = add(
        "fetch-pairs",
        "bring pairs back from a bucket, every byte checked",
        "refocus fetch-pairs s3://sets/deblurgan --out pairs",
        _fetch_pairs,
    )
    made.add_argument("place", metavar="PLACE", help="s3://bucket/prefix")
    made.add_argument("--out", required=True, metavar="DIR", type=Path)
    _add_overwrite(made)


def _add_overwrite(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files there that this command did not make; without it they are refused",
    )


def _add_accept_fewer(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--accept-fewer",
        action="store_true",
        help="agree that the set of photos may shrink by more than ingest.max_shrink since the last run",
    )


def _add_registry(add: Callable[..., argparse.ArgumentParser]) -> None:
    made = add(
        "promote",
        "make a registered version the champion, if the gate says yes",
        "refocus promote demo 3",
        _promote,
    )
    made.add_argument("name", metavar="NAME")
    made.add_argument(
        "version",
        metavar="VERSION",
        nargs="?",
        type=int,
        help="a version's number; the challenger when left out",
    )
    add(
        "power",
        "say which gain the recipe's test photos can show, and how many more one needs",
        "refocus power demo",
        _power,
    ).add_argument("recipe", metavar="RECIPE")
    made = add(
        "rollback",
        "give the champion's place back to the version before it",
        'refocus rollback demo --reason "halos at night"',
        _rollback,
    )
    made.add_argument("name", metavar="NAME")
    made.add_argument("--reason", required=True, help="why; it goes into the record")
    made.add_argument(
        "--to",
        type=int,
        metavar="VERSION",
        help="a version that once passed the gate, instead of the previous champion",
    )
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
    _add_overwrite(made)
    made = add(
        "lineage",
        "walk a model back to its photos, code and parameters",
        "refocus lineage demo@champion --verify",
        _lineage,
    )
    made.add_argument("model", metavar="NAME@ALIAS")
    made.add_argument("--photos", action="store_true", help="list the photos it was trained and tested on")
    made.add_argument(
        "--verify", action="store_true", help="hash every object again and check that every link holds"
    )


def _add_about(add: Callable[..., argparse.ArgumentParser]) -> None:
    add("recipes", "list the recipes and what each is", "refocus recipes", _recipes)
    made = add(
        "describe",
        "show the nets of a recipe: layer tables, structure diagrams",
        "refocus describe deblurgan",
        _describe,
    )
    made.add_argument("recipe", metavar="RECIPE")
    made.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder for index.html and the SVG files; .refocus/describe/RECIPE when left out",
    )
    _add_overwrite(made)
    made.add_argument(
        "--crop",
        metavar="PX",
        type=int,
        help="side of the photo that shapes and MACs are for; the last phase's crop when left out",
    )
    made = add(
        "blur-atlas",
        "show the blur, noise and JPEG that a recipe's model will learn from",
        "refocus blur-atlas deblurgan",
        _atlas,
    )
    made.add_argument("recipe", metavar="RECIPE")
    made.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder for index.html; .refocus/blur-atlas/RECIPE when left out",
    )
    _add_overwrite(made)
    made.add_argument(
        "--photo", metavar="FILE", type=Path, help="the photo that is blurred; a bundled one when left out"
    )
    made.add_argument(
        "--all",
        action="store_true",
        help="also the kinds of blur that the recipe leaves out, at their defaults",
    )
    add("doctor", "check this machine: versions, disk, addresses, locks", "refocus doctor", _doctor)
    made = add("ui", "open MLflow's page on this machine", "refocus ui", _ui)
    made.add_argument("--port", type=int, default=5000)


def _root(*, writes: bool = True) -> Path:
    """The checkout we are in; its state folder is then everybody's, whatever folder they work in,
    and writable where the command `writes` in it.
    """
    from components.core.files import STATE_VARIABLE, need_writable, state_folder
    from components.pipeline.stages import project_root

    root = project_root()
    folder = state_folder(root)
    if writes:
        need_writable(folder)
    os.environ.setdefault(STATE_VARIABLE, str(folder))
    return root


def _stage(arguments: argparse.Namespace) -> int:
    from components.core.progress import Progress
    from components.pipeline.stages import run_stage
    from components.services import versioning

    if "DVC_STAGE" in os.environ:
        # A run started in the background has Ctrl-C switched off for its children too; yet that is
        # how we ask a stage to end in order.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    root, name, began = _root(), arguments.command, time.monotonic()
    try:
        record = run_stage(name, arguments.recipe, root)
    except KeyboardInterrupt:
        raise
    except RefocusError as error:
        versioning.leave_status(
            arguments.recipe, name, exit_code=error.exit_code, message=" ".join(str(error).split())
        )
        raise
    except Exception as error:
        versioning.leave_status(
            arguments.recipe,
            name,
            exit_code=1,
            message=(
                f"this should not happen: {type(error).__name__}: {' '.join(str(error).split())} (--debug"
                " shows where)"
            ),
        )
        raise
    versioning.leave_status(arguments.recipe, name, seconds=round(Progress.worked_s, 2))
    print(
        f"{name} of {arguments.recipe}: {type(record).__name__} {record.digest[:12]} in"
        f" {time.monotonic() - began:.1f} s"
    )
    return 0


def _send_pairs(arguments: argparse.Namespace) -> int:
    from components.core.records import PairSet
    from components.pipeline.stages import folder_of
    from components.synthesize.exchange import send

    pairset = PairSet.load(folder_of(_root(), arguments.recipe, PairSet))
    print(send(pairset, arguments.place, overwrite=arguments.overwrite))
    return 0


def _fetch_pairs(arguments: argparse.Namespace) -> int:
    from components.synthesize.exchange import fetch

    print(fetch(arguments.place, arguments.out, overwrite=arguments.overwrite))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    root = _root(writes=not arguments.dry_run)
    photos = (
        arguments.photos
        if arguments.photos is None or "://" in arguments.photos
        else str(Path(arguments.photos).expanduser().resolve())
    )
    if arguments.dry_run:
        return _dry_run(arguments.recipe, photos, root)
    if arguments.no_prefect:
        from flows.steps import retrain_plainly

        retrain_plainly(
            arguments.recipe, root, photos=photos, worktree=arguments.worktree, debug=arguments.debug
        )
    else:
        from flows.console import retrain_at_console

        retrain_at_console(
            arguments.recipe, root, photos=photos, worktree=arguments.worktree, debug=arguments.debug
        )
    return 0


def _dry_run(name: str, photos: str | None, root: Path) -> int:
    import yaml

    from components import recipes

    if photos is not None:
        os.environ[recipes.PHOTOS_VARIABLE] = photos
    recipe = recipes.load(name, root=root)
    print(yaml.safe_dump(recipe.plain(), sort_keys=False, allow_unicode=True), end="")
    print(f"# digest {recipe.record().digest}")
    return 0


def _promote(arguments: argparse.Namespace) -> int:
    from components.console.registry_commands import promote

    decision = promote(arguments.name, arguments.version, _root())
    print(decision.told)
    return 0 if decision.promoted else 1


def _power(arguments: argparse.Namespace) -> int:
    from components.console.registry_commands import power

    for line in power(arguments.recipe, _root()):
        print(line)
    return 0


def _rollback(arguments: argparse.Namespace) -> int:
    from components.registry.rollback import rollback

    _root()
    print(rollback(arguments.name, arguments.reason, arguments.to).told)
    return 0


def _lineage(arguments: argparse.Namespace) -> int:
    from components.registry import lineage

    root = _root()
    print(lineage.trace(arguments.model))
    for photo in lineage.photos_of(arguments.model) if arguments.photos else ():
        print(
            f"{photo.split:<5}  {photo.id[:16]}  {photo.width}×{photo.height}  {photo.name}"
            + (f"  ({photo.licence})" if photo.licence else "")
        )
    if not arguments.verify:
        return 0
    problems = lineage.verify(arguments.model, root=root)
    for problem in problems:
        print(f"!! {problem}")
    print(
        f"{len(problems)} link{'s' if len(problems) != 1 else ''} broken"
        if problems
        else "verified: every object exists and every hash matches"
    )
    return LineageError.exit_code if problems else 0


def _restore(arguments: argparse.Namespace) -> int:
    from components.console.restore import restore

    if "@" in arguments.model and not Path(arguments.model).is_dir():
        _root()
    written = restore(arguments.images, arguments.model, arguments.out, overwrite=arguments.overwrite)
    for path in written:
        print(path)
    return 0 if len(written) == len(set(arguments.images)) else 1


def _recipes(arguments: argparse.Namespace) -> int:
    from components import recipes

    root = _root(writes=False)
    found, refused = recipes.load_all(root)
    for name in recipes.names(root):
        about = f"cannot be read: {refused[name]}" if name in refused else found[name].about.splitlines()[0]
        print(f"{name:<20} {about}")
    return 0


def _describe(arguments: argparse.Namespace) -> int:
    from components.describe.command import describe

    root = _root(writes=arguments.out is None)
    page = describe(
        arguments.recipe, root, out=arguments.out, crop_px=arguments.crop, overwrite=arguments.overwrite
    )
    print(f"page with diagrams: {page}")
    return 0


def _atlas(arguments: argparse.Namespace) -> int:
    from components.atlas.command import atlas

    root = _root(writes=arguments.out is None)
    page = atlas(
        arguments.recipe,
        root,
        out=arguments.out,
        photo=arguments.photo,
        others=arguments.all,
        overwrite=arguments.overwrite,
    )
    print(f"page with pictures: {page}")
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from components.console import doctor

    return doctor.examine(_root(writes=False))


def _ui(arguments: argparse.Namespace) -> int:
    from components.console import ui

    _root()
    return ui.serve(arguments.port)
