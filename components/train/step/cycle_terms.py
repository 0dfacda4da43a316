"""What binds two mappings: there and back is nothing changed, and a target stays what it is."""

from __future__ import annotations

from collections.abc import Sequence

from components.train.config import Phase
from components.train.content import ContentLoss
from components.train.step.domain_mapping import MappedPhotos
from components.train.step.terms import WeightedTerm

NamedLoss = tuple[str, float, ContentLoss]


class CycleTerms:
    """The losses of cycle consistency and identity (Zhu et al. 2017, eq. 2 and sec. 5.2)."""

    def __init__(self, consistency: Sequence[NamedLoss], identity: Sequence[NamedLoss]) -> None:
        self._consistency, self._identity = consistency, identity

    def __call__(self, photos: Sequence[MappedPhotos], phase: Phase) -> list[WeightedTerm]:
        """Terms of both ways, with their graphs. photos: one batch as the two mappings have it."""
        terms: list[WeightedTerm] = []
        for one, back in zip(photos, reversed(photos), strict=True):
            input, target = one.batch
            suffix = one.mapping.direction.suffix
            if found := [loss for loss in self._consistency if phase.counts(loss[0])]:
                cycled = back.mapping.restored(one.restored)
                terms += [
                    (f"{name}{suffix}", weight, loss(cycled, input).float()) for name, weight, loss in found
                ]
            if found := [loss for loss in self._identity if phase.counts(loss[0])]:
                same = one.mapping.restored(target)
                terms += [
                    (f"{name}{suffix}", weight, loss(same, target).float()) for name, weight, loss in found
                ]
        return terms
