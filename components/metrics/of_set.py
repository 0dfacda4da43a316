"""Metrics as they are for one set: those that are fitted to its sharp training photos are fitted first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from components.core.levels import Pixels
from components.metrics import METRICS

if TYPE_CHECKING:
    from torch import Tensor

Function = Callable[["Tensor", "Tensor"], "Tensor"]
MOST = 200  # photos that a metric is fitted to
_KEPT = 4
_fitted: OrderedDict[tuple[str, str], Function] = OrderedDict()


def functions_for(
    names: Sequence[str], digest: str, targets: Callable[[], Iterable[Pixels]]
) -> dict[str, Function]:
    """What measures, by metric. digest: of the set, under which a fit is remembered; targets: its training
    targets (H, W, 3), asked for when a metric is to be fitted to them.
    """
    found: dict[str, Function] = {}
    for name in names:
        metric, key = METRICS[name], (name, digest)
        if metric.fit is None:
            found[name] = metric.function
            continue
        if key not in _fitted:
            _fitted[key] = metric.fit(targets())
            if len(_fitted) > _KEPT:
                _fitted.popitem(last=False)
        found[name] = _fitted[key]
    return found
