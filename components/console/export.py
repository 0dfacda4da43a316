"""What `refocus export` does: a model as files for other programs, each with its parity report."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from components.console.registry_commands import recipes_of, the_one
from components.core.delivery import Delivery, delivering
from components.core.errors import InputError, LineageError
from components.core.files import sha256_of_file
from components.core.records import Checkpoint, PairSet
from components.exports.made import Weights, make
from components.exports.parity import Parity
from components.nets.formats import Format, FormatPart
from components.pipeline.project import Project, Run
from components.register.export import RECORDS, WEIGHTS_PLACE
from components.registry import lineage
from components.services import tracking
from components.services.tracking import registry


def export(
    model: str,
    words: Sequence[str],
    out: Path,
    project: Project,
    *,
    recipe: str | None = None,
    overwrite: bool = False,
) -> tuple[Parity, ...]:
    """Write a model in each of the formats, and KIND.json beside it, into a folder; gives the records.

    model: NAME@ALIAS, NAME:3 or a checkpoint's folder; words: of formats; recipe: whose pairs here it
    is measured on, the version's own where left out.
    Raises InputError before work starts: a package that is missing, a file of others in the way, no
    pairs here.
    """
    formats = [_format(word) for word in dict.fromkeys(words)]
    for part in formats:
        part.need_packages()
    with delivering(out):
        delivery = Delivery(out, overwrite=overwrite, known=_known(out, formats))
        names = [name for part in formats for name in (part.FILE, f"{part.kind}.json")]
        delivery.refuse_others(names)
        with _weights(model, recipe, project) as (weights, run), tempfile.TemporaryDirectory() as temporary:
            pairset = _pairs(run)
            made = make(
                formats,
                weights,
                pairset,
                Path(temporary),
                gate=run.recipe.register_.gate,
                metrics=run.recipe.evaluate.metrics,
                tile_px=run.recipe.evaluate.tile_px,
            )
            deliver(formats, Path(temporary), delivery)
    return made


def deliver(formats: Sequence[FormatPart], made: Path, delivery: Delivery) -> None:
    """Put what was made of each format into its place: the record first, and no other file beside it, so
    that whatever lies there when this is stopped is known the next time.
    """
    for part in formats:
        delivery.refuse_others([part.FILE])
        new, old = made / part.FILE, delivery.folder / part.FILE
        if old.is_file() and not (new.is_file() and sha256_of_file(new) == sha256_of_file(old)):
            old.unlink()
        for source in (made / f"{part.kind}.json", new):
            if source.is_file():
                with delivery.incoming(source.name) as incoming:
                    incoming.write_bytes(source.read_bytes())


def _format(word: str) -> FormatPart:
    found: FormatPart = TypeAdapter(Format).validate_python(word)
    return found


def _known(out: Path, formats: Sequence[FormatPart]) -> dict[str, list[str]]:
    """Files of an earlier export that may be replaced: records that are as we write them, and what
    they name.
    """
    known: dict[str, list[str]] = {}
    for part in formats:
        path = out / f"{part.kind}.json"
        known[part.FILE] = known[path.name] = []
        try:
            text = path.read_text()
            found = Parity.model_validate_json(text)
        except (OSError, UnicodeDecodeError, ValidationError):
            continue
        if found.model_dump_json(indent=2) + "\n" == text:
            known[path.name] = [sha256_of_file(path)]
            known[part.FILE] = [found.sha256] if found.sha256 else []
    return known


@contextmanager
def _weights(model: str, recipe: str | None, project: Project) -> Iterator[tuple[Weights, Run]]:
    """The weights, and the run whose pairs they are measured on."""
    if Path(model).is_dir():
        checkpoint = Checkpoint.load(Path(model)).verify()
        if recipe is None:
            raise InputError(
                f"{model} does not say on whose pairs it is to be measured; name the recipe: --recipe demo"
            )
        yield Weights(checkpoint.folder, checkpoint.digest), Run.of(project, recipe)
        return
    version = lineage.resolve(model)
    if recipe is None:
        recipe = the_one(recipes_of(version.name, project.root), version.tags.get(registry.RECIPE_NAME)).name
    run = Run.of(project, recipe)
    with tracking.fetch(version, WEIGHTS_PLACE) as folder, tracking.fetch(version, RECORDS) as records:
        yield Weights(folder, Checkpoint.load(records).digest), run


def _pairs(run: Run) -> PairSet:
    try:
        return run.load(PairSet)
    except LineageError as error:
        raise LineageError(
            f"an exported file is measured on test pairs, and those of {run.name} are not here ({error});"
            f" `dvc checkout`, or `refocus run {run.name}`, or name another recipe: --recipe"
        ) from error
