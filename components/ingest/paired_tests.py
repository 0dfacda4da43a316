"""A paired test set beside two domains without pairs: `ingest.pairs` of a recipe with `ingest.domains`.

All of its pairs are test pairs, whose pictures belong together, so that what was learned without pairs
can be measured against the truth. What a test pair shows stands in no domain: the pair stays, and the
domain's photo is left out with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.core.errors import PhotoError
from components.core.progress import tracked
from components.core.quarantine import Quarantine
from components.core.records import Photo
from components.ingest.account import NOTHING, refuse_loss, refused_words
from components.ingest.candidate import Candidate
from components.ingest.config import IngestConfig, OneSplit
from components.ingest.near_duplicates import near_duplicates
from components.ingest.originals import Originals
from components.ingest.pairs.import_pairs import Desk, Reasons, from_files
from components.ingest.pairs.pair_splits import Settled, settle
from components.ingest.pairs.run import rows_of
from components.ingest.pairs.two_folders import TwoFolders
from components.ingest.source import Found


@dataclass(frozen=True)
class PairedTests:
    """The pairs that can be used, and why the others cannot."""

    settled: Settled
    reasons: Reasons

    @property
    def rows(self) -> tuple[Photo, ...]:
        """One row a sharp photo, with its blurred pictures."""
        return rows_of(self.settled)

    @property
    def words(self) -> str:
        """How many there are."""
        count = len(self.settled.pairs)
        return f"{count} test {'pair' if count == 1 else 'pairs'}"

    def apart(
        self, candidates: Sequence[Candidate], config: IngestConfig, reasons: Reasons
    ) -> list[Candidate]:
        """The domains' photos that no test pair shows; the others are added to the reasons. Raises
        PhotoError when none is left.
        """
        sharp = {pair.target.id: pair.target for pair, _ in self.settled.pairs}
        facts = [*(side.facts for side in sharp.values()), *(each.facts for each in candidates)]
        roots = near_duplicates(
            np.stack([each.thumbnail for each in facts]),
            np.array([each.width / each.height for each in facts]),
            config.near_duplicate_bits,
        )
        shown = {roots[place]: side.name for place, side in enumerate(sharp.values())}
        blurred = {pair.input.id: pair.input.name for pair, _ in self.settled.pairs}
        kept = []
        for candidate, root in zip(candidates, roots[len(sharp) :], strict=True):
            twin = blurred.get(candidate.id) or shown.get(root)
            if twin is None:
                kept.append(candidate)
            else:
                reasons += [
                    (found.name, f"near duplicate: of {twin}, which is in a test pair")
                    for found in candidate.found
                ]
        if not kept:
            raise PhotoError(
                f"every photo of the domains at {config.photos} is shown by a pair of ingest.pairs too, so"
                " there is nothing to learn from; give the domains photos of other scenes"
            )
        return kept


def take_in(found: Sequence[Found], config: IngestConfig, originals: Originals, out: Path) -> PairedTests:
    """Examine every pair among files outside of the domains and keep their bytes.

    Raises PhotoError when there is no pair that can be used, or when more cannot than the recipe allows.
    """
    assert isinstance(config.pairs, TwoFolders), "the only kind that goes beside domains"
    files = {file.name: file for file in found}
    listing = config.pairs.listing(list(files), lambda name: "")
    desk = Desk(config, config.pairs, originals)
    try:
        taken, reasons = from_files(
            listing, files, desk, tracked(listing.pairs, "ingest", len(listing.pairs), "test pairs")
        )
    finally:
        desk.save()
    if not taken:
        told = refused_words(Quarantine.of(reasons, {}), out) if reasons else NOTHING
        raise PhotoError(
            f"no usable test pair at {config.photos} ({told}): ingest.pairs {config.pairs.kind} needs"
            f" {config.pairs.LIES}; put them there, or leave ingest.pairs out"
        )
    refuse_loss(Quarantine.of(reasons, {}), len(taken) + len(reasons), config, "test pairs", out)
    settled = settle(taken, config.model_copy(update={"split": OneSplit(split="test")}))
    return PairedTests(settled, [*reasons, *settled.left_out])
