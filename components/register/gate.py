"""The gate: from figures to a verdict in words. A pure function; nothing here reads a file or asks
a service.

The floors hold for every version: finite output, output in range, better than leaving the photos as
they are, fast enough. When a champion serves, the version must also be better on the primary metric
and no worse elsewhere, on the same photos. Intervals come from a bootstrap over photos, not pairs:
several blurs of one photo are not several photos (Efron & Tibshirani, "An Introduction to the
Bootstrap", 1993, ch. 13: the percentile interval).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from components.core.errors import LineageError, nearest
from components.core.parts import Part
from components.core.records import PhotoScore
from components.core.seeds import stream

Better = Literal["higher", "lower"]
CLASSES = ("mild", "medium", "strong")
ENOUGH_PHOTOS = 5
SAME_GROUND = 1e-3


class GatePolicy(Part):
    """What a version must prove. Margins are in the metric's own units; a metric without one may
    not be worse at all.
    """

    primary: str = Field("psnr_rgb", description="the metric on which a version must be better")
    min_gain: float = Field(
        0.0,
        ge=0,
        description=(
            "mean gain over doing nothing on the primary metric must be greater than this (dB for PSNR)"
        ),
    )
    margins: dict[str, float] = Field(
        default_factory=lambda: {
            "psnr_rgb": 0.05,
            "ssim_gauss11_rgb": 0.002,
            "lpips_alex": 0.005,
            "psnr_y_crop4": 0.05,
            "ssim_y_crop4": 0.002,
        },
        description=(
            "by how much a version may be worse than doing nothing or the champion, by metric, over all test"
            " photos"
        ),
    )
    class_margins: dict[str, float] = Field(
        default_factory=lambda: {
            "psnr_rgb": 0.2,
            "ssim_gauss11_rgb": 0.01,
            "lpips_alex": 0.02,
            "psnr_y_crop4": 0.2,
            "ssim_y_crop4": 0.01,
        },
        description=(
            "by how much it may be worse than the champion within one severity class (mild, medium, strong)"
        ),
    )
    resamples: int = Field(2000, ge=100, le=100_000, description="bootstrap resamples of the photos")
    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="coverage of the interval; its lower end decides"
    )
    seed: int = Field(
        0, ge=0, description="seed of the bootstrap, so that the same figures give the same verdict"
    )
    range_tolerance: float = Field(
        0.5, ge=0, description="how far below 0 or above 1 the generator's output may go before clipping"
    )
    max_seconds_per_megapixel: float | None = Field(
        None, gt=0, description="latency budget (median over photos); none by default"
    )
    min_test_photos: int = Field(1, ge=1, description="test photos needed for a verdict")


class Measured(Part):
    """One model's rows on the test pairs."""

    scores: tuple[PhotoScore, ...]
    seconds_per_megapixel: float = Field(ge=0, description="median over photos")


class Check(Part):
    """One question of the gate and its answer. `value` and `limit` are absent where there is no
    single number.
    """

    name: str
    passed: bool
    words: str
    value: float | None = None
    limit: float | None = None


class Verdict(Part):
    """The gate's answer: every check, and one paragraph for people."""

    passed: bool
    checks: tuple[Check, ...]
    words: str


class Difference(Part):
    """How much better one model is than another on one metric; positive is better. `low` and `high`
    are absent where the mean alone decides.
    """

    mean: float
    low: float | None
    high: float | None
    photos: int

    @property
    def worst(self) -> float:
        """What decides: the lower end of the interval, or the mean where there is none."""
        return self.mean if self.low is None else self.low

    @property
    def words(self) -> str:
        """+0.89 (+0.40 to +1.31 over 12 photos)."""
        if self.low is None or self.high is None:
            few = ", too few for an interval" if self.photos < ENOUGH_PHOTOS else ""
            return f"{self.mean:+.4g} (mean of {self.photos} photo{'s' if self.photos > 1 else ''}{few})"
        return f"{self.mean:+.4g} ({self.low:+.4g} to {self.high:+.4g} over {self.photos} photos)"


