"""Rules of crops and batches: what the nets and losses take, what the workers can share, what the device
can make.
"""

from __future__ import annotations

from math import lcm

from components.train.config.fields import TrainFields
from components.train.config.rules.rule import Breaches, Rule


def _crop_off_the_grid(config: TrainFields) -> Breaches:
    multiple = lcm(*(one.generator.stride * one.generator.scale for one in config.directions()))
    for phase in config.phases:
        if phase.crop_px % multiple:
            yield {"crop": phase.crop_px, "phase": phase.name, "multiple": multiple}


def _batch_uneven(config: TrainFields) -> Breaches:
    for phase in config.phases:
        for workers in sorted({config.least_workers(), config.most_workers()} - {0}):
            if phase.batch % workers:
                yield {"batch": phase.batch, "phase": phase.name, "workers": workers}


def _batch_below_its_parts(config: TrainFields) -> Breaches:
    for phase in config.phases:
        if phase.batch % phase.accumulate:
            yield {"batch": phase.batch, "phase": phase.name, "parts": phase.accumulate}


def _parts_of_what_needs_all(config: TrainFields) -> Breaches:
    for phase in config.phases:
        for direction in config.directions():
            if phase.accumulate > 1 and direction.generator.norm.kind == "batch":
                yield {"phase": phase.name, "what": f"batch normalisation in {direction.generator.kind}"}
        compares = config.adversarial is not None and config.adversarial.compares
        if phase.accumulate > 1 and phase.adversarial and compares:
            yield {"phase": phase.name, "what": config.adversarial.kind if config.adversarial else ""}


def _crop_below_a_content_loss(config: TrainFields) -> Breaches:
    for phase in config.phases:
        for name, part in config.content_losses():
            if phase.counts(name) and phase.crop_px < part.smallest_px:
                yield {
                    "crop": phase.crop_px,
                    "phase": phase.name,
                    "kind": part.kind,
                    "least": part.smallest_px,
                }


def _crop_beside_a_dense_head(config: TrainFields) -> Breaches:
    for phase in config.phases:
        for part in config.discriminators if phase.adversarial else ():
            if part.fixed_px not in (None, phase.crop_px):
                yield {"crop": phase.crop_px, "phase": phase.name, "kind": part.kind, "fixed": part.fixed_px}


def _crop_below_a_discriminator(config: TrainFields) -> Breaches:
    for phase in config.phases:
        for part in config.discriminators if phase.adversarial else ():
            if phase.crop_px < part.smallest_px:
                yield {
                    "crop": phase.crop_px,
                    "phase": phase.name,
                    "kind": part.kind,
                    "least": part.smallest_px,
                }


def _enlarged_on_the_device(config: TrainFields) -> Breaches:
    if config.synthesize_on == "device" and config.augment.enlarge > 1:
        yield {"enlarge": config.augment.enlarge}


CROPS = (
    Rule(
        "a crop is a multiple of the generator's stride",
        _crop_off_the_grid,
        "crop_px {crop} of phase {phase} must be a multiple of {multiple}",
        "the generator's stride times its scale",
        joint=", ",
    ),
    Rule(
        "a batch divides over the workers",
        _batch_uneven,
        "batch {batch} of phase {phase} must divide evenly over {workers} workers",
        "change one of them",
    ),
    Rule(
        "a batch divides into its parts",
        _batch_below_its_parts,
        "batch {batch} of phase {phase} must be a multiple of accumulate {parts}",
        "change one of them",
    ),
    Rule(
        "what looks at a whole batch is not given parts",
        _parts_of_what_needs_all,
        "{what} looks at all photos of a batch at once, which accumulate of phase {phase} parts",
        "set accumulate to 1, or choose another",
    ),
    Rule(
        "a crop holds what its content losses look at",
        _crop_below_a_content_loss,
        "crop_px {crop} of phase {phase} is too small for {kind}",
        "it needs {least} px or more",
    ),
    Rule(
        "a dense head gets the crop it was made for",
        _crop_beside_a_dense_head,
        "crop_px {crop} of phase {phase} must be {fixed}",
        "the dense head of {kind} takes that size alone",
    ),
    Rule(
        "a crop holds what its discriminators look at",
        _crop_below_a_discriminator,
        "crop_px {crop} of phase {phase} is too small for {kind}",
        "it needs {least} px or more",
    ),
    Rule(
        "nothing is enlarged on the device",
        _enlarged_on_the_device,
        "augment.enlarge is {enlarge:g}, and enlarging before the crop has no form on the device",
        "set synthesize_on to processor or auto, or enlarge to 1",
    ),
)
