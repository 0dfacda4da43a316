"""One stage of a recipe, done in this process."""

from __future__ import annotations

from components.core.record import Record
from components.pipeline import stages
from components.pipeline.project import Run


def run_stage(name: str, run: Run) -> Record:
    """Do it; gives the record it wrote."""
    with stages.prepared(name, run) as work:
        return work()
