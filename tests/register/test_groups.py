"""What counts as one observation, when too few of them prove nothing, and which ones decide."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chain import METRIC, OTHER, score

from components.core.errors import LineageError
from components.core.records import PhotoScore
from components.metrics.differences import by_group, difference
from components.register.gate import GatePolicy, Measured, Verdict, decide
from components.register.proof import Looks

BETTER: Any = {METRIC: "higher", OTHER: "higher"}
POLICY = GatePolicy()


def rows(gains: list[float], *, frames: int = 1, group: bool = False, **rest: Any) -> Measured:
    """A group a gain, each of some pairs."""
    made = [
        score(f"{index:08x}{frame:08x}-00", gain).model_copy(
            update={"group": f"scene-{index}" if group else None, **rest}
        )
        for index, gain in enumerate(gains)
        for frame in range(frames)
    ]
    return Measured(scores=tuple(made), seconds_per_megapixel=1.0)


def judged(ours: list[float], theirs: list[float], **rest: Any) -> Verdict:
    return decide(POLICY, rows(ours), rows(theirs), BETTER, **rest)


def scattered(count: int, mean: float, sd: float = 0.13, seed: int = 0) -> list[float]:
    """Gains with exactly this mean and standard deviation."""
    drawn = np.random.default_rng(seed).standard_normal(count)
    drawn = (drawn - drawn.mean()) / drawn.std(ddof=1)
    return [float(value) for value in 1.0 + mean + sd * drawn]


def test_four_blurs_of_one_photo_count_as_one_photo() -> None:
    scores = [score(f"aaaa-{index:02d}", 1.0) for index in range(4)] + [score("bbbb-00", 3.0)]
    names, gains = by_group(scores, {row.pair: row.restored[METRIC] - 24.0 for row in scores}, "higher")
    assert (names, gains.tolist()) == (("aaaa", "bbbb"), pytest.approx([1.0, 3.0]))


def test_frames_of_a_scene_count_as_one_and_the_words_say_so() -> None:
    verdict = decide(POLICY, rows([1.0] * 11, frames=7, group=True), None, BETTER)
    assert "over 11 groups" in verdict.words


def test_where_lower_is_better_a_smaller_value_is_a_gain() -> None:
    assert by_group([score("a-00", 1.0)], {"a-00": -0.2}, "lower")[1].tolist() == [0.2]


def test_the_interval_of_equal_gains_is_that_gain() -> None:
    found = difference(np.full(5, 0.5), 0.95)
    assert (found.low, found.high) == (0.5, 0.5)


def test_the_interval_is_students() -> None:
    found = difference(np.array([0.1, 0.4, 0.5, 0.9, 1.6, 2.0]), 0.95)
    assert found.low == pytest.approx(0.9167 - 2.5706 * 0.7414 / 6**0.5, abs=1e-3)
    assert found.high == pytest.approx(2 * found.mean - (found.low or 0))


@pytest.mark.parametrize("groups", [1, 3, 7])
def test_below_the_least_number_of_groups_a_champion_is_never_replaced(groups: int) -> None:
    verdict = judged([9.0] * groups, [1.0] * groups)
    assert (verdict.outcome, verdict.passed) == ("not proved", False)
    assert verdict.words.startswith(f"not proved: {groups} group")
    assert f"at least 8 are needed before a champion is replaced: add {8 - groups} or more" in verdict.words


def test_frames_do_not_make_groups_enough() -> None:
    ours, theirs = (rows([gain] * 3, frames=50, group=True) for gain in (2.0, 1.0))
    assert decide(POLICY, ours, theirs, BETTER).outcome == "not proved"


def test_a_version_that_fails_the_floors_is_refused_however_few_the_groups() -> None:
    verdict = judged([-1.0] * 3, [1.0] * 3)
    assert verdict.outcome == "refused"
    assert verdict.words.startswith("refused: ")


def test_the_first_champion_is_provisional_and_one_that_was_proved_is_not() -> None:
    assert decide(POLICY, rows([1.0] * 3), None, BETTER).outcome == "provisional"
    assert judged([1.5] * 8, [1.0] * 8).outcome == "promoted"


def test_a_gain_below_the_least_one_is_no_promotion_however_sure() -> None:
    assert judged([1.04] * 30, [1.0] * 30).outcome == "refused"
    assert judged([1.06] * 30, [1.0] * 30).outcome == "promoted"


def test_a_gain_that_a_single_look_would_take_is_no_proof_after_many() -> None:
    ours, theirs = scattered(30, 0.08), [1.0] * 30
    assert judged(ours, theirs).passed is True
    unlucky = Looks(40, 0.04, 0.13**2)  # everybody beats this champion on these groups
    verdict = judged(ours, theirs, looks=unlucky)
    assert verdict.passed is False
    assert "that is no proof of being better: more than" in verdict.words


def test_the_claimed_gain_is_below_the_measured_one_near_the_limit() -> None:
    verdict = judged(scattered(30, 0.08), [1.0] * 30)
    claimed = float(verdict.words.split("of which ")[1].split()[0])
    assert 0 <= claimed < 0.08
    assert "is claimed, for it was selected" in verdict.words


def test_a_worn_test_set_asks_for_a_rotation() -> None:
    verdict = judged([2.0] * 10, [1.0] * 10, worn=250)
    assert verdict.outcome == "not proved"
    assert "was looked at 250 times of the 250 that it bears: rotate it" in verdict.words
    assert judged([2.0] * 10, [1.0] * 10, worn=249).outcome == "promoted"


def test_a_look_tells_what_the_next_one_needs() -> None:
    look = judged([1.5] * 4 + [2.5] * 4, [1.0] * 8).look
    assert look is not None
    assert (look.mean, look.variance, len(look.groups)) == (pytest.approx(1.0), pytest.approx(2 / 7), 8)
    assert decide(POLICY, rows([1.0] * 8), None, BETTER).look is None


def test_the_one_photo_that_decides_is_named() -> None:
    verdict = decide(POLICY, rows([0.01, 0.01, 6.0]), None, BETTER)
    assert "alone makes" not in verdict.words, "without it the mean is still above nothing"
    verdict = decide(POLICY, rows([-0.01, -0.01, 6.0]), None, BETTER)
    assert "group 0000000200000000 (+6) alone makes the difference: without it -0.01" in verdict.words


def test_a_photo_that_stands_in_the_way_of_a_proof_is_named() -> None:
    verdict = judged([1.2] * 11 + [-3.0], [1.0] * 12)
    assert verdict.passed is False
    assert "group 0000000b00000000 (-4) alone makes the difference: without it +0.2" in verdict.words


def test_pairs_that_are_left_out_are_counted_with_their_reasons_and_decide_nothing() -> None:
    blank = score("ffffffffffffffff-00", 90.0).model_copy(update={"left_out": "blank: nothing in it"})
    ours, theirs = rows([1.0] * 9), rows([1.0] * 9)
    ours = ours.model_copy(update={"scores": (*ours.scores, blank)})
    theirs = theirs.model_copy(update={"scores": (*theirs.scores, score(blank.pair, 0.0))})
    verdict = decide(POLICY, ours, theirs, BETTER)
    assert verdict.passed is False
    assert "psnr_rgb +0 (+0 to +0 over 9 groups) against the champion" in verdict.words
    assert "1 of 10 test pairs are left out of judging: 1 blank" in verdict.words


def test_a_test_set_of_nothing_but_blanks_judges_nobody() -> None:
    blanks = rows([9.0] * 3, left_out="blank: nothing in it")
    verdict = decide(POLICY, blanks, None, BETTER)
    assert verdict.outcome == "refused"
    assert "all 3 test pairs are left out of judging" in verdict.words


def test_figures_of_two_devices_are_not_compared() -> None:
    gpu, cpu = (
        rows([1.0] * 8).model_copy(update={"measured_on": place})
        for place in ("NVIDIA H100, IEEE float32", "CPU (x86_64), IEEE float32")
    )
    with pytest.raises(LineageError, match=r"measured on NVIDIA H100.*the champion on CPU"):
        decide(POLICY, gpu, cpu, BETTER)


def test_a_metric_that_got_worse_beyond_doubt_or_within_it_stands_in_the_way() -> None:
    def with_ssim(gains: list[float]) -> Measured:
        made = tuple(
            row.model_copy(update={"restored": {METRIC: 26.0, OTHER: 0.8 + gain}})
            for row, gain in zip(rows([2.0] * len(gains)).scores, gains, strict=True)
        )
        return Measured(scores=made, seconds_per_megapixel=1.0)

    champion: tuple[PhotoScore, ...] = rows([1.0] * 10).scores
    theirs = Measured(scores=champion, seconds_per_megapixel=1.0)
    calm = decide(POLICY, with_ssim([0.01] * 10), theirs, BETTER)
    assert calm.outcome == "promoted"
    noisy = decide(POLICY, with_ssim([0.02, 0.0] * 5), theirs, BETTER)
    assert [check.name for check in noisy.checks if not check.passed] == [
        f"no worse than the champion: {OTHER}"
    ]
