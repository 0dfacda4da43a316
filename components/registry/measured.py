"""A version measured with today's code, on the pairs at hand: its stored scores come from other code and
perhaps other photos. Kept here and beside the version, so that nobody on a like machine does it again.
"""

from __future__ import annotations

import functools
from pathlib import Path

from pydantic import ValidationError

from components.core.errors import LineageError
from components.core.files import state_folder, write_rows, write_text
from components.core.gpu import Gpu
from components.core.own_process import in_own_process
from components.core.parts import digest_of
from components.core.pixel_code import pixel_code
from components.core.records import PairSet, PhotoScore
from components.evaluate.config import Conditions
from components.nets.choices import Precision
from components.register.export import WEIGHTS_PLACE
from components.register.own_words import with_tags
from components.services import tracking
from components.services.tracking import registry

FOLDER = "measured"
CODE = ("metrics", "evaluate", "nets")
SETTING = "evaluate.gpu"


def place(gpu: Gpu = "auto", precision: Precision = "fp32") -> str:
    """Device and precision that a version is measured with here. Raises InputError where a GPU is
    required and there is none.
    """
    from components.nets.devices import device_for  # torch takes seconds to import; a refusal or a
    from components.nets.precision import place_of  # rollback must not wait for it

    return place_of(device_for(gpu, SETTING), precision)


def gpu_as(gpu: Gpu, precision: Precision, wanted: str | None) -> Gpu:
    """Whether to take this machine's GPU, so that a version is measured where another was: `never` where
    that one was measured on a processor like this one, although this machine has a GPU.
    """
    if gpu == "auto" and wanted is not None and place(gpu, precision) != wanted:
        return "never" if place("never", precision) == wanted else gpu
    return gpu


def scores_of(
    version: tracking.Version,
    pairset: PairSet,
    metrics: tuple[str, ...],
    *,
    tile_px: int,
    gpu: Gpu = "auto",
    precision: Precision = "fp32",
    title: str = "champion",
) -> tuple[PhotoScore, ...]:
    """A row a test pair. tile_px, gpu, precision: as a recipe's evaluate section has them; title: what
    progress calls the version.
    """
    version = with_tags(version)
    asked = [
        _digests(version),
        pairset.digest,
        sorted(metrics),
        tile_px,
        pixel_code(*CODE),
        place(gpu, precision),
    ]
    name = f"{digest_of(asked)}.jsonl"
    known = _measured_before(version, name)
    if known is not None:
        return known
    with tracking.fetch(version, WEIGHTS_PLACE) as folder:
        how = Conditions(tile_px=tile_px, gpu=gpu, precision=precision)
        scores = _scores(folder, pairset, metrics, how, title)
    kept = state_folder() / FOLDER / name
    write_rows(kept, scores)
    tracking.add_file(version, kept, FOLDER)
    return scores


def scores_elsewhere(
    version: tracking.Version,
    pairset: PairSet,
    metrics: tuple[str, ...],
    *,
    tile_px: int,
    gpu: Gpu = "auto",
    precision: Precision = "fp32",
) -> tuple[tuple[PhotoScore, ...], str] | None:
    """The same by a node of the joined cluster that has a GPU, and its place; None where this machine has
    one itself, or none is to be had. Nothing is kept of it.
    """
    from components.evaluate.elsewhere import is_elsewhere

    if not is_elsewhere(gpu):
        return None
    how = Conditions(tile_px=tile_px, gpu=gpu, precision=precision)
    version = with_tags(version)
    digest = digest_of(_digests(version))
    with tracking.fetch(version, WEIGHTS_PLACE) as folder:
        # Ray takes a process's signals, and a flow's are Prefect's.
        return in_own_process(of_weights, folder, digest, pairset.folder, metrics, how)


def of_weights(
    folder: Path, digest: str, pairs: Path, metrics: tuple[str, ...], how: Conditions
) -> tuple[tuple[PhotoScore, ...], str] | None:
    """The same of weights in a folder, known by the digest, on the pairs of another."""
    from components.evaluate.elsewhere import done_elsewhere

    work = functools.partial(_scores_there, metrics, how)
    found = done_elsewhere(work, PairSet.load(pairs), folder, digest, metrics, how["gpu"])
    return None if found is None else found[0]


def _digests(version: tracking.Version) -> list[str]:
    """Of the weights and of what net they are for."""
    return [version.tags[registry.WEIGHTS_SHA256], version.tags[registry.GENERATOR_SHA256]]


def _scores_there(
    metrics: tuple[str, ...], how: Conditions, pairset: PairSet, folder: Path
) -> tuple[tuple[PhotoScore, ...], str]:
    scores = _scores(folder, pairset, metrics, how, "champion")
    return scores, place(how["gpu"], how["precision"])


def _scores(
    folder: Path, pairset: PairSet, metrics: tuple[str, ...], how: Conditions, title: str
) -> tuple[PhotoScore, ...]:
    from components.evaluate.measure import measure
    from components.nets.devices import device_for
    from components.nets.restore import load_restorer

    device = str(device_for(how["gpu"], SETTING))
    restorer = load_restorer(folder, device=device, tile_px=how["tile_px"], precision=how["precision"])
    return measure(restorer.restore, pairset, metrics, title=title, window=restorer.window, device=device)


def _measured_before(version: tracking.Version, name: str) -> tuple[PhotoScore, ...] | None:
    """Rows that were measured here, or on another machine that put them beside the version."""
    here = state_folder() / FOLDER / name
    try:
        if not here.is_file() and tracking.has_file(version, f"{FOLDER}/{name}"):
            with tracking.fetch(version, f"{FOLDER}/{name}") as there:
                write_text(here, there.read_text())
        return tuple(PhotoScore.model_validate_json(line) for line in here.read_text().splitlines())
    except (OSError, ValidationError, LineageError):
        return None
