"""Rules of video: what looks at neighbouring frames needs a generator that is given some."""

from __future__ import annotations

from components.train.adversarial import WGANGP
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


def _targets_of_a_photo(config: TrainFields) -> Breaches:
    if config.target_frames > 1 and config.generator.window == 1:
        yield {"frames": config.target_frames, "kind": config.generator.kind}


def _no_target_in_the_middle(config: TrainFields) -> Breaches:
    if config.target_frames % 2 == 0:
        yield {"frames": config.target_frames, "less": config.target_frames - 1}


def _too_few_restored_neighbours(config: TrainFields) -> Breaches:
    if config.target_frames < 3 and _looks_at_restored(config):
        yield {"frames": config.target_frames}


def _restored_neighbours_apart(config: TrainFields) -> Breaches:
    if not _looks_at_restored(config):
        return
    adversarial = config.adversarial
    parting = {
        "history": config.history is not None,
        "r1": config.r1 is not None,
        "accumulate": any(phase.accumulate > 1 for phase in config.phases),
        "the penalty of wgan_gp": isinstance(adversarial, WGANGP) and adversarial.penalty_weight > 0,
    }
    for name in (name for name, on in parting.items() if on):
        yield {"part": name}


def _looks_at_restored(config: TrainFields) -> bool:
    return any(part.beside == "restored" for part in config.discriminators)


def _cycle_of_windows(config: TrainFields) -> Breaches:
    for direction in config.directions() if config.cycle is not None else ():
        if direction.generator.window > 1:
            yield {"kind": direction.generator.kind, "frames": direction.generator.window}


VIDEO = (
    Rule(
        "several target frames have a window",
        _targets_of_a_photo,
        "target_frames is {frames}, and {kind} is given one photo, which has no neighbours",
        "leave it out, or take a generator of video",
    ),
    Rule(
        "target frames have one in the middle",
        _no_target_in_the_middle,
        "target_frames is {frames}: an even number has no frame in the middle",
        "take {less}",
    ),
    Rule(
        "restored neighbours are restored",
        _too_few_restored_neighbours,
        "temporal_patchgan looks at three restored frames, and target_frames is {frames}",
        "set target_frames to 3 or more, or its neighbours to input",
    ),
    Rule(
        "the frames of a clip stay together",
        _restored_neighbours_apart,
        "temporal_patchgan looks at three restored frames of one clip, and {part} goes photo by photo",
        "leave that out, or set its neighbours to input",
    ),
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
