"""Rules of video: what looks at neighbouring frames needs a generator that is given some."""

from __future__ import annotations

from components.train.config.fields import TrainFields
from components.train.config.rules.rule import Breaches, Rule


def _time_of_a_photo(config: TrainFields) -> Breaches:
    if config.augment.reverse_time > 0 and config.generator.window == 1:
        yield {"reverse": config.augment.reverse_time, "kind": config.generator.kind}


def _neighbours_of_a_photo(config: TrainFields) -> Breaches:
    for part in config.discriminators:
        if part.beside == "neighbours" and config.generator.window == 1:
            yield {"discriminator": part.kind, "kind": config.generator.kind}


def _flow_of_a_net_without(config: TrainFields) -> Breaches:
    for part in config.content:
        if part.looks_at_flow and not config.generator.aligns:
            yield {"loss": part.kind, "kind": config.generator.kind}


def _changed_beside_a_window(config: TrainFields) -> Breaches:
    if config.diff_augment is not None and config.generator.window > 1:
        for part in config.discriminators:
            if part.beside != "nothing":
                yield {"discriminator": part.kind, "frames": config.generator.window}


def _cycle_of_windows(config: TrainFields) -> Breaches:
    for direction in config.directions() if config.cycle is not None else ():
        if direction.generator.window > 1:
            yield {"kind": direction.generator.kind, "frames": direction.generator.window}


VIDEO = (
    Rule(
        "time is reversed where there is some",
        _time_of_a_photo,
        "augment.reverse_time is {reverse:g}, and {kind} is given one photo, which has no order in time",
        "leave it out, or take a generator of video",
    ),
    Rule(
        "neighbours in time are there to be looked at",
        _neighbours_of_a_photo,
        "{discriminator} looks at the frames beside the photo, and {kind} is given one photo",
        "take a patchgan, or a generator of video",
    ),
    Rule(
        "a loss of flow has a flow",
        _flow_of_a_net_without,
        "the content loss {loss} looks at how a generator moves frames, and {kind} moves none",
        "leave it out, or take video_flow",
    ),
    Rule(
        "a cycle maps single photos",
        _cycle_of_windows,
        "a cycle takes what was restored back to its input, and {kind} looks at {frames} frames, of which"
        " one comes back",
        "take a generator of photos, or leave cycle out",
    ),
    Rule(
        "a frame and its window are changed alike",
        _changed_beside_a_window,
        "diff_augment changes a photo and its input alike, and what {discriminator} sees is one of"
        " {frames} frames of it",
        "take a discriminator that looks at the photo alone, or set diff_augment to null",
    ),
)
