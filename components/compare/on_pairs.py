"""All contenders measured with today's code on the test pairs of one recipe, so that figures of
different test sets become comparable; and pictures of a few of those pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.compare.contenders import Contender
from components.compare.side_by_side import Comparison
from components.core.baseline import do_nothing, words_for
from components.core.errors import LineageError
from components.core.images import to_float
from components.core.levels import at_bits
from components.core.records import Pair, PairSet, PhotoScore
from components.core.windows import Windows
from components.evaluate.measure import as_saved, measure, read_pair, read_window
from components.evaluate.sheets import amplified_error, draw_panels
from components.metrics import METRICS, measurable, primary_of
from components.registry import measured

Bytes8 = npt.NDArray[np.uint8]
TILE_PX = 1024
ERROR_GAIN = 4.0


def measured_on(
    contenders: Sequence[Contender], pairset: PairSet
) -> tuple[list[tuple[PhotoScore, ...]], tuple[str, ...]]:
    """Each contender's rows on a set's test pairs, and remarks. Pairs of photos that one of them was
    trained on are left out for all.

    Raises LineageError when no pair is left.
    """
    unseen = {
        pair.id: pair
        for pair in pairset.pairs("test")
        if not any(pair.photo in each.seen for each in contenders)
    }
    total = len(pairset.pairs("test"))
    if not unseen:
        raise LineageError(
            f"all {total} test pairs in {pairset.folder} are of photos that one of them was trained on, so"
            " they show nothing; name a recipe with other test photos"
        )
    asked = tuple(name for name in contenders[0].report.metrics if name in METRICS)
    metrics = tuple(name for name in asked if name not in measurable(asked)[1])
    rows = [
        tuple(score for score in _rows(each, pairset, metrics) if score.pair in unseen) for each in contenders
    ]
    remarks = [f"measured here and now on the test pairs in {pairset.folder.parent.name}"]
    if len(unseen) < total:
        remarks.append(
            f"{total - len(unseen)} of its {total} test pairs are left out: one of them was trained on their"
            " photos"
        )
    return rows, tuple(remarks)


def _rows(contender: Contender, pairset: PairSet, metrics: tuple[str, ...]) -> tuple[PhotoScore, ...]:
    from components.nets.restore import load_restorer

    if contender.version is not None:
        return measured.scores_of(contender.version, pairset, metrics, tile_px=TILE_PX, title=contender.name)
    with contender.generator() as folder:
        restorer = load_restorer(folder, tile_px=TILE_PX)
        device, window = str(restorer.device), restorer.window
        return measure(restorer.restore, pairset, metrics, title=contender.name, window=window, device=device)


def pictures(comparison: Comparison, pairset: PairSet) -> dict[str, Bytes8]:
    """Sheets of the pairs on which the last contender gains most over the first, of the median one and
    of the one on which it loses most: input, each contender, target; then each one's error.
    """
    from components.nets.precision import ieee_float32
    from components.nets.restore import load_restorer

    first, last = comparison.rows[0], comparison.rows[-1]
    metric = METRICS[primary_of([line.metric for line in comparison.lines])]

    def gained(pair: str) -> float:
        return metric.gain(last[pair].restored[metric.name], first[pair].restored[metric.name])

    having = (pair for pair in comparison.pairs if metric.name in first[pair].restored)
    order = sorted(having, key=lambda pair: (-gained(pair), pair))
    places = {"gains most": 0, "median": (len(order) - 1) // 2, "gains least": len(order) - 1}
    rows = {pair.id: pair for pair in pairset.pairs("test")}
    chosen = {name: rows[order[place]] for name, place in places.items() if place in _few(len(order))}
    restored: dict[str, list[Bytes8]] = {pair.id: [] for pair in chosen.values()}
    for each in comparison.contenders:
        with each.generator() as folder, ieee_float32():
            restorer = load_restorer(folder, tile_px=TILE_PX)
            for pair in chosen.values():
                windows = Windows(rows.values(), restorer.window)
                photo = to_float(read_window(pairset, windows[pair]))
                restored[pair.id].append(at_bits(as_saved(restorer.restore(photo), 8), 8))
    return {
        name: _sheet(
            comparison,
            pairset,
            pair,
            restored[pair.id],
            f"{name}: {metric.text(gained(pair.id), signed=True)}",
        )
        for name, pair in chosen.items()
    }


def _few(count: int) -> set[int]:
    """Places of the best, the median and the worst: fewer where these are the same."""
    return {0, (count - 1) // 2, count - 1}


def _sheet(
    comparison: Comparison, pairset: PairSet, pair: Pair, restored: Sequence[Bytes8], title: str
) -> Bytes8:
    words = words_for(pairset.task, pairset.baseline)
    small, target = read_pair(pairset, pair)
    input = at_bits(small if words.input == "input" else do_nothing(pairset, small), 8)
    target = at_bits(target, 8)
    names = [each.name for each in comparison.contenders]
    metric = METRICS[comparison.lines[0].metric]
    numbers = [metric.text(each[pair.id].restored[metric.name]) for each in comparison.rows]
    captions = {
        words.input: (metric.text(comparison.rows[0][pair.id].do_nothing[metric.name]),),
        **{name: (number,) for name, number in zip(names, numbers, strict=True)},
        words.target: (),
        **{f"error of {name} ×{ERROR_GAIN:g}": () for name in names},
    }
    errors = [amplified_error(each, target, ERROR_GAIN) for each in restored]
    return draw_panels(
        title,
        f"pair {pair.id[:16]} · {pair.blur_kind}",
        captions,
        [input, *restored, target, *errors],
        target=1 + len(restored),
    )


def pairs_at_hand(comparison: Comparison, root: Path) -> PairSet | None:
    """The pairs that the figures rest on, if a recipe's folder in this checkout holds them."""
    wanted = {each.report.pairset for each in comparison.contenders}
    for folder in sorted((root / "data").glob("*/pairs")):
        try:
            pairset = PairSet.load(folder)
            if pairset.digest in wanted and {*comparison.pairs} <= {
                pair.id for pair in pairset.pairs("test")
            }:
                return pairset
        except LineageError:
            continue
    return None
