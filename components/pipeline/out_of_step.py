"""Whether what lies in a recipe's folders was made with the settings that stand in its file now and with the
releases of libraries that are installed, and each of it from what lies beside it. A run sees to the
settings by DVC; by hand, stages can be left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from components.core.record import Record
from components.core.records import Checkpoint, EvalReport, PairSet, PhotoSet
from components.core.releases import noted, releases, that_differ
from components.ingest.told import settings_of
from components.pipeline.project import Run, folder_of

OTHERS: dict[type[Record], str] = {
    PhotoSet: "other photos than lie",
    PairSet: "other pairs than lie",
    Checkpoint: "another checkpoint than lies",
}


def out_of_step(run: Run, *kinds: type[Record]) -> Iterator[str]:
    """What of a run's records of these kinds does not belong to its recipe, or to the others, each as a
    sentence with its remedy. A record that is not there is left out.
    """
    there = _there(run, (PhotoSet, *kinds))
    yield from of_other_releases(run, *kinds)
    for kind, record in there.items():
        at = folder_of(run.root, run.name, kind)
        named: dict[type[Record], str]
        if isinstance(record, PairSet):
            stage, wanted = "synthesize", run.recipe.synthesize.identity
            named = {PhotoSet: record.photoset}
        elif isinstance(record, Checkpoint):
            stage, wanted = "train", run.record.section_digest("train")
            named = {PairSet: record.pairset}
        elif isinstance(record, EvalReport):
            stage, wanted = "evaluate", run.record.section_digest("evaluate")
            named = {PairSet: record.pairset, Checkpoint: record.checkpoint}
        else:
            yield from _taken_in_otherwise(run, record, at)
            continue
        remedy = f"`refocus {stage} {run.name}` makes it anew"
        if record.config_digest != wanted:
            yield f"{at} was made with other settings than {stage} has in the recipe now; {remedy}"
        for parent, digest in named.items():
            if parent in there and there[parent].digest != digest:
                yield f"{at} was made of {OTHERS[parent]} there now; {remedy}"


def _taken_in_otherwise(run: Run, photoset: Record, at: Path) -> Iterator[str]:
    told, wanted = photoset.about.get(PhotoSet.SETTINGS), settings_of(run.recipe.ingest)
    if isinstance(told, dict) and told != wanted:
        names = ", ".join(sorted(name for name in {*told, *wanted} if told.get(name) != wanted.get(name)))
        yield (
            f"{at} was taken in with another {names} than ingest has in the recipe now; `refocus ingest"
            f" {run.name}` takes the photos in anew"
        )


def of_other_releases(run: Run, *kinds: type[Record]) -> Iterator[str]:
    """What of a run's records was made with other releases of libraries than are installed here."""
    for kind, record in _there(run, kinds).items():
        if others := that_differ(noted(record.about), releases()):
            at = folder_of(run.root, run.name, kind)
            yield f"{at} was made with {others}; it is taken as it is, and new figures may differ a little"


def _there(run: Run, kinds: Sequence[type[Record]]) -> dict[type[Record], Record]:
    return {
        kind: run.load(kind) for kind in kinds if (folder_of(run.root, run.name, kind) / kind.FILE).is_file()
    }
