"""What the last verdict on a recipe rested on, so that a run with nothing new knows it."""

from __future__ import annotations

import json
from pathlib import Path

from components.core.files import code_digest, write_text
from components.core.own_state import read_json
from components.core.parts import digest_of
from components.core.records import Checkpoint, EvalReport, PairSet, PhotoSet
from components.pipeline.project import Run
from components.services import tracking

Stamp = dict[str, str | None]
DECIDING = ("core", "metrics", "nets", "evaluate", "register", "registry")


def stamp_of(run: Run) -> Stamp:
    """What a verdict rests on, by content: when none of it changed, the verdict would be the same."""
    champion = tracking.at_alias(run.recipe.register_.name, tracking.CHAMPION)
    return {
        **_settings(run),
        "champion": str(champion.number) if champion else None,
        **{kind.__name__: run.load(kind).digest for kind in (PhotoSet, PairSet, Checkpoint, EvalReport)},
    }


def last_stamp(run: Run) -> Stamp | None:
    """What the recipe's last verdict rested on; None when there was none."""
    return read_json(_place(run))


def keep_stamp(run: Run) -> None:
    """Remember what the verdict just given rested on."""
    write_text(_place(run), json.dumps(stamp_of(run)) + "\n")


def may_be_settled(run: Run) -> bool:
    """Whether settings and code are those of the last verdict: then only photos, data and champion
    can tell if there is anything to do.
    """
    return _settings(run).items() <= (last_stamp(run) or {}).items()


def _settings(run: Run) -> Stamp:
    sections = run.record.sections
    return {
        # Where the photos lay is left out: what they are stands in the PhotoSet.
        "recipe": digest_of({name: section for name, section in sections.items() if name != "ingest"}),
        "code": code_digest(*(run.root / "components" / name for name in DECIDING)),
    }


def _place(run: Run) -> Path:
    return run.project.state / "verdicts" / f"{run.name}.json"
