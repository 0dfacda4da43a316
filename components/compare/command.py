"""What `refocus compare` does: a table on the terminal, and one HTML page in a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.compare.contenders import contenders
from components.compare.on_pairs import measured_on, pairs_at_hand, pictures
from components.compare.page import lines, render_page
from components.compare.side_by_side import Comparison, compare
from components.core.delivery import Delivery, delivering
from components.core.errors import RefocusError
from components.core.records import PairSet
from components.pipeline.project import Project, Run

PAGE = "index.html"


@dataclass(frozen=True)
class Compared:
    """What came of it."""

    comparison: Comparison
    lines: tuple[str, ...]
    page: Path


def compare_all(
    references: Sequence[str],
    project: Project,
    *,
    on: str | None = None,
    out: Path | None = None,
    overwrite: bool = False,
) -> Compared:
    """Put versions and recipes side by side, on the pairs that their reports share.

    on: a recipe of this checkout, on whose test pairs all of them are measured anew; out: folder for
    index.html, .refocus/compare/A-B when left out.
    Raises LineageError when there is nothing that they can be compared on.
    """
    run = None if on is None else Run.of(project, on)  # a mistyped recipe is told before any work
    found = contenders(references, project)
    name = "-".join(re.sub(r"[^A-Za-z0-9_]+", ".", each.name) for each in found)
    folder = out or project.state / "compare" / name
    with delivering(folder):
        delivery = Delivery(folder, overwrite=overwrite or out is None)
        delivery.refuse_others([PAGE])
        pairset = None if run is None else run.load(PairSet)
        if pairset is None:
            comparison = compare(found, [each.scores for each in found])
            pairset = pairs_at_hand(comparison, project.root)
        else:
            comparison = compare(found, *measured_on(found, pairset))
        sheets, why = {}, None
        if pairset is None:
            why = "No pictures: the test pairs are not in this checkout; `refocus run RECIPE` brings them."
        else:
            try:
                sheets = pictures(comparison, pairset)
            except RefocusError as error:
                why = f"No pictures: {error}"
        page = delivery.write(PAGE, render_page(comparison, sheets, why).encode())
    told = (*lines(comparison), *([why] if why else []), f"page           {page}")
    return Compared(comparison, told, page)
