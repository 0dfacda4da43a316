"""Two domains without pairs, by place: an input and a target that have nothing to do with each other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from components.core.records import Pair, TargetPhoto
from components.services.content import Reader
from components.train.augment import PairedAugment
from components.train.config import TrainConfig
from components.train.data import Place, Sample, TrainingSet, to_tensor
from components.train.pictures import Pictures


class UnpairedSet(TrainingSet):
    """At each place an input and a target, each of its own permutation, cropped and changed apart: a pure
    function of seed and place. The smaller domain comes round more often.
    """

    def __init__(
        self,
        reader: Reader,
        inputs: Sequence[Pair],
        targets: Sequence[TargetPhoto],
        config: TrainConfig,
        crop_px: int,
    ) -> None:
        self._names = {"input": [row.input for row in inputs], "target": [row.target for row in targets]}
        super().__init__(config)
        self._crop_px = crop_px
        self._pictures = Pictures(
            reader,
            (*inputs, *targets),
            enlarge=config.augment.enlarge,
            keep_gigabytes=config.keep_decoded_gb,
        )
        self._change: PairedAugment | None = None

    def __getitem__(self, place: Place) -> Sample:
        return self._crop("input", place), self._crop("target", place)

    def expect(self, places: Sequence[Place]) -> None:
        """Bring the places' pictures near."""
        self._pictures.expect(self._name(domain, place) for place in places for domain in self._names)

    def _name(self, domain: str, place: Place) -> str:
        stream, position = place
        names = self._names[domain]
        return names[self.drawn((f"{stream} {domain}", position), len(names))]

    def _crop(self, domain: str, place: Place) -> Tensor:
        if self._change is None:
            self._change = PairedAugment(self._config.augment, self._crop_px)
        picture = self._pictures[self._name(domain, place)]
        changed, _ = self._change.cropped(picture, picture, self._config.seed, f"augment {domain}", *place)
        return to_tensor(changed)
