"""What the gate says beside its checks: which pairs it did not judge by, and what nobody can know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from components.core.records import PhotoScore
from components.metrics import METRICS


def left_out_told(left_out: Mapping[str, str], scores: Sequence[PhotoScore]) -> list[str]:
    """How many pairs are not judged by, and why. left_out: their reasons; scores: the others."""
    if not left_out:
        return []
    kinds = Counter(reason.split(":")[0] for reason in left_out.values())
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    every = len(left_out) + len(scores)
    return [f"{len(left_out)} of {every} test pairs are left out of judging: {told}"]


def not_known(primary: str, scores: Sequence[PhotoScore]) -> list[str]:
    """What photos without targets, or a primary metric that looks at none, leave open."""
    if primary not in METRICS:
        return []
    if not METRICS[primary].needs_target:
        return [
            f"{primary} looks at no target: it tells that photos look more like sharp ones, not whether"
            " what was added was there"
        ]
    alone = sum(not score.paired for score in scores)
    if not alone:
        return []
    return [
        f"{primary} is known of the {len(scores) - alone} test pairs alone: whether what was added to test"
        f" photos without a target ({alone}) was there, nobody knows"
    ]
