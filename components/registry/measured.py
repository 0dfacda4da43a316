"""A version measured with today's code, on the pairs at hand: its stored scores come from other code and
perhaps other photos. Kept here and beside the version, so that nobody on a like machine does it again.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

import components
from components.core.errors import LineageError
from components.core.files import code_digest, state_folder, write_rows, write_text
from components.core.parts import digest_of
from components.core.records import PairSet, PhotoScore
from components.register.export import WEIGHTS_PLACE
from components.register.own_words import with_tags
from components.services import tracking
from components.services.tracking import registry

FOLDER = "measured"


def place() -> str:
    """Device and precision that a version is measured with here."""
    import torch  # takes seconds to import; a refusal or a rollback must not wait for it

    from components.nets.precision import place_of

    return place_of(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def scores_of(
    version: tracking.Version,
    pairset: PairSet,
    metrics: tuple[str, ...],
    *,
    tile_px: int,
    title: str = "champion",
) -> tuple[PhotoScore, ...]:
    """A row a test pair. title: what progress calls the version."""
    from components.evaluate.measure import measure
    from components.nets.restore import load_restorer

    here = Path(components.__file__).parent
    code = code_digest(
        here / "metrics",
        here / "evaluate",
        here / "nets",
        here / "core" / "baseline.py",
        here / "core" / "resize.py",
        here / "core" / "windows.py",
    )
    version = with_tags(version)
    weights = [version.tags[registry.WEIGHTS_SHA256], version.tags[registry.GENERATOR_SHA256]]
    name = f"{digest_of([weights, pairset.digest, sorted(metrics), tile_px, code, place()])}.jsonl"
    known = _measured_before(version, name)
    if known is not None:
        return known
    with tracking.fetch(version, WEIGHTS_PLACE) as folder:
        restorer = load_restorer(folder, tile_px=tile_px)
        scores = measure(restorer.restore, pairset, metrics, title=title, window=restorer.window)
    kept = state_folder() / FOLDER / name
    write_rows(kept, scores)
    tracking.add_file(version, kept, FOLDER)
    return scores


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
