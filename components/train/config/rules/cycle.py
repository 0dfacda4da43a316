"""Rules of a cycle, and of what needs pairs where there are none."""

from __future__ import annotations

from components.train.config.fields import TrainFields
from components.train.config.rules.rule import Breaches, Rule


def _nothing_to_learn_by(config: TrainFields) -> Breaches:
    if not config.content and config.cycle is None:
        yield {}


def _cycle_alone(config: TrainFields) -> Breaches:
    if config.cycle is not None and not config.discriminators:
        yield {}


def _cycle_of_two_sizes(config: TrainFields) -> Breaches:
    for direction in config.directions() if config.cycle is not None else ():
        if direction.generator.scale > 1:
            yield {"kind": direction.generator.kind, "scale": direction.generator.scale}


def _pairs_needed(config: TrainFields) -> Breaches:
    if config.cycle is not None and not config.content:
        for what, remedy in config.needs_pairs():
            yield {"what": what, "remedy": remedy}


CYCLE = (
    Rule(
        "there is something to learn by",
        _nothing_to_learn_by,
        "content needs at least 1 item where there is no cycle",
        "name a content loss, or a cycle for pictures without partners",
    ),
    Rule(
        "a cycle has discriminators",
        _cycle_alone,
        "a cycle without discriminators is content when both generators change nothing",
        "add a discriminator and adversarial, or leave cycle out",
    ),
    Rule(
        "a cycle keeps the size",
        _cycle_of_two_sizes,
        "a cycle goes there and back between pictures of one size, and {kind} enlarges {scale} times",
        "choose a generator of scale 1, or leave cycle out",
    ),
    Rule(
        "what needs pairs has content losses beside it",
        _pairs_needed,
        "without content losses pictures have no partner, and {what} looks at an input beside its own target",
        "{remedy}",
    ),
)
