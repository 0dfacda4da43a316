"""Make exported files: of a recipe's `register.formats` into a model's folder, where a failing one
stops nothing; or those that a person asks for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.core.errors import InputError, RefocusError
from components.core.files import sha256_of_file, write_text
from components.core.images import to_float
from components.core.records import PairSet
from components.evaluate.measure import Floats, read_pair
from components.exports.parity import Parity, compared, refused
from components.nets.formats import FormatPart
from components.nets.restore import WEIGHTS, load_restorer
from components.register.gate import GatePolicy


@dataclass(frozen=True)
class Weights:
    """A checkpoint's weights, wherever they lie. digest: of its record."""

    folder: Path
    digest: str

    @property
    def file(self) -> Path:
        """The weights alone."""
        return self.folder / WEIGHTS


def make(
    formats: Iterable[FormatPart],
    checkpoint: Weights,
    pairset: PairSet,
    folder: Path,
    *,
    gate: GatePolicy,
    metrics: Sequence[str],
    tile_px: int = 1024,
) -> tuple[Parity, ...]:
    """Write each format and its parity record (`KIND.json`) into a folder; gives the records.

    A file that cannot be made, or is beyond the gate's limits, is not kept: its record says why.
    """
    return tuple(
        _made(part, checkpoint, pairset, folder, gate=gate, metrics=metrics, tile_px=tile_px)
        for part in formats
    )


def _made(
    part: FormatPart,
    checkpoint: Weights,
    pairset: PairSet,
    folder: Path,
    *,
    gate: GatePolicy,
    metrics: Sequence[str],
    tile_px: int,
) -> Parity:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / part.FILE
    try:
        part.need_packages()
        restorer = load_restorer(checkpoint.folder, device="cpu", tile_px=tile_px)
        part.write(
            restorer,
            path,
            about={"checkpoint": checkpoint.digest, "weights_sha256": sha256_of_file(checkpoint.file)},
            pairs=training_pairs(pairset, part.training_pairs),
        )
        found = compared(
            part,
            path,
            restorer,
            pairset,
            checkpoint=checkpoint.digest,
            weights_bytes=checkpoint.file.stat().st_size,
            metrics=metrics,
            policy=gate.parity,
            confidence=gate.confidence,
        )
    except RefocusError as error:
        found = refused(part, checkpoint.digest, str(error))
    except Exception as error:  # an exporter's own fault stops no registration; it is told by name
        found = refused(
            part, checkpoint.digest, f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        )
    if not found.passed:
        path.unlink(missing_ok=True)
        found = found.model_copy(update={"file": None})
        print(f"{part.kind}: {found.words}", file=sys.stderr)
    write_text(folder / found.name, found.model_dump_json(indent=2) + "\n")
    return found


def training_pairs(pairset: PairSet, count: int) -> list[tuple[Floats, Floats]]:
    """Inputs and targets of training pairs, in the order of their ids, spread evenly; never of test pairs.

    Raises InputError when there are none.
    """
    if count == 0:
        return []
    pairs = sorted(pairset.pairs("train"), key=lambda pair: pair.id)
    if not pairs or pairset.on_the_fly is not None:
        pairs = sorted(pairset.pairs("val"), key=lambda pair: pair.id)
    if not pairs:
        raise InputError(
            f"the PairSet at {pairset.folder} has no training pairs to take the ranges of 8 bits from"
        )
    chosen = dict.fromkeys(
        np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int).tolist()
    )
    pictures = (read_pair(pairset, pairs[place]) for place in chosen)
    return [(to_float(input), to_float(target)) for input, target in pictures]
