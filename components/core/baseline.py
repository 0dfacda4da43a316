"""Doing nothing: what a person has without any net, and what a net must therefore beat; and the
words for it, by task.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from components.core.images import Pixels, to_float
from components.core.levels import at_bits, bits_of, to_pixels
from components.core.records import Baseline, PairSet, Task
from components.core.resize import bicubic


def do_nothing(pairset: PairSet, input: Pixels) -> Pixels:
    """The baseline of a PairSet for one of its inputs, as it would be saved.

    input: (h, w, 3) uint8 or uint16, what the net is given.
    Returns (scale h, scale w, 3), as many bits: the input itself; enlarged as MATLAB's imresize
    does, and rounded, for super-resolution; or the mean colour of the training targets everywhere,
    where the input is no attempt at the target.
    """
    if pairset.baseline == "mean_colour":
        colour = at_bits(np.array(pairset.mean_colour, np.uint8), bits_of(input))
        return np.broadcast_to(colour, input.shape).copy()
    if pairset.baseline == "bicubic":
        return enlarged(input, pairset.scale)
    return input


def enlarged(small: Pixels, scale: int) -> Pixels:
    """(h, w, 3) uint8 or uint16 to (scale h, scale w, 3) of as many bits: bicubic as MATLAB's
    imresize, clipped, rounded.
    """
    height, width = small.shape[:2]
    return (
        small
        if scale == 1
        else to_pixels(bicubic(to_float(small), width * scale, height * scale), bits_of(small))
    )


@dataclass(frozen=True)
class Words:
    """How reports name the pictures of a pair."""

    nothing: str  # the baseline: "blurred", "bicubic", "input", "mean colour"
    # what a sheet shows at the left: the baseline, or the input where the baseline is one flat
    # colour
    input: str
    restored: str  # what the net made
    target: str  # what it should have made
    aim: str  # the same of many, in a sentence: nearer to ...
    rival: str  # the baseline of many, in a sentence: ... than ...


def words_for(task: Task, baseline: Baseline) -> Words:
    """The words of a task.

    >>> words_for("super_resolution", "bicubic").nothing, words_for("translation", "mean_colour").input
    ('bicubic', 'input')
    """
    if task == "translation" or baseline == "mean_colour":
        nothing, rival = (
            ("mean colour", "the mean colour") if baseline == "mean_colour" else ("input", "the inputs")
        )
        return Words(nothing, "input", "translated", "target", "their targets", rival)
    if baseline == "bicubic":
        return Words("bicubic", "bicubic", "restored", "original", "the originals", "bicubic enlargements")
    return Words("blurred", "blurred", "restored", "sharp", "the sharp ones", "the blurred photos")


# What a report, a card and a gate say of a set without pairs.
NO_TARGETS = (
    "No photo of this set has a target, so nothing here knows what the scene looked like: the figures tell"
    " whether restored photos resemble the set's sharp ones, and how far they stray from their own inputs,"
    " not whether the detail that was added was there. Look at the pictures, and measure on real pairs if"
    " there are any"
)


def targets_words(paired: Iterable[bool]) -> str | None:
    """What a report or card must say of test photos without a target; None where there are none.

    paired: of each test photo, whether it has one.

    >>> targets_words([True, True]) is None, targets_words([False]) == NO_TARGETS
    (True, True)
    """
    known = [*paired]
    pairs, alone = sum(known), len(known) - sum(known)
    if not alone:
        return None
    if not pairs:
        return NO_TARGETS
    return (
        f"{alone} of {len(known)} test photos have no target, so nothing here knows what their scene looked"
        " like: of them the figures tell whether they resemble the set's sharp photos, and how far they stray"
        f" from their own inputs. Only the {pairs} test pairs tell whether the detail that was added was"
        " there; they stand for the others as far as they are blurred like them"
    )


def sentence_for(task: Task, baseline: Baseline, scale: int = 1) -> str:
    """What doing nothing is, as a report's note says it."""
    if baseline == "bicubic":
        return (
            f"the small photo enlarged {scale} times by bicubic interpolation (as MATLAB's imresize), rounded"
            " as it would be saved"
        )
    if baseline == "mean_colour":
        return (
            "one colour everywhere, the mean of the training targets: here the input itself is no attempt at"
            " the target"
        )
    return "the input as it is" if task == "translation" else "the blurred photo as it is"
