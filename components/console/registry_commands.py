"""What `refocus promote`, `rollback`, `restore` and `lineage` do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from components import recipes
from components.core.errors import InputError, LineageError, PhotoError, nearest
from components.core.progress import Progress
from components.core.records import EvalReport, ModelVersion, PairSet
from components.pipeline.stages import folder_of
from components.register.export import WEIGHTS_PLACE
from components.registry import lineage, promotion
from components.registry.decision import Decision
from components.services import tracking
from components.services.tracking import registry


def promote(name: str, number: int | None, root: Path) -> Decision:
    """Let the gate decide on a version of a model (the challenger when none is named), with the
    pairs and report of its recipe here.

    name: the model's name in the registry. Raises LineageError when there is no such version, or
    the report here is for another.
    """
    recipe = recipe_of(name, root)
    found = (
        tracking.at_alias(name, tracking.CHALLENGER) if number is None else tracking.get_version(name, number)
    )
    if found is None:
        raise LineageError(
            f"{name} has no challenger; run `refocus run {recipe.name}` to make one, or name a version"
        )
    version = ModelVersion(
        name=name,
        version=found.number,
        checkpoint=found.tags.get(registry.CHECKPOINT, ""),
        report=found.tags.get(registry.REPORT, ""),
        recipe=found.tags.get(registry.RECIPE, ""),
    )
    pairset = PairSet.load(folder_of(root, recipe.name, PairSet))
    report = EvalReport.load(folder_of(root, recipe.name, EvalReport))
    return promotion.promote(recipe.register_, pairset, report, version, tile_px=recipe.evaluate.tile_px)


def power(name: str, root: Path) -> tuple[str, ...]:
    """What a recipe's test photos can show, in lines. Raises LineageError when it was not evaluated
    here yet.
    """
    from components.registry.power import report_power

    recipe = recipes.load(name, root=root)
    report = EvalReport.load(folder_of(root, recipe.name, EvalReport))
    return report_power(recipe.register_, report)


def recipe_of(name: str, root: Path) -> recipes.Recipe:
    """The recipe whose models have that name in the registry. Raises InputError with the nearest
    right one.
    """
    known = {
        recipe.register_.name: recipe
        for recipe in (recipes.load(each, root=root) for each in recipes.names(root))
    }
    if name not in known:
        raise InputError(
            f'no recipe registers a model "{name}"; there are {", ".join(known)}.{nearest(name, known)}'
        )
    return known[name]


def restore(images: Sequence[Path], model: str, out: Path) -> list[Path]:
    """Restore photos with NAME@ALIAS from the registry or with a checkpoint's folder; gives the
    written PNG files.

    A super-resolution model writes pictures as many times larger as its scale. Every input is
    looked at before the model is fetched; a file that would be written twice is refused.
    Raises InputError, for a file that is no whole photo PhotoError, with its path.
    """
    from components.core.decoding import decode, header, photo_bytes
    from components.core.images import write_png
    from components.nets.restore import load_restorer

    folders = [path for path in images if path.is_dir()]
    if folders:
        raise InputError(f"{folders[0]} is a folder; name the photos in it: {folders[0]}/*.jpg")
    missing = [str(path) for path in images if not path.is_file()]
    if missing:
        raise InputError(f"no photo at {', '.join(missing[:3])}; give paths of image files")
    targets = [out / f"{path.stem}.png" for path in images]
    twice = sorted({str(target) for target in targets if targets.count(target) > 1})
    if twice:
        raise InputError(
            f"two of the photos would both become {twice[0]}; restore them into different folders"
        )
    over = [
        str(target)
        for target, path in zip(targets, images, strict=True)
        if target.resolve() == path.resolve()
    ]
    if over:
        raise InputError(f"{over[0]} would be overwritten by its own restored version; choose another --out")
    for path in images:
        with _naming(path):
            header(photo_bytes(path))
    with _weights(model) as folder, Progress("restore", len(images), unit="photos") as bar:
        restorer = load_restorer(folder)
        for path, target in zip(images, targets, strict=True):
            with _naming(path):
                pixels = decode(photo_bytes(path)).pixels
            write_png(target, restorer.restore_pixels(pixels))
            bar.advance(1)
    return targets


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file's path before what is wrong with it."""
    try:
        yield
    except PhotoError as error:
        raise PhotoError(f"{path}: {error}") from error


@contextmanager
def _weights(model: str) -> Iterator[Path]:
    if Path(model).is_dir():
        yield Path(model)
        return
    if "@" not in model and ":" not in model:
        raise InputError(f'--model "{model}" is neither a folder nor NAME@ALIAS (such as demo@champion)')
    with tracking.fetch(lineage.resolve(model), WEIGHTS_PLACE) as folder:
        yield folder
