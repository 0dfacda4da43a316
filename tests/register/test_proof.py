from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy
from scipy import stats

from components.metrics.differences import difference
from components.register.proof import (
    Looks,
    Rule,
    claimed,
    groups_needed,
    lower_end,
    needed,
    power,
    visible_gain,
)

RULE = Rule()
SD = 0.13


def test_the_first_look_is_a_t_test_at_its_level() -> None:
    found = needed(RULE, 10, 0.04, Looks())
    assert float(found.error) == pytest.approx(0.2 / np.sqrt(10))
    assert float(found.limit) == pytest.approx(stats.t.isf(0.002, 9) * 0.2 / np.sqrt(10))


def test_where_all_groups_agree_the_least_gain_is_what_is_needed() -> None:
    assert float(needed(RULE, 30, 0.0, Looks()).limit) == 0.05


def test_a_spread_that_is_small_by_luck_is_not_believed_against_earlier_looks() -> None:
    earlier = Looks(10, 0.0, SD**2)
    assert float(needed(RULE, 8, 1e-6, earlier).error) > 0.9 * SD / np.sqrt(8)


def test_a_spread_that_is_larger_than_before_counts_in_full() -> None:
    assert float(needed(RULE, 8, 1.0, Looks(100, 0.0, SD**2)).error) == pytest.approx(1 / np.sqrt(8))


def test_a_champion_that_everybody_beats_must_be_beaten_by_more() -> None:
    alone, unlucky = (float(needed(RULE, 30, SD**2, Looks(50, mean, SD**2)).limit) for mean in (0.0, 0.02))
    assert unlucky > alone + 0.005


def test_however_unlucky_the_champion_a_gain_that_no_luck_explains_is_enough() -> None:
    far, farther = (float(needed(RULE, 30, SD**2, Looks(50, mean, SD**2)).limit) for mean in (0.3, 3.0))
    assert far == farther == pytest.approx(stats.t.isf(2.5e-5, 116) * SD / np.sqrt(30))


def test_looks_keep_means_of_all_looks() -> None:
    looks = Looks().after(0.1, 1.0).after(0.3, 3.0)
    assert (float(looks.count), float(looks.mean), float(looks.variance)) == pytest.approx((2, 0.2, 2.0))  # type: ignore[arg-type]


def test_a_gain_far_above_its_limit_is_claimed_whole_and_one_at_the_limit_hardly() -> None:
    found = needed(RULE, 30, SD**2, Looks())
    limit, error = float(found.limit), float(found.error)
    assert float(claimed(limit + 8 * error, found)) == pytest.approx(limit + 8 * error, rel=1e-6)
    assert float(claimed(limit * 1.001, found)) == 0.0


def test_the_claim_is_the_most_likely_gain_of_one_that_passed() -> None:
    found = needed(RULE, 30, SD**2, Looks())
    limit, error = float(found.limit), float(found.error)
    told = float(claimed(limit + error, found))
    drawn = np.random.default_rng(0).normal(told, error, 400_000)
    assert drawn[drawn > limit].mean() == pytest.approx(limit + error, abs=0.001)


def test_the_lower_end_covers_at_its_level() -> None:
    drawn = np.random.default_rng(0).normal(1.0, 0.5, (4000, 6))
    ends = np.array([lower_end(row.mean(), row.var(ddof=1), 6, 0.05) for row in drawn])
    assert (ends < 1.0).mean() == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("looks", [0, 99])
def test_power_on_thirty_groups(looks: int) -> None:
    assert power(RULE, 30, SD, 0.1, looks) >= 0.70
    assert power(RULE, 30, SD, 0.2, looks) >= 0.95


def test_groups_needed_and_visible_gain_answer_each_other() -> None:
    groups = groups_needed(RULE, SD, 0.1)
    assert groups is not None
    assert 20 < groups < 40
    assert visible_gain(RULE, groups, SD) <= 0.1 < visible_gain(RULE, groups - 1, SD)


def test_a_gain_below_the_least_one_is_never_seen() -> None:
    assert groups_needed(RULE, SD, 0.04) is None


@pytest.mark.parametrize("groups", [8, 30])
def test_an_equal_model_rarely_serves_in_thirty_nights(groups: int) -> None:
    rng, runs = np.random.default_rng(3), 1500
    champion, ever, looks = (
        rng.normal(0, SD / 2**0.5, (runs, groups)),
        np.zeros(runs, bool),
        Looks(np.zeros(runs)),
    )
    for _ in range(30):
        gains = rng.normal(0, SD / 2**0.5, (runs, groups)) - champion
        mean, variance = gains.mean(1), gains.var(1, ddof=1)
        ever |= mean > needed(RULE, groups, variance, looks).limit
        looks = looks.after(mean, variance)
    assert ever.mean() < 0.02


def test_a_decision_waits_for_no_library_of_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    away = np.linspace(-5.0, 8.0, 14)
    hazard = np.exp(stats.norm.logpdf(away) - stats.norm.logsf(away))
    bound, interval = 1 - stats.t.isf(0.05, 7) * 0.5, stats.t.isf(0.025, 4) * np.sqrt(2.5 / 5)
    monkeypatch.setitem(sys.modules, "scipy.stats", None)  # whose import takes half a second
    monkeypatch.delattr(scipy, "stats")
    assert lower_end(1.0, 2.0, 8, 0.05) == pytest.approx(bound)
    found = difference(np.arange(5.0), 0.95)
    assert found.high == pytest.approx(2.0 + interval)
    # The mean that claims a gain d is d + error · hazard: of an error of 1 and a limit of 9.
    limit = needed(Rule(least_gain=9.0), 8, 8.0, Looks())
    assert float(limit.error) == 1.0
    gains = float(limit.limit) - away
    kept = gains > 0
    assert claimed(gains + hazard, limit)[kept] == pytest.approx(gains[kept])
