"""Measure any restorer on a PairSet, photo by photo, beside doing nothing. The promotion step
measures the champion with it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.core.baseline import do_nothing
from components.core.errors import InputError, LineageError, PhotoError, WeightsError
from components.core.files import sha256_of_bytes
from components.core.images import Bits, Bytes8, Pixels, decode, to_float
from components.core.levels import at_bits, bits_of, to_pixels
from components.core.progress import tracked
from components.core.records import Pair, PairSet, PhotoScore, Split
from components.core.windows import Windows
from components.evaluate.over_time import OverTime, in_order_of_time
from components.evaluate.unfit import why_left_out
from components.metrics import METRICS, measurable, of_frames
from components.metrics.of_set import MOST, Function, functions_for
from components.metrics.sizes import fitting, need_one_fit, too_small
from components.metrics.values import photo_on, values_of
from components.services.content import reader_of, training_targets

Floats = npt.NDArray[np.float32]
Restore = Callable[[Floats], Floats]  # (H, W, 3) in [0, 1] to (scale H, scale W, 3), not clipped
See = Callable[
    [Bytes8, Bytes8, Bytes8], None
]  # restored, baseline and target, each (H, W, 3) as saved, in 8 bits


def measure(
    restore: Restore,
    pairset: PairSet,
    metrics: Sequence[str],
    split: Split = "test",
    *,
    title: str = "evaluate",
    see: See | None = None,
    window: int = 1,
    device: str = "cpu",
) -> tuple[PhotoScore, ...]:
    """How near each photo of a split comes to its target, restored and by the PairSet's baseline
    (components/core/baseline.py).

    restore: a photo (H, W, 3) float32 in [0, 1] to the restored one, values outside allowed; with a
    window of several frames (H, W, 3 · window), in the order of time, to the middle one restored.
    metrics: names of metrics that can be measured here (see `measurable`); in a set of two domains a
    photo has those of them that `asked_of` gives. see: is shown each photo, but for test pairs beside
    two domains, for metrics of the whole set. Both photos are rounded before they are measured, to the
    bits of the target, as they would be saved; a restored photo is clipped first, and what is
    not a number counts as black. `seconds` is the restorer's alone, after one warm-up that is not
    counted. device: where metrics are computed, in IEEE float32 whatever the device does by itself; a
    GPU's values are the processor's within 1e-5, LPIPS's within 1e-4.
    Returns one row a pair, ordered by pair id; all but `seconds` is the same in every run on the
    same machine.
    Raises InputError when the split is empty or a restored photo has another size than the
    target, LineageError when a pair's file is not the one the PairSet names, WeightsError when a
    metric cannot be measured.
    """
    measured, skipped = measurable(metrics)
    if skipped:
        raise WeightsError("; ".join(skipped.values()))
    asked = _asked(pairset, split, measured)
    pairs = sorted((pair for pair in pairset.pairs(split) if pair.id in asked), key=lambda pair: pair.id)
    reader_of(pairset).keep(name for pair in pairs for name in pair.files)
    timed = of_frames(measured)
    still = [name for name in measured if name not in timed]
    functions = functions_for(still, pairset.digest, lambda: training_targets(pairset, MOST))
    windows, over_time = Windows(pairs, window), OverTime(timed)
    if timed:
        pairs = in_order_of_time(pairs)
    from components.nets.precision import ieee_float32  # torch takes seconds to import

    with ieee_float32():
        restore(to_float(read_window(pairset, windows[pairs[0]])))
        scores = [
            _score(
                restore,
                pairset,
                windows[pair],
                {name: functions[name] for name in asked[pair.id] if name in functions},
                see if pairset.unpaired is None or not pair.paired else None,
                over_time,
                device,
            )
            for pair in tracked(pairs, title, len(pairs), "pairs")
        ]
    return tuple(over_time.added_to(score) for score in sorted(scores, key=lambda score: score.pair))


def _asked(pairset: PairSet, split: Split, metrics: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What is to be measured of each pair, by its id; of pairs that have none of the metrics nothing."""
    pairs = pairset.pairs(split)
    asked = {pair.id: names for pair in pairs if (names := asked_of(pair, pairset, metrics))}
    if not asked:
        raise InputError(
            f"the PairSet at {pairset.folder} has no {split} pairs for {', '.join(metrics)}, so nothing can"
            f" be measured; give more photos, or a larger share to {split}"
        )
    for names in dict.fromkeys(asked.values()):
        sizes = [(pair.height, pair.width) for pair in pairs if asked.get(pair.id) == names]
        need_one_fit(sizes, names, "evaluate.metrics")
    return asked


