"""Rules of average_last: a plain mean of weights must be that of a net, and must come."""

from __future__ import annotations

from components.train.config.fields import TrainFields
from components.train.config.rules.rule import Breaches, Rule


def _mean_of_running_statistics(config: TrainFields) -> Breaches:
    for generator in (one.generator for one in config.directions()):
        running = generator.norm.kind == "batch" and generator.test_time_statistics == "running"
        if running and config.average_last:
            yield {"generator": generator.kind}


def _mean_that_may_not_come(config: TrainFields) -> Breaches:
    phase = config.phases[-1]
    if config.average_last and phase.early_stopping is not None:
        yield {"phase": phase.name, "share": config.average_last}


AVERAGE = (
    Rule(
        "averaged weights have no running statistics",
        _mean_of_running_statistics,
        "average_last takes the mean of weights, and running statistics of batch normalisation in"
        " {generator} are no mean net's (Izmailov et al. 2018, sec. 3.2)",
        "set its norm to instance or none, its test_time_statistics to photo, or average_last to 0",
    ),
    Rule(
        "the last share of the last phase comes",
        _mean_that_may_not_come,
        "average_last is the last {share:g} of phase {phase}, which early_stopping may end before that",
        "set its early_stopping to null (keep_best keeps the best), or average_last to 0",
    ),
)
