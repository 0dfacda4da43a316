"""Rules of names: each is known where it stands, and stands there once."""

from __future__ import annotations

from components.core.errors import InputError, nearest
from components.metrics import METRICS, metric_named, of_frames
from components.train.config.fields import TrainFields
from components.train.config.rules.rule import Breaches, Rule


def _unknown_content_in_a_phase(config: TrainFields) -> Breaches:
    known = tuple(name for name, _ in config.content_losses())
    for phase in config.phases:
        for name in phase.content or ():
            if name not in known:
                yield {
                    "phase": phase.name,
                    "name": name,
                    "known": ", ".join(known),
                    "nearest": nearest(name, known),
                }


def _content_in_no_phase(config: TrainFields) -> Breaches:
    for name, _ in config.content_losses():
        if not any(phase.counts(name) for phase in config.phases):
            yield {"name": name}


def _named_twice(config: TrainFields) -> Breaches:
    named = {
        "phases": tuple(phase.name for phase in config.phases),
        "validate_metrics": config.validate_metrics,
    }
    for field, names in named.items():
        if twice := [name for name in names if names.count(name) > 1]:
            yield {"field": field, "name": twice[0], "names": ", ".join(names)}


def _unknown_metric(config: TrainFields) -> Breaches:
    for name in config.validate_metrics:
        try:
            metric_named(name)
        except InputError as error:
            words, _, remedy = str(error).partition("; ")
            yield {"words": words, "remedy": remedy}


def _metric_of_frames(config: TrainFields) -> Breaches:
    for name in of_frames([name for name in config.validate_metrics if name in METRICS]):
        yield {"name": name}


def _watched_metric_not_validated(config: TrainFields) -> Breaches:
    watched = [("keep_best", config.keep_best)] if config.keep_best is not None else []
    watched += [
        (f"early_stopping.metric of phase {phase.name}", phase.early_stopping.metric)
        for phase in config.phases
        if phase.early_stopping
    ]
    known = config.validate_metrics
    for where, name in watched:
        if name not in known:
            yield {"where": where, "name": name, "known": ", ".join(known), "nearest": nearest(name, known)}


NAMES = (
    Rule(
        "a phase names content losses that are there",
        _unknown_content_in_a_phase,
        "phase {phase} names the content loss {name}",
        "there are {known}.{nearest}",
        joint="; ",
    ),
    Rule(
        "a content loss counts in some phase",
        _content_in_no_phase,
        "the content loss {name} counts in no phase",
        "name it in a phase's content, or leave it out",
    ),
    Rule(
        "phases and metrics are named once",
        _named_twice,
        "{field} has the name {name} twice ({names})",
        "each stands there once, so that it can be told from the others",
    ),
    Rule(
        "a validation metric is known",
        _unknown_metric,
        "{words}",
        "{remedy}",
        joint="; ",
    ),
    Rule(
        "a validation looks at single frames",
        _metric_of_frames,
        "validate_metrics names {name}, which compares neighbouring frames, and a validation looks at frames"
        " of many clips",
        "name it in evaluate.metrics",
    ),
    Rule(
        "a watched metric is validated",
        _watched_metric_not_validated,
        "{where} is {name}, which is not validated",
        "add it to validate_metrics, which has {known}.{nearest}",
    ),
)