def decide(
    policy: GatePolicy, candidate: Measured, champion: Measured | None, better: Mapping[str, Better]
) -> Verdict:
    """Decide whether a version may become champion.

    candidate: its rows, which hold the scores of doing nothing too; champion: rows on the same
    pairs, None when no model serves yet;
    better: for each metric, whether a higher or a lower value is better.
    Raises LineageError when the rows cannot be compared: none at all, other pairs, or a metric
    nobody knows.
    """
    metrics = _metrics(policy, candidate, better)
    checks = [_enough_photos(policy, candidate), _finite(candidate), _in_range(policy, candidate)]
    if _sane(candidate):
        checks += _against_doing_nothing(policy, candidate, metrics, better)
    if policy.max_seconds_per_megapixel is not None:
        checks.append(_fast_enough(policy.max_seconds_per_megapixel, candidate))
    if champion is not None:
        _same_pairs(candidate, champion, metrics)
        if not _sane(champion):
            checks.append(
                Check(
                    name="the champion",
                    passed=True,
                    words="the champion itself gives values that are not finite, so only the floors count",
                )
            )
        elif _sane(candidate):
            checks += _against_champion(policy, candidate, champion, metrics, better)
    passed = all(check.passed for check in checks)
    return Verdict(passed=passed, checks=tuple(checks), words=_words(passed, checks, champion is None))


def difference(
    policy: GatePolicy, name: str, ours: Mapping[str, float], theirs: Mapping[str, float], better: Better
) -> Difference:
    """How much better our values of one metric are than theirs, by pair id, with an interval over
    photos.

    Pairs of one photo share the part of their id before the dash; each photo counts once.
    """
    sign = 1.0 if better == "higher" else -1.0
    groups: dict[str, list[float]] = {}
    for pair in sorted(ours):
        groups.setdefault(pair.split("-")[0], []).append(sign * (ours[pair] - theirs[pair]))
    by_photo = np.array([np.mean(values) for values in groups.values()])
    count = len(by_photo)
    if count < ENOUGH_PHOTOS:
        return Difference(mean=float(by_photo.mean()), low=None, high=None, photos=count)
    drawn = stream(policy.seed, "gate", name).integers(0, count, size=(policy.resamples, count))
    tail = (1 - policy.confidence) / 2
    low, high = np.quantile(by_photo[drawn].mean(axis=1), [tail, 1 - tail])
    return Difference(mean=float(by_photo.mean()), low=float(low), high=float(high), photos=count)


def _metrics(policy: GatePolicy, candidate: Measured, better: Mapping[str, Better]) -> tuple[str, ...]:
    if not candidate.scores:
        raise LineageError(
            "the report has no test pair, so there is nothing to judge; give the recipe more photos, or a"
            " larger test share, and run evaluate again"
        )
    names = tuple(sorted(candidate.scores[0].do_nothing))
    if unknown := [name for name in names if name not in better]:
        raise LineageError(
            f"the report scores {unknown[0]!r}, which no metric of this version is"
            f" called;{nearest(unknown[0], better)} run evaluate again"
        )
    if policy.primary not in names:
        raise LineageError(
            f"register.gate.primary is {policy.primary!r}, but the report scores"
            f" {', '.join(names)};{nearest(policy.primary, names)} correct the recipe"
        )
    return names


def _sane(measured: Measured) -> bool:
    return not _not_finite(measured)


def _not_finite(measured: Measured) -> list[str]:
    return [
        score.pair
        for score in measured.scores
        if not score.finite
        or not all(map(math.isfinite, score.restored.values()))
        or set(score.restored) != set(score.do_nothing)
    ]


def _enough_photos(policy: GatePolicy, candidate: Measured) -> Check:
    count = len({score.pair.split("-")[0] for score in candidate.scores})
    words = f"{count} test photo{'s' if count > 1 else ''}, {policy.min_test_photos} needed"
    return Check(
        name="enough test photos",
        passed=count >= policy.min_test_photos,
        words=words,
        value=count,
        limit=policy.min_test_photos,
    )


def _finite(candidate: Measured) -> Check:
    bad = _not_finite(candidate)
    words = (
        f"{len(bad)} of {len(candidate.scores)} test photos came out with NaN or infinity, such as {bad[0]}"
        if bad
        else "every output is finite"
    )
    return Check(name="finite output", passed=not bad, words=words, value=len(bad), limit=0)


def _in_range(policy: GatePolicy, candidate: Measured) -> Check:
    ends = [
        end
        for score in candidate.scores
        for end in (-score.output_min, score.output_max - 1)
        if math.isfinite(end)
    ]
    beyond = max(ends, default=math.inf)
    passed = beyond <= policy.range_tolerance
    words = f"output leaves [0, 1] by {max(beyond, 0):.3g} at most, {policy.range_tolerance:.3g} is allowed"
    return Check(
        name="output range",
        passed=passed,
        words=words,
        value=beyond if math.isfinite(beyond) else None,
        limit=policy.range_tolerance,
    )


def _fast_enough(limit: float, candidate: Measured) -> Check:
    words = f"{candidate.seconds_per_megapixel:.3g} s per megapixel, {limit:.3g} allowed"
    return Check(
        name="time per megapixel",
        passed=candidate.seconds_per_megapixel <= limit,
        words=words,
        value=candidate.seconds_per_megapixel,
        limit=limit,
    )


