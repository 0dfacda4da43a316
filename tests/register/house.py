"""A model in the registry with versions whose scores are chosen, for the tests of promotion."""

from __future__ import annotations

from pathlib import Path

from chain import Chain, report_of, score

from components.core.records import EvalReport, ModelVersion, PairSet, PhotoScore
from components.register.config import RegisterConfig
from components.register.run import run
from components.registry import promotion
from components.registry.decision import Decision
from components.registry.history import history
from components.registry.promotion import promote
from components.services import tracking
from components.services.tracking import registry, store


class House:
    """A model name with versions whose scores are chosen: version n is `gains[n - 1]` dB better
    than doing nothing.
    """

    def __init__(self, name: str, chains: list[Chain], gains: list[float], root: Path) -> None:
        self.name, self.gains = name, gains
        self.config = RegisterConfig(name=name, load_test=False)
        self.pairset: PairSet = chains[0].pairset
        self.versions: list[ModelVersion] = []
        self.reports: list[EvalReport] = []
        for index, (chain, gain) in enumerate(zip(chains, gains, strict=False)):
            report = report_of(root / name / str(index), chain.pairset, chain.checkpoint, gain)
            records = (
                chain.recipe,
                chain.photoset,
                chain.pairset,
                chain.checkpoint,
                report,
                chain.provenance,
            )
            self.versions.append(run(self.config, *records, out=root / name / str(index)))
            self.reports.append(report)
        self.measured: list[int] = []

    def measure(
        self, champion: tracking.Version, pairset: PairSet, metrics: tuple[str, ...]
    ) -> tuple[PhotoScore, ...]:
        """What the champion scores; notes that it was asked."""
        self.measured.append(champion.number)
        return tuple(score(pair.id, self.gains[champion.number - 1]) for pair in pairset.pairs("test"))

    def promote(self, number: int, measure: promotion.Measure | None = None) -> Decision:
        """Ask the gate."""
        return promote(
            self.config,
            self.pairset,
            self.reports[number - 1],
            self.versions[number - 1],
            measure=measure or self.measure,
        )

    def alias(self, alias: str) -> int | None:
        """Where an alias points."""
        found = tracking.at_alias(self.name, alias)
        return None if found is None else found.number

    def tags(self, number: int) -> dict[str, str]:
        """A version's tags."""
        return dict(tracking.get_version(self.name, number).tags)

    def audit(self) -> list[str]:
        """What was done, in order."""
        return [line.action for line in history(self.name)]


class BareHouse(House):
    """The same without files: versions that are rows in the registry and nothing else, made at once."""

    def __init__(self, name: str, chain: Chain, gains: list[float], root: Path) -> None:
        self.name, self.gains, self.measured = name, gains, []
        self.config = RegisterConfig(name=name, load_test=False)
        self.pairset = chain.pairset
        self.versions, self.reports = [], []
        client = store.client()
        client.create_registered_model(name)
        for index, gain in enumerate(gains):
            folder = root / name / str(index)
            report = report_of(folder, chain.pairset, chain.checkpoint, gain)
            tags = {tracking.STATUS: "pending", registry.CHECKPOINT: chain.checkpoint.digest}
            made = client.create_model_version(name, "s3://nowhere/model", None, tags=tags)
            self.versions.append(
                ModelVersion(
                    name=name,
                    version=int(made.version),
                    checkpoint=chain.checkpoint.digest,
                    report=report.digest,
                    recipe=chain.recipe.digest,
                )
            )
            self.reports.append(report)
