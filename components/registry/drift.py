"""Whether the world has moved away from what the champion was promoted on: the photos that come in, and
how the champion fares on fresh pairs made of them.

Each version keeps, as a tag, quartiles of its photos' statistics and its figures on the test pairs. A
statistic has drifted when its median moved by more than so many of the spreads (quartile to quartile)
that it had then; a figure when the champion got worse by more than so large a share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from components.core.images import read_rgb
from components.core.parts import Part, canonical_json
from components.core.records import EvalReport, PhotoSet
from components.metrics import METRICS
from components.metrics.photo_statistics import UNITS, photo_statistics
from components.register.config import DriftLimits
from components.registry.decision import Decision
from components.services import tracking

TAG = "refocus.made_of"
LEAST_SPREAD = 0.05  # of the median: photos of one camera at one place hardly differ


class MadeOf(Part):
    """What a version was promoted on. photos: lower quartile, median and upper quartile by statistic."""

    photoset: str
    photos: dict[str, tuple[float, float, float]]
    figures: dict[str, float]


@dataclass(frozen=True)
class Drift:
    """One row of the table: what it was when the champion was promoted, what it is now, by how much it
    moved, and how much may pass without a word.
    """

    name: str
    then: float
    now: float
    moved: float
    limit: float
    unit: str

    @property
    def beyond(self) -> bool:
        """Whether it is to be told of."""
        return self.moved > self.limit

    @property
    def words(self) -> str:
        """The row in one line."""
        unit = f" {self.unit}" if self.unit else ""
        return (
            f"{self.name} {self.now:.4g}{unit} (then {self.then:.4g}): moved {self.moved:.2g},"
            f" {self.limit:g} may pass"
        )


def drift_since(
    limits: DriftLimits, photoset: PhotoSet, report: EvalReport, decision: Decision
) -> tuple[Drift, ...]:
    """Keep what the decision's version is made of, and compare that with what the champion that it was
    compared with was made of; no rows where there was none, or of an older program.
    """
    version = tracking.get_version(decision.name, decision.version)
    mine = _made_of(version)
    if mine is None or mine.photoset != photoset.digest:
        mine = MadeOf(
            photoset=photoset.digest, photos=_quartiles(photoset, limits.sample), figures=report.restored
        )
        text = canonical_json(mine.model_dump(mode="json"))
        tracking.add_tags(version.name, version.number, {TAG: text})
    if decision.against is None or decision.against == decision.version:
        return ()
    champion = tracking.maybe_version(decision.name, decision.against)
    then = _made_of(champion) if champion is not None else None
    if then is None:
        return ()
    return (
        *_of_photos(then.photos, mine.photos, limits.photos),
        *_of_figures(then, decision, limits.figures),
    )


def _made_of(version: tracking.Version) -> MadeOf | None:
    text = version.tags.get(TAG)
    try:
        return None if text is None else MadeOf.model_validate_json(text)
    except ValidationError:
        return None  # written by another version of this program


def _quartiles(photoset: PhotoSet, most: int) -> dict[str, tuple[float, float, float]]:
    """Of `most` photos, evenly spread over the order of their ids, which is as good as chance."""
    photos = photoset.photos()
    places = np.unique(np.linspace(0, len(photos) - 1, min(most, len(photos))).astype(int))
    rows = [photo_statistics(read_rgb(photoset.folder / photos[place].file)) for place in places]
    found = {}
    for name in UNITS:
        low, middle, high = np.quantile([row[name] for row in rows], (0.25, 0.5, 0.75))
        found[name] = (float(low), float(middle), float(high))
    return found


def _of_photos(
    then: Mapping[str, tuple[float, float, float]],
    now: Mapping[str, tuple[float, float, float]],
    limit: float,
) -> list[Drift]:
    rows = []
    for name in sorted(then.keys() & now.keys(), key=list(UNITS).index):
        low, before, high = then[name]
        spread = max(high - low, LEAST_SPREAD * abs(before), 1e-9)
        after = now[name][1]
        rows.append(Drift(f"photos' {name}", before, after, abs(after - before) / spread, limit, UNITS[name]))
    return rows


def _of_figures(then: MadeOf, decision: Decision, limit: float) -> list[Drift]:
    rows = []
    for name in sorted(then.figures.keys() & decision.champion_figures.keys() & METRICS.keys()):
        before, after = then.figures[name], decision.champion_figures[name]
        worse = METRICS[name].gain(before, after) / max(abs(before), 1e-9)
        rows.append(Drift(f"champion's {name}", before, after, max(0.0, worse), limit, METRICS[name].unit))
    return rows
