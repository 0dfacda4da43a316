"""What a recipe names of the sender's own machine, as it goes with a task to a cluster: files of
pretrained weights, and the checkpoint's folder that a training starts from. Needs no torch.

Photos are read on the sender's machine, by ingest, and go as records do; what else a recipe names lies
in a registry or a bucket, which the cluster reaches, too.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from components.core.errors import InputError, WeightsError
from components.core.files import place_of, sha256_of_file, state_folder
from components.core.parts import Part, digest_of
from components.core.records import Checkpoint, PhotoSet, RecipeRecord
from components.metrics import METRICS, SET_METRICS
from components.nets.weights_files import first_here, put
from components.recipes import Recipe
from components.services.content import ContentStore
from components.services.storage import is_s3
from components.train.pretrained_weights import BackboneWeights, weights_in_store

# Of a checkpoint's folder, what a training takes from it.
_NETS = (Checkpoint.WEIGHTS, Checkpoint.CONFIG)
OF_START = (
    Checkpoint.FILE,
    *(f"{folder}{name}" for folder in ("", f"{Checkpoint.BACK}/") for name in _NETS),
    *(PhotoSet.FILE, PhotoSet.TABLE),
)


class Enclosed(Part):
    """What goes along, by its content. named: SHA-256 of files that the recipe names by a path, by that;
    known: of files that libraries look for by a name of their own, where the sender has them; start: the
    digest under which the folder of train.start lies.
    """

    named: dict[str, str] = Field(default_factory=dict)
    known: dict[str, str] = Field(default_factory=dict)
    start: str | None = None


def enclosed(record: RecipeRecord, stage: str, store: ContentStore) -> Enclosed:
    """Put into the store what a stage needs of this machine. Raises WeightsError or InputError for what
    the recipe names and is not there.
    """
    recipe = Recipe.of_record(record)
    if stage == "synthesize":  # which takes nothing but photos
        return Enclosed()
    metrics = [*recipe.evaluate.metrics, *recipe.evaluate.set_metrics, *recipe.train.validate_metrics]
    known = [(METRICS[name] if name in METRICS else SET_METRICS[name]).weights for name in metrics]
    named: dict[str, str] = {}
    start = None
    if stage == "train":
        for weights in filter(None, (part.weights() for _, part in recipe.train.content_losses())):
            if weights.known_as is not None:
                known.append((weights.known_as,))
            elif not is_s3(weights.source):
                named[weights.source] = store.send_file(_file_of(weights))
        if (folder := start_folder(recipe.train.start)) is not None:
            start = _sent(folder, store)
    found = filter(None, map(first_here, known))
    return Enclosed(named=named, known={name: store.send_file(path) for name, path in found}, start=start)


@contextmanager
def opened(parcel: Enclosed) -> Iterator[Path | None]:
    """Let what was enclosed be found here for the length of a block; gives the folder that train.start
    means, if it means one. Files go to this machine's cache, those that it has by itself are not fetched.
    """
    put_known(parcel.known)
    with weights_in_store(parcel.named):
        yield None if parcel.start is None else _store().fetch_folder(parcel.start)


def put_known(files: Mapping[str, str]) -> None:
    """Let this process and its children find files of weights, SHA-256 by name, that its machine lacks."""
    put(
        {name: functools.partial(_store().fetch_file, sha256) for name, sha256 in files.items()},
        state_folder() / "torch",
    )


def start_folder(start: str) -> Path | None:
    """The checkpoint's folder that a recipe's train.start names; None where it names none. Raises
    InputError where it is a path and holds no checkpoint.
    """
    folder = place_of(start)
    if (folder / Checkpoint.FILE).is_file():
        return folder
    if os.sep in start:
        raise InputError(
            f"train.start: {folder} holds no {Checkpoint.FILE}; name a checkpoint's folder, NAME:VERSION,"
            " champion or scratch"
        )
    return None


def _sent(folder: Path, store: ContentStore) -> str:
    Checkpoint.load(folder).verify()
    names = [name for name in OF_START if (folder / name).is_file()]
    digest = digest_of({name: sha256_of_file(folder / name) for name in names})
    store.send_folder(folder, digest, names=names)
    return digest


def _file_of(weights: BackboneWeights) -> Path:
    path = place_of(weights.source)
    if not path.is_file():
        raise WeightsError(
            f"train.content has weights_from: {weights.source}, and there is no file at {path.absolute()};"
            " correct it, or name the weights as s3://BUCKET/KEY"
        )
    return path


def _store() -> ContentStore:
    return ContentStore.needed("weights were sent by the team's store")
