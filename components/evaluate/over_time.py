"""Metrics of neighbouring frames: each frame of a clip is compared with the one before it, the first with
the one behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from components.core.images import Bytes8
from components.core.records import Pair, PhotoScore
from components.core.windows import clips_of
from components.metrics import METRICS

ALONE = "alone"  # the kind of reason that a frame without a neighbour is left out for
Values = tuple[dict[str, float], dict[str, float]]  # restored, baseline


def in_order_of_time(pairs: Sequence[Pair]) -> list[Pair]:
    """Clip by clip, frame by frame; pairs of no clip behind them as they came."""
    found = [pair for clip in clips_of(pairs) for pair in clip]
    known = {pair.id for pair in found}
    return [*found, *(pair for pair in pairs if pair.id not in known)]


@dataclass
class OverTime:
    """The values of every frame, as frames are shown in the order of time. In memory is the last one."""

    metrics: Sequence[str]
    values: dict[str, Values] = field(default_factory=dict)
    _last: tuple[Pair, Bytes8, Bytes8, Bytes8] | None = None

    def see(self, pair: Pair, restored: Bytes8, nothing: Bytes8, target: Bytes8) -> None:
        """The next frame, each picture (H, W, 3) uint8 as saved."""
        last, self._last = self._last, (pair, restored, nothing, target)
        if last is None or not _follows(last[0], pair) or target.shape != last[3].shape:
            return
        self.values[pair.id] = self._between(last[1:], (restored, nothing, target))
        if last[0].id not in self.values:
            self.values[last[0].id] = self._between((restored, nothing, target), last[1:])

    def added_to(self, score: PhotoScore) -> PhotoScore:
        """A frame's row with its values; left out, with the reason, where it has no neighbour."""
        if not self.metrics:
            return score
        found = self.values.get(score.pair)
        if found is None:
            words = f"{ALONE}: {self.metrics[0]} compares neighbouring frames, and it has none"
            return score.model_copy(update={"left_out": score.left_out or words})
        restored, nothing = found
        return score.model_copy(
            update={"restored": score.restored | restored, "do_nothing": score.do_nothing | nothing}
        )

    def _between(self, before: tuple[Bytes8, ...], now: tuple[Bytes8, ...]) -> Values:
        sides = []
        for side in (0, 1):
            measured = {}
            for name in self.metrics:
                function = METRICS[name].over_time
                assert function is not None, f"{name} is no metric of neighbouring frames"
                measured[name] = function(before[side], now[side], before[2], now[2])
            sides.append(measured)
        return sides[0], sides[1]


def _follows(one: Pair, other: Pair) -> bool:
    return one.clip is not None and one.clip == other.clip and (one.frame or 0) + 1 == other.frame
