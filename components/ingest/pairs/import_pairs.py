"""Take pairs in, one at a time: read both pictures, check that they are whole, of one size, alike
and in place, and keep their bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import JsonValue

from components.core import images
from components.core.errors import PhotoError
from components.core.images import Header, Picture, decode, to_float
from components.core.photo_names import EXTENSION_OF
from components.core.records import PairedInput, Split
from components.ingest.config import IngestConfig
from components.ingest.decoded_before import Known, Remembered
from components.ingest.examine import Facts, bytes_of, facts_of, fit_picture, refuse_unfit
from components.ingest.originals import Originals
from components.ingest.pairs.compare import Comparison, compared
from components.ingest.pairs.layout import Layout, Listing, Named
from components.ingest.source import Found

Reasons = list[tuple[str, str]]
CODE = ("ingest/pairs/compare.py",)  # finds them
FIGURES = np.dtype([("id", "S128"), ("x", "<f8"), ("y", "<f8"), ("likeness", "<f8"), ("severity", "<f8")])


@dataclass(frozen=True)
class Side:
    """One picture of a pair, its bytes kept."""

    id: str
    name: str
    file: str
    size_bytes: int
    facts: Facts


@dataclass(frozen=True)
class Taken:
    """A pair that can be used; which split it goes to is settled when all are there."""

    target: Side
    input: PairedInput
    scene: str | None  # None: the sharp photo is a scene of its own
    split: Split | None  # what its place says
    origin: str | None = None


@dataclass(frozen=True)
class Made:
    """What is known of a pair that was made here, out of frames."""

    severity_px: float
    how: dict[str, JsonValue]
    origin: str


@dataclass
class Opened:
    """A file read, and decoded when that is needed."""

    found: Found
    data: bytes
    id: str
    config: IngestConfig

    @cached_property
    def picture(self) -> Picture:
        return fit_picture(self.data, self.found.name, self.config)


@dataclass
class Desk:
    """Where pairs are examined: the settings, where bytes are kept, and what earlier runs found
    out.
    """

    config: IngestConfig
    layout: Layout
    originals: Originals
    known: Known = field(default_factory=Known)
    measured: Remembered = field(default_factory=lambda: Remembered("compared", FIGURES, *CODE))

    def examine(
        self, named: Named, input: Found, targets: Sequence[Found], made: Made | None = None
    ) -> Taken:
        """Examine a pair and keep its bytes. Raises PhotoError, "kind: reason", when it cannot be
        used.
        """
        one, facts = self._opened(input)
        with _of_the_target(targets[0].name):
            other, clear = self._opened(targets[0] if len(targets) == 1 else self._nearest(one, targets))
        if (facts.width, facts.height) != (clear.width, clear.height):
            raise PhotoError(
                f"sizes: {facts.width} × {facts.height} px, its sharp picture {other.found.name}"
                f" {clear.width} × {clear.height}"
            )
        found = self._compared(one, other)
        moved = self._refuse_far(found, other.found.name, clear)
        target, kept = self._kept(other, clear), self._kept(one, facts)
        return Taken(
            target,
            PairedInput(
                id=kept.id,
                file=kept.file,
                name=kept.name,
                size_bytes=kept.size_bytes,
                layout=self.layout.kind,
                scene=named.scene or target.name,
                variant=named.variant,
                clip=None if named.frame is None else named.clip,
                frame=None if named.clip is None else named.frame,
                shift_px=found.shift_px,
                likeness=found.likeness,
                severity=found.severity_px if made is None else made.severity_px,
                moved_px=moved,
                made={} if made is None else made.how,
            ),
            named.scene,
            named.split,
            None if made is None else made.origin,
        )

    def save(self) -> None:
        """Remember what was found out, for the next run."""
        self.known.save()
        self.measured.save()

    def _opened(self, found: Found) -> tuple[Opened, Facts]:
        data, name = bytes_of(found, self.config)
        opened = Opened(found, data, name, self.config)
        facts = self.known.get(name)
        if facts is None:
            facts = facts_of(opened.picture)
            self.known.add(name, facts)
        else:
            refuse_unfit(Header(facts.format, facts.width, facts.height), found.name, self.config)
        return opened, facts

    def _nearest(self, input: Opened, targets: Sequence[Found]) -> Found:
        """The sharp picture with the smallest squared difference from the blurred one, the first of
        equals.
        """
        wanted = to_float(input.picture.pixels)

        def distance(found: Found) -> float:
            pixels = to_float(decode(bytes_of(found, self.config)[0]).pixels)
            return float(np.square(pixels - wanted).mean()) if pixels.shape == wanted.shape else math.inf

        return min(targets, key=distance)

    def _compared(self, input: Opened, target: Opened) -> Comparison:
        figures = self.measured.get(input.id + target.id)
        if figures is not None:
            x, y, likeness, severity = (float(figure) for figure in figures)
            return Comparison((x, y), likeness, severity)
        depth = [
            (
                opened.picture.pixels
                if opened.picture.bits == 8
                else images.to_uint8(to_float(opened.picture.pixels))
            )
            for opened in (input, target)
        ]
        found = compared(*depth)
        self.measured.add(input.id + target.id, *found.shift_px, found.likeness, found.severity_px)
        return found

    def _refuse_far(self, found: Comparison, target: str, facts: Facts) -> tuple[int, int]:
        """Refuse pictures that do not belong together; gives the whole pixels to be taken back."""
        if found.likeness < self.layout.min_likeness:
            raise PhotoError(
                f"not alike: correlation {found.likeness:.2f} with its sharp picture {target},"
                f" ingest.pairs.min_likeness is {self.layout.min_likeness:g}; is it another picture?"
            )
        x, y = found.shift_px
        if self.layout.max_shift_px is not None and math.hypot(x, y) > self.layout.max_shift_px:
            raise PhotoError(
                f"shifted: {math.hypot(x, y):.2f} px ({x:+.2f} to the right, {y:+.2f} down) against {target},"
                f" ingest.pairs.max_shift_px is {self.layout.max_shift_px:g}; raise it, and set"
                " ingest.pairs.align to shift to cut both into place"
            )
        moved = (round(x), round(y)) if self.layout.align == "shift" else (0, 0)
        left = (facts.width - abs(moved[0]), facts.height - abs(moved[1]))
        if min(left) < self.config.min_px:
            raise PhotoError(
                f"too small: {left[0]} × {left[1]} px once cut into place, the shorter side must have"
                f" ingest.min_px = {self.config.min_px}"
            )
        return moved

    def _kept(self, opened: Opened, facts: Facts) -> Side:
        file = self.originals.keep(opened.id, EXTENSION_OF[facts.format], opened.data)
        return Side(opened.id, opened.found.name, file, len(opened.data), facts)


def from_files(
    listing: Listing, files: Mapping[str, Found], desk: Desk, pairs: Iterable[Named]
) -> tuple[list[Taken], Reasons]:
    """Take in every pair of a listing: those that can be used, and (name of the blurred picture,
    reason) for the others.
    """
    taken: list[Taken] = []
    reasons: Reasons = list(listing.alone)
    for named in pairs:
        try:
            taken.append(desk.examine(named, files[named.input], [files[name] for name in named.target]))
        except PhotoError as error:
            reasons.append((named.input, str(error)))
    return taken, reasons


@contextmanager
def _of_the_target(name: str) -> Iterator[Any]:
    """Say of a refusal that it is the sharp picture's."""
    try:
        yield
    except PhotoError as error:
        raise PhotoError(f"sharp picture: {name} cannot be used: {error}") from error