def asked_of(pair: Pair, pairset: PairSet, metrics: Sequence[str]) -> tuple[str, ...]:
    """Those of the metrics that say something of a pair: in a set of two domains those that need a target
    of the test pairs, and the others of inputs without one; all of any other pair.
    """
    if pairset.unpaired is None:
        return tuple(metrics)
    return tuple(name for name in metrics if METRICS[name].needs_target == pair.paired)


def read_pair(pairset: PairSet, pair: Pair) -> tuple[Pixels, Pixels]:
    """The input and the target, (H, W, 3) uint8 or uint16. Raises LineageError when a file
    is missing or not the one that was measured.
    """
    return _read(pairset, pair.input, pair.input_sha256), _read(pairset, pair.target, pair.target_sha256)


def read_window(pairset: PairSet, window: Sequence[Pair]) -> Pixels:
    """The inputs of neighbouring frames, (H, W, 3 T) in the order given; of one pair its input. Raises
    LineageError as `read_pair` does.
    """
    frames = {pair.id: pair for pair in window}  # mirrored ones are read once
    read = {name: _read(pairset, pair.input, pair.input_sha256) for name, pair in frames.items()}
    return np.concatenate([read[pair.id] for pair in window], axis=2)


def _read(pairset: PairSet, name: str, wanted: str) -> Pixels:
    reader = reader_of(pairset)
    try:
        data = reader.read(name)
    except PhotoError:
        data = b""
    if sha256_of_bytes(data) != wanted:
        raise LineageError(
            f"{reader.place(name)} is missing or was altered: its SHA-256 is not the {wanted[:12]}…"
            " that the PairSet names; run synthesize again, or dvc checkout"
        )
    return decode(data).pixels


def as_saved(restored: Floats, bits: Bits = 8) -> Pixels:
    """A restorer's output as it would be saved: clipped, rounded to 8 or 16 bits; NaN and
    infinities become black.

    >>> as_saved(np.array([[[0.5, 1.7, np.nan]]], np.float32)).tolist()
    [[[128, 255, 0]]]
    """
    return to_pixels(np.where(np.isfinite(restored), restored, np.float32(0.0)), bits)


def _score(
    restore: Restore,
    pairset: PairSet,
    window: Sequence[Pair],
    functions: Mapping[str, Function],
    see: See | None,
    over_time: OverTime,
    device: str,
) -> PhotoScore:
    pair = window[len(window) // 2]
    input, target = read_pair(pairset, pair)
    photo = to_float(input if len(window) == 1 else read_window(pairset, window))
    began = time.perf_counter()
    restored = restore(photo)
    seconds = time.perf_counter() - began
    nothing = do_nothing(pairset, input)
    for name, made in (("restored", restored), ("untouched", nothing)):
        if made.shape != target.shape:
            raise InputError(
                f"the {name} photo of pair {pair.id} is {_size(made)}, the sharp one {_size(target)}; is the"
                f" checkpoint for scale {pairset.scale}?"
            )
    saved, numbers = as_saved(restored, bits_of(target)), restored[np.isfinite(restored)]
    if see is not None or over_time.metrics:
        shown = at_bits(saved, 8), at_bits(nothing, 8), at_bits(target, 8)
        over_time.see(pair, *shown)
        if see is not None:
            see(*shown)
    metrics = tuple(functions)
    fit, small = fitting(target.shape[:2], metrics), too_small(target.shape[:2], metrics)
    used = {name: functions[name] for name in fit}
    truth = photo_on(device, target)
    restored_values, nothing_values = (
        values_of(photo_on(device, photo), truth, used) for photo in (saved, nothing)
    )
    return PhotoScore(
        pair=pair.id,
        blur_kind=pair.blur_kind,
        severity=pair.severity,
        severity_class=pair.severity_class,
        restored=restored_values,
        do_nothing=nothing_values,
        output_min=float(numbers.min()) if numbers.size else 0.0,
        output_max=float(numbers.max()) if numbers.size else 0.0,
        finite=numbers.size == restored.size,
        seconds=seconds,
        megapixels=target.shape[0] * target.shape[1] / 1e6,
        group=pair.group,
        left_out=small or why_left_out(target, restored_values, nothing_values),
    )


def _size(photo: npt.NDArray[Any]) -> str:
    return f"{photo.shape[1]} × {photo.shape[0]} px"
