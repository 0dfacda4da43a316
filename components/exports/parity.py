"""How far an exported file is from its checkpoint, measured on the test pairs: pixels, every metric
beside the gain over doing nothing, size and time.

A loss of 0.1 dB is little where 3 dB were gained and much where 0.5 were: so what is limited is the
share of the gain that is lost.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import torch
from pydantic import Field

from components.core.files import sha256_of_bytes, sha256_of_file
from components.core.images import to_float
from components.core.parts import Part
from components.core.records import PairSet, PhotoScore
from components.evaluate.measure import Floats, Restore, measure, read_pair
from components.metrics import METRICS, measurable
from components.metrics.differences import Difference, by_group, difference, having
from components.nets.formats import FormatPart
from components.nets.restore import Restorer
from components.nets.tiling import OVERLAP_PX
from components.register.policy import ParityPolicy

TIMED, ROUNDS = 3, 3  # photos, and times each, of which the median counts
THREADS = (1, 2)


class Kept(Part):
    """What one metric says. Means over groups; a change is positive where the file is better."""

    nothing: float = Field(description="of doing nothing")
    checkpoint: float
    file: float
    gain: float = Field(description="of the checkpoint over doing nothing; positive is better")
    change: Difference = Field(description="of the file over the checkpoint, with its interval")

    @property
    def lost(self) -> float | None:
        """Share of the gain that is lost; None where nothing was gained."""
        return max(-self.change.mean, 0.0) / self.gain if self.gain > 0 else None


class PerTile(Part):
    """What tiles do to a file whose net looks over the whole photo: each sees itself alone."""

    tile_px: int
    largest_error: float = Field(description="in tiles against whole, of a value in [0, 1], on one photo")
    mean_error: float


class Parity(Part):
    """The record that lies beside an exported file, or in its place when it was refused."""

    format: str = Field(description="word of the kind")
    file: str | None = Field(description="its name beside this record; None where there is none")
    sha256: str | None = None
    bytes: int = 0
    weights_bytes: int = Field(0, description="of the checkpoint's own weights")
    checkpoint: str = Field(description="digest of the checkpoint")
    pairset: str | None = Field(None, description="digest of the pairs it was measured on")
    pairs: int = 0
    largest_error: float | None = Field(None, description="of a value in [0, 1], over all test photos")
    mean_error: float | None = None
    per_tile: PerTile | None = Field(
        None,
        description=(
            "where the net looks over the whole photo, and a test photo is larger than the smallest tile; the"
            " checkpoint's tiles are exact unless its test_time_tiles is per_tile"
        ),
    )
    metrics: dict[str, Kept] = Field(default_factory=dict)
    seconds_per_megapixel: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="by threads: of the checkpoint in torch, and of the file"
    )
    versions: dict[str, str] = Field(default_factory=dict)
    passed: bool
    words: str

    @property
    def name(self) -> str:
        """Of the file that holds this record."""
        return f"{self.format}.json"


@dataclass
class _Both:
    """Restores each photo once with the checkpoint and once with the file, remembers how far they are
    apart, and keeps the file's pictures on disk for their turn.
    """

    ours: Restore
    theirs: Restore
    folder: Path
    largest: float = 0.0
    means: list[float] = field(default_factory=list)

    def checkpoint(self, photo: Floats) -> Floats:
        """The checkpoint's picture."""
        ours, theirs = self._kept(photo, "checkpoint"), self._kept(photo, "file")
        if not ours.exists():
            np.save(ours, self.ours(photo))
            np.save(theirs, self.theirs(photo))
            away = np.abs(np.load(theirs) - np.load(ours).clip(0, 1))
            self.largest = max(self.largest, float(away.max()))
            self.means.append(float(away.mean()))
        found: Floats = np.load(ours)
        return found

    def file(self, photo: Floats) -> Floats:
        """The file's picture."""
        found: Floats = np.load(self._kept(photo, "file"))
        return found

    def _kept(self, photo: Floats, whose: str) -> Path:
        return (
            self.folder / f"{sha256_of_bytes(photo.tobytes())}-{'x'.join(map(str, photo.shape))}-{whose}.npy"
        )


def compared(
    part: FormatPart,
    path: Path,
    restorer: Restorer,
    pairset: PairSet,
    *,
    checkpoint: str,
    weights_bytes: int,
    metrics: Sequence[str],
    policy: ParityPolicy,
    confidence: float,
) -> Parity:
    """Measure a file against the checkpoint that it was made of, on the test pairs.

    restorer: the checkpoint's, on the processor; checkpoint: its digest. Raises InputError when there
    are no test pairs.
    """
    names, _ = measurable(metrics)
    opened = part.open(path, tile_px=restorer.tile_px)
    window = restorer.window
    with tempfile.TemporaryDirectory() as folder:
        both = _Both(restorer.restore, opened.restore, Path(folder))
        ours = measure(
            both.checkpoint, pairset, names, title=f"{part.kind}: checkpoint and file", window=window
        )
        theirs = measure(both.file, pairset, names, title=f"{part.kind}: figures of the file", window=window)
    kept = {name: _kept(name, ours, theirs, confidence) for name in names if having(ours, name)}
    found = Parity(
        format=part.kind,
        file=path.name,
        sha256=sha256_of_file(path),
        bytes=path.stat().st_size,
        weights_bytes=weights_bytes,
        checkpoint=checkpoint,
        pairset=pairset.digest,
        pairs=len(ours),
        largest_error=both.largest,
        mean_error=float(np.mean(both.means)),
        per_tile=_per_tile(part, path, pairset),
        metrics=kept,
        seconds_per_megapixel=_times(part, path, restorer, pairset),
        versions=getattr(opened, "about", {}),
        passed=True,
        words="",
    )
    return _limited(found, part, policy)


