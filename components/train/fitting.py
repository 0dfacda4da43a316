"""Whether a set of pairs can be trained on with these settings, asked before any work; and which of
its pairs are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from components.core.errors import InputError, LineageError
from components.core.quarantine import Quarantine, Unfit, leave_out
from components.core.records import Pair, PairSet, SourcePhoto, TargetPhoto
from components.train.config import TrainConfig
from components.train.config.health import OF_PICTURES
from components.train.data import Data

Row = Pair | SourcePhoto | TargetPhoto


def refuse_small(pairs: Sequence[Row], config: TrainConfig, split_words: str) -> None:
    """Refuse before training what cannot be cropped.

    Raises LineageError when there is no pair, InputError when a pair is smaller than a phase's
    crop.
    """
    if not pairs:
        raise LineageError(
            f"the pair set has no {split_words} pairs, nor photos to make them of; add photos and run"
            " synthesize again"
        )
    smallest = min(pairs, key=lambda pair: min(pair.width, pair.height))
    side = int(min(smallest.width, smallest.height) * config.augment.enlarge)
    for phase in config.phases:
        if side < phase.crop_px:
            multiple = config.generator.stride * config.generator.scale
            fits = (
                f"set its crop_px to {side // multiple * multiple} or less"
                if side >= multiple
                else "raise synthesize.max_side_px if photos were shrunk"
            )
            enlarged = f", enlarged {config.augment.enlarge:g} times" if config.augment.enlarge > 1 else ""
            needed = config.augment.smallest_px(phase.crop_px)
            # min_px looks at whole photos, so it cannot tell a narrow half.
            leave = (
                f"take photos with halves below {needed} px out"
                if isinstance(smallest, Pair) and smallest.blur_kind == "side_by_side"
                else f"set ingest.min_px to {needed} to leave such photos out"
            )
            raise InputError(
                f"phase {phase.name} crops {phase.crop_px} px, but pair {smallest.id} is"
                f" {smallest.width}×{smallest.height}{enlarged}: {fits}, or {leave}"
            )


def croppable(data: Data, config: TrainConfig) -> tuple[Data, Quarantine]:
    """The data without the training pairs that are smaller than a phase's crop, and the list of
    those.

    Raises LineageError when there are no pairs, PhotoError when more are too small than the recipe
    allows.
    """
    try:
        refuse_small((*data.train, *data.targets) if data.train else (), config, "training")
    except InputError as error:
        largest = max(phase.crop_px for phase in config.phases)
        small = {
            pair.id: (pair.id, f"too small: {pair.width} × {pair.height} px, crops have {largest} px")
            for pair in (*data.train, *data.targets)
            if int(min(pair.width, pair.height) * config.augment.enlarge) < largest
        }
        left_out = leave_out(
            "train",
            [Unfit(small, str(error))],
            dict.fromkeys((pair.id for pair in (*data.train, *data.targets)), "training"),
            most=config.max_left_out,
            what="pairs",
        )
        train = tuple(pair for pair in data.train if pair.id not in small)
        targets = tuple(row for row in data.targets if row.id not in small)
        if data.targets and not (train and targets):
            raise LineageError(
                "a domain has no training picture that is large enough for the crops; lower crop_px, or add"
                " photos"
            ) from error
        return replace(data, train=train, targets=targets), left_out  # type: ignore[arg-type]
    return data, Quarantine.of((), {})


def refuse_unvalidated(data: Data, config: TrainConfig) -> None:
    """Raises LineageError when a setting waits for validations, and there are no pairs to validate
    with; or when what is validated on is tested on as well.
    """
    if data.val:
        shared = {pair.counts_as for pair in data.val} & {
            pair.counts_as for pair in data.pairset.pairs("test")
        }
        if shared:
            raise LineageError(
                f"{len(shared)} groups of photos stand in val and in test, such as {min(shared)[:16]}: what"
                " chooses during training would have seen the test photos; run ingest and synthesize again"
            )
        return
    waits = ["keep_best"] if config.keep_best is not None else []
    waits += [
        f"early_stopping of phase {phase.name}" for phase in config.phases if phase.early_stopping is not None
    ]
    waits += [
        f"rollback.on {name}"
        for name in (config.rollback.on if config.rollback is not None else ())
        if name in OF_PICTURES
    ]
    if waits:
        raise LineageError(
            f"train.{waits[0]} needs validation pairs, and the pair set has none: add photos or raise"
            " ingest.split.val and run again, or take it out"
        )


def refuse_missing_partners(pairset: PairSet, config: TrainConfig) -> None:
    """Raises InputError when the set has no pairs and a setting looks at an input beside its own target."""
    if pairset.unpaired is None:
        return
    if config.cycle is None:
        raise InputError(
            "the set has two domains without pairs, and train.cycle is not set: name the losses of a cycle"
            " (train.cycle.consistency), or ingest pairs"
        )
    for what, remedy in config.needs_pairs():
        raise InputError(
            f"the set has two domains without pairs, and {what} looks at an input beside its own target:"
            f" {remedy}"
        )


def refuse_single_photos(pairset: PairSet, config: TrainConfig) -> None:
    """Raises InputError when a generator of video is to learn from pairs that know no neighbours."""
    window = config.generator.window
    if window > 1 and (
        pairset.on_the_fly is not None or not any(pair.clip is not None for pair in pairset.pairs("train"))
    ):
        raise InputError(
            f"the generator {config.generator.kind} is given {window} neighbouring frames, and the pairs are"
            " of single photos: make clips of them (synthesize.clip), or take in clips (ingest.clips, or"
            " ingest.pairs frame_average, gopro, reds, dvd, or two_folders with clips: true), and run ingest"
            " and synthesize again; or take a generator of photos"
        )


def refuse_other_scale(pairset: PairSet, config: TrainConfig) -> None:
    """Raises InputError when the pairs are enlarged by another factor than the generator enlarges."""
    if pairset.scale != config.generator.scale:
        raise InputError(
            f"the pairs are for scale {pairset.scale} (target over input size), the generator"
            f" {config.generator.kind} enlarges {config.generator.scale} times: make synthesize.downscale and"
            " train.generator agree, and run synthesize again"
        )
