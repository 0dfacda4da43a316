"""Rules of rollback.on: a sign that sends a training back must be able to come."""

from __future__ import annotations

from components.train.config.fields import TrainFields
from components.train.config.health import OF_DISCRIMINATORS, Indicator
from components.train.config.rules.rule import Breaches, Rule


def _rollback_names(config: TrainFields) -> tuple[Indicator, ...]:
    return config.rollback.on if config.rollback is not None else ()


def _rollback_on_a_limit_switched_off(config: TrainFields) -> Breaches:
    for name in _rollback_names(config):
        if getattr(config.health, name) is None:
            yield {"name": name}


def _rollback_on_a_sure_critic(config: TrainFields) -> Breaches:
    for name in _rollback_names(config):
        if name == "discriminator_wins" and config.adversarial is not None and config.adversarial.critic:
            yield {"name": name, "loss": config.adversarial.kind}


def _rollback_on_absent_discriminators(config: TrainFields) -> Breaches:
    for name in _rollback_names(config):
        if name in OF_DISCRIMINATORS and not config.discriminators:
            yield {"name": name}


ROLLBACK = (
    Rule(
        "a rollback's sign has a limit",
        _rollback_on_a_limit_switched_off,
        "rollback.on names {name}, which health.{name} has switched off",
        "give it a limit, or take it out",
    ),
    Rule(
        "a critic may be sure",
        _rollback_on_a_sure_critic,
        "rollback.on names {name}, which says nothing of a critic such as {loss}",
        "take it out",
    ),
    Rule(
        "a rollback's sign of discriminators has discriminators",
        _rollback_on_absent_discriminators,
        "rollback.on names {name}, which tells of discriminators, and there are none",
        "take it out",
    ),
)