def refused(part: FormatPart, checkpoint: str, reason: str) -> Parity:
    """The record of a file that could not be made."""
    return Parity(
        format=part.kind, file=None, checkpoint=checkpoint, passed=False, words=f"not made: {reason}"
    )


def _limited(found: Parity, part: FormatPart, policy: ParityPolicy) -> Parity:
    """With the answer of the limits, in words."""
    reasons = []
    if part.exact and found.largest_error is not None and not found.largest_error <= policy.largest_error:
        reasons.append(
            f"its largest error is {found.largest_error:.2g} of full scale"
            f" (gate.parity.largest_error: {policy.largest_error:g})"
        )
    for name, kept in found.metrics.items():
        if kept.lost is not None and kept.lost > policy.largest_loss:
            reasons.append(
                f"{name} loses {METRICS[name].text(-kept.change.mean)} of a gain of"
                f" {METRICS[name].text(kept.gain)}, {kept.lost:.0%}"
                f" (gate.parity.largest_loss: {policy.largest_loss:.0%})"
            )
    alone = (
        ""
        if found.per_tile is None
        else (
            f"; its net looks over the whole photo, in tiles of {found.per_tile.tile_px} px it is up to"
            f" {found.per_tile.largest_error:.2g} away from the whole"
        )
    )
    if reasons:
        words = f"refused: {'; '.join(reasons)}"
    else:
        changes = ", ".join(
            f"{name} {kept.change.words} beside a gain of {kept.gain:+.4g}"
            for name, kept in found.metrics.items()
        )
        words = f"kept: largest error {found.largest_error:.2g}; {changes}"
    return found.model_copy(update={"passed": not reasons, "words": words + alone})


def _kept(name: str, ours: Sequence[PhotoScore], theirs: Sequence[PhotoScore], confidence: float) -> Kept:
    """One metric, over the groups of pairs that have it and count."""
    both = list(zip(having(ours, name), having(theirs, name), strict=True))
    counted = [(mine, other) for mine, other in both if mine.left_out is None] or both
    better = METRICS[name].better

    def over_groups(values: Mapping[str, float]) -> np.ndarray:
        return by_group([mine for mine, _ in counted], values, "higher")[1]

    nothing = over_groups({mine.pair: mine.do_nothing[name] for mine, _ in counted})
    checkpoint = over_groups({mine.pair: mine.restored[name] for mine, _ in counted})
    file = over_groups({other.pair: other.restored[name] for _, other in counted})
    sign = 1.0 if better == "higher" else -1.0
    return Kept(
        nothing=float(nothing.mean()),
        checkpoint=float(checkpoint.mean()),
        file=float(file.mean()),
        gain=sign * float((checkpoint - nothing).mean()),
        change=difference(sign * (file - checkpoint), confidence),
    )


def _per_tile(part: FormatPart, path: Path, pairset: PairSet) -> PerTile | None:
    """The largest test photo in the smallest tiles against whole."""
    pair = max(pairset.pairs("test"), key=lambda pair: (pair.height * pair.width, pair.id))
    photo = to_float(read_pair(pairset, pair)[0])
    tile_px = 4 * OVERLAP_PX
    tiled = part.open(path, tile_px=tile_px)
    if not tiled.alone(*photo.shape[:2]):
        return None
    whole = part.open(path, tile_px=tiled.scale * max(tile_px, *photo.shape[:2]))
    away = np.abs(tiled.restore(photo) - whole.restore(photo))
    return PerTile(tile_px=tile_px, largest_error=float(away.max()), mean_error=float(away.mean()))


def _times(part: FormatPart, path: Path, restorer: Restorer, pairset: PairSet) -> dict[str, dict[str, float]]:
    """Seconds a megapixel of the restored photo, checkpoint and file in turns on the same photos."""
    pairs = sorted(pairset.pairs("test"), key=lambda pair: pair.id)[:TIMED]
    photos = [to_float(read_pair(pairset, pair)[0]) for pair in pairs]
    before, found = torch.get_num_threads(), {}
    try:
        for threads in THREADS:
            torch.set_num_threads(threads)
            opened = part.open(path, tile_px=restorer.tile_px, threads=threads)
            turns: dict[str, Restore] = {"checkpoint": restorer.restore, "file": opened.restore}
            taken: dict[str, list[float]] = {name: [] for name in turns}
            for photo in photos:
                megapixels = restorer.scale**2 * photo.shape[0] * photo.shape[1] / 1e6
                for _ in range(ROUNDS):
                    for name, restore in turns.items():
                        began = time.perf_counter()
                        restore(photo)
                        taken[name].append((time.perf_counter() - began) / megapixels)
            found[str(threads)] = {name: median(values) for name, values in taken.items()}
    finally:
        torch.set_num_threads(before)
    return found
