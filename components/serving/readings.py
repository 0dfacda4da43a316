"""What /metrics tells, in the text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from components.serving.models import Models, OneModel
    from components.serving.turns import Turns

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Readings:
    """Of one application; an application made anew counts anew."""

    def __init__(self, models: Models | OneModel, turns: Turns) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.answers = Counter(
            "refocus_answers", "Answers by path and status", ("path", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "refocus_restore_seconds",
            "Decoding, restoring and encoding of one photo",
            registry=self._registry,
            buckets=SECONDS,
        )
        self.megapixels = Counter(
            "refocus_restored_megapixels", "Pixels of photos restored, in millions", registry=self._registry
        )
        self._registry.register(_Now(models, turns))

    def text(self) -> bytes:
        """All of it."""
        return generate_latest(self._registry)


class _Now(Collector):
    """What is so at the moment of being asked."""

    def __init__(self, models: Models | OneModel, turns: Turns) -> None:
        self._models, self._turns = models, turns

    def collect(self) -> Iterator[Metric]:
        models, turns = self._models, self._turns
        yield GaugeMetricFamily(
            "refocus_queue_places_taken", "Restorations at work or waiting", value=turns.taken
        )
        yield GaugeMetricFamily("refocus_queue_places", "How many there may be", value=turns.places)
        yield CounterMetricFamily(
            "refocus_model_changes", "Versions taken over from the registry", value=models.swaps
        )
        yield CounterMetricFamily(
            "refocus_model_failures",
            "Times the registry did not answer or its new version was unfit",
            value=models.failures,
        )
        yield GaugeMetricFamily(
            "refocus_model_trouble",
            "1 while nothing new can be taken over; /model says why",
            value=float(models.trouble is not None),
        )
        if models.current is not None:
            served = models.current
            info = {"name": served.name, "version": str(served.number or ""), "digest": served.digest}
            yield InfoMetricFamily("refocus_model", "What is served", value=info)
