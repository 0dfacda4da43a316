"""Rules of the discriminators and their loss: both or neither, and each pair of settings that cannot go
together.
"""

from __future__ import annotations

from components.train.adversarial import WGANGP, Wasserstein
from components.train.config.fields import TrainFields
from components.train.config.rules.rule import Breaches, Rule

# Settings that mean something beside discriminators alone.
NEED_DISCRIMINATORS = (
    "instance_noise",
    "history",
    "split_updates",
    "discriminator_reuse",
    "simultaneous",
    "diff_augment",
    "r1",
    "feature_matching",
)


def _discriminators_or_loss_missing(config: TrainFields) -> Breaches:
    if bool(config.discriminators) != (config.adversarial is not None):
        yield {}


def _adversarial_phase_alone(config: TrainFields) -> Breaches:
    if any(phase.adversarial for phase in config.phases) and not config.discriminators:
        yield {}


def _settings_of_absent_discriminators(config: TrainFields) -> Breaches:
    idle = [name for name in NEED_DISCRIMINATORS if getattr(config, name)]
    if idle and not config.discriminators:
        yield {"idle": " and ".join(idle)}


def _split_comparison(config: TrainFields) -> Breaches:
    if config.split_updates and config.adversarial is not None and config.adversarial.compares:
        yield {"loss": config.adversarial.kind}


def _penalty_behind_batch_norm(config: TrainFields) -> Breaches:
    if isinstance(config.adversarial, WGANGP) and config.adversarial.penalty_weight > 0:
        batched = [part.kind for part in config.discriminators if part.norm.kind == "batch"]
        if batched:
            yield {"discriminator": batched[0]}


def _slope_behind_batch_norm(config: TrainFields) -> Breaches:
    if config.r1 is not None:
        for part in config.discriminators:
            if part.norm.kind == "batch":
                yield {"discriminator": part.kind}


def _two_slopes(config: TrainFields) -> Breaches:
    if config.r1 is not None and config.adversarial is not None and config.adversarial.critic:
        yield {"loss": config.adversarial.kind}


def _changed_beside_a_smaller_input(config: TrainFields) -> Breaches:
    if config.diff_augment is not None and config.generator.scale > 1:
        for part in config.discriminators:
            if part.conditional:
                yield {"discriminator": part.kind, "scale": config.generator.scale}


def _several_simultaneous_updates(config: TrainFields) -> Breaches:
    if config.simultaneous and (config.discriminator_updates > 1 or config.split_updates):
        yield {}


def _bounded_logits(config: TrainFields) -> Breaches:
    if config.adversarial is not None and config.adversarial.unbounded:
        for part in config.discriminators:
            if part.bounded:
                yield {"loss": config.adversarial.kind, "discriminator": part.kind}


def _clipped_and_normalised(config: TrainFields) -> Breaches:
    if isinstance(config.adversarial, Wasserstein) and config.adversarial.clip is not None:
        for part in config.discriminators:
            if part.spectral_norm:
                yield {"clip": config.adversarial.clip, "discriminator": part.kind}


def _discriminators_never_used(config: TrainFields) -> Breaches:
    if config.discriminators and not any(phase.adversarial for phase in config.phases):
        yield {"phases": ", ".join(phase.name for phase in config.phases)}


DISCRIMINATORS = (
    Rule(
        "discriminators and their loss come together",
        _discriminators_or_loss_missing,
        "discriminators and adversarial go together",
        "give both, or neither to train on the content losses alone",
    ),
    Rule(
        "an adversarial phase has discriminators",
        _adversarial_phase_alone,
        "a phase is adversarial, yet there are no discriminators",
        "set its adversarial to false, or add a discriminator",
    ),
    Rule(
        "settings of discriminators have discriminators",
        _settings_of_absent_discriminators,
        "{idle} changes what discriminators see or how they learn, and there are none",
        "leave it out, or add a discriminator",
    ),
    Rule(
        "a loss that compares is not split",
        _split_comparison,
        "split_updates cannot go with {loss}",
        "it judges real photos beside restored ones, so there is one step for both",
    ),
    Rule(
        "a gradient penalty has no batch normalisation",
        _penalty_behind_batch_norm,
        "a gradient penalty is taken per photo, which batch normalisation in {discriminator} mixes with"
        " the others (Gulrajani et al. 2017, sec. 4)",
        "set its norm to instance or none",
    ),
    Rule(
        "a slope at real photos has no batch normalisation",
        _slope_behind_batch_norm,
        "r1 is taken per photo, which batch normalisation in {discriminator} mixes with the others",
        "set its norm to instance or none, or r1 to null",
    ),
    Rule(
        "a critic has one bound on its slope",
        _two_slopes,
        "r1 pulls slopes at real photos to 0, which is not what the critic of {loss} is bounded by",
        "set r1 to null, or take another adversarial loss",
    ),
    Rule(
        "a photo and its input are changed alike",
        _changed_beside_a_smaller_input,
        "diff_augment moves a photo and its input alike, and what the conditional {discriminator} sees is"
        " {scale} times smaller than the photo",
        "set its conditional to false, or diff_augment to null",
    ),
    Rule(
        "simultaneous is one update of each",
        _several_simultaneous_updates,
        "simultaneous means one step of each",
        "set discriminator_updates to 1 and split_updates to false, or simultaneous to false",
    ),
    Rule(
        "a loss of logits gets logits",
        _bounded_logits,
        "{loss} takes logits, and {discriminator} ends in a sigmoid, which keeps them in 0 to 1",
        "set its sigmoid to false, or take least_squares",
    ),
    Rule(
        "weights are clipped or normalised, not both",
        _clipped_and_normalised,
        "adversarial.clip {clip:g} cuts the weights that spectral_norm of {discriminator} divides"
        " afterwards, so it bounds nothing",
        "keep one of the two",
    ),
    Rule(
        "discriminators have an adversarial phase",
        _discriminators_never_used,
        "there are discriminators, and no phase ({phases}) is adversarial",
        "set adversarial of a phase to true, or leave discriminators and train.adversarial out",
    ),
)