def _against_doing_nothing(
    policy: GatePolicy, candidate: Measured, metrics: Iterable[str], better: Mapping[str, Better]
) -> list[Check]:
    checks = []
    for name in metrics:
        restored = {score.pair: score.restored[name] for score in candidate.scores}
        untouched = {score.pair: score.do_nothing[name] for score in candidate.scores}
        found = difference(policy, name, restored, untouched, better[name])
        if name == policy.primary:
            passed = found.mean > policy.min_gain and found.worst > 0
            words = f"{name} {found.words} against doing nothing" + (
                ""
                if passed
                else f"; more than {policy.min_gain:+.4g} is needed, and a whole interval above 0"
            )
            checks.append(
                Check(
                    name=f"better than doing nothing: {name}",
                    passed=passed,
                    words=words,
                    value=found.mean,
                    limit=policy.min_gain,
                )
            )
        else:
            checks.append(_no_worse("doing nothing", name, found, policy.margins.get(name, 0.0)))
    return checks


def _against_champion(
    policy: GatePolicy,
    candidate: Measured,
    champion: Measured,
    metrics: Iterable[str],
    better: Mapping[str, Better],
) -> list[Check]:
    checks = []
    theirs = {score.pair: score for score in champion.scores}
    for name in metrics:
        ours = {score.pair: score.restored[name] for score in candidate.scores}
        found = difference(
            policy, name, ours, {pair: theirs[pair].restored[name] for pair in ours}, better[name]
        )
        if name == policy.primary:
            words = f"{name} {found.words} against the champion" + (
                "" if found.worst > 0 else "; that is no proof of being better"
            )
            checks.append(
                Check(
                    name=f"better than the champion: {name}",
                    passed=found.worst > 0,
                    words=words,
                    value=found.worst,
                    limit=0.0,
                )
            )
        else:
            checks.append(_no_worse("the champion", name, found, policy.margins.get(name, 0.0)))
        checks += _by_class(policy, name, candidate, theirs, better[name])
    return checks


def _by_class(
    policy: GatePolicy, name: str, candidate: Measured, theirs: Mapping[str, PhotoScore], better: Better
) -> list[Check]:
    """Within a severity class there are few photos, so its mean decides, against a wider margin."""
    checks = []
    for kind in sorted(
        {score.severity_class for score in candidate.scores},
        key=lambda word: CLASSES.index(word) if word in CLASSES else len(CLASSES),
    ):
        ours = {
            score.pair: score.restored[name] for score in candidate.scores if score.severity_class == kind
        }
        found = difference(policy, name, ours, {pair: theirs[pair].restored[name] for pair in ours}, better)
        checks.append(
            _no_worse(
                f"the champion on {kind} blur",
                name,
                found.model_copy(update={"low": None, "high": None}),
                policy.class_margins.get(name, 0.0),
            )
        )
    return checks


def _no_worse(than: str, name: str, found: Difference, margin: float) -> Check:
    passed = found.worst >= -margin
    words = f"{name} {found.words} against {than}" + (
        "" if passed else f"; at most {margin:.4g} worse is allowed"
    )
    return Check(
        name=f"no worse than {than}: {name}", passed=passed, words=words, value=found.worst, limit=-margin
    )


def _same_pairs(candidate: Measured, champion: Measured, metrics: Iterable[str]) -> None:
    ours, theirs = ({score.pair: score for score in measured.scores} for measured in (candidate, champion))
    if ours.keys() != theirs.keys():
        raise LineageError(
            f"candidate and champion were measured on other pairs ({len(ours.keys() ^ theirs.keys())}"
            " differ); run evaluate again"
        )
    for pair, score in ours.items():
        for name in metrics:
            there = theirs[pair].do_nothing.get(name)
            if there is None or abs(there - score.do_nothing[name]) > SAME_GROUND:
                raise LineageError(
                    f"candidate and champion were not measured alike: {name} of the untouched pair {pair} is"
                    f" {score.do_nothing[name]:.6g} in one and {there if there is None else f'{there:.6g}'}"
                    " in the other; run evaluate again"
                )


def _words(passed: bool, checks: Iterable[Check], first: bool) -> str:
    alone = "; no champion serves yet, so the floors alone decide" if first else ""
    if not passed:
        return "refused: " + "; ".join(check.words for check in checks if not check.passed) + alone
    return (
        "promoted: "
        + "; ".join(check.words for check in checks if check.name.startswith("better than"))
        + alone
    )
