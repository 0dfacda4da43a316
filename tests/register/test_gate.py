from __future__ import annotations

from typing import Any

import pytest
from chain import METRIC, OTHER, score

from components.core.errors import LineageError
from components.core.records import PhotoScore
from components.register.gate import Check, GatePolicy, Measured, Verdict, decide

BETTER: Any = {METRIC: "higher", OTHER: "higher", "lpips_alex": "lower"}
POLICY = GatePolicy()


def measured(*gains: float, **rest: Any) -> Measured:
    """One photo a gain, over doing nothing."""
    return Measured(
        scores=tuple(score(f"{index:016x}-00", gain, **rest) for index, gain in enumerate(gains)),
        seconds_per_megapixel=1.0,
    )


def failed(verdict: Verdict) -> list[str]:
    return [check.name for check in verdict.checks if not check.passed]


def named(verdict: Verdict, name: str) -> Check:
    return next(check for check in verdict.checks if check.name == name)


SIX_BETTER = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
CASES: list[tuple[str, Measured, Measured | None, list[str]]] = [
    ("better than nothing, no champion", measured(*SIX_BETTER), None, []),
    ("as good as nothing", measured(*[0.0] * 6), None, [f"better than doing nothing: {METRIC}"]),
    (
        "better on average by luck of one photo",
        measured(-0.1, -0.1, -0.1, -0.1, -0.1, 1.0),
        None,
        [f"better than doing nothing: {METRIC}", f"no worse than doing nothing: {OTHER}"],
    ),
    ("few photos: the mean decides", measured(-0.1, 1.0), None, []),
    (
        "worse than nothing on both",
        measured(*[-1.0] * 6),
        None,
        [f"better than doing nothing: {METRIC}", f"no worse than doing nothing: {OTHER}"],
    ),
    ("output runs far out of range", measured(*SIX_BETTER, high=2.0), None, ["output range"]),
    ("output runs far below range", measured(*SIX_BETTER, low=-0.6), None, ["output range"]),
    ("output a little out of range", measured(*SIX_BETTER, low=-0.4, high=1.4), None, []),
    ("not finite", measured(*SIX_BETTER, finite=False), None, ["finite output"]),
    ("better than the champion", measured(*[1.5] * 8), measured(*[1.0] * 8), []),
    (
        "identical to the champion",
        measured(*SIX_BETTER, 1.1, 1.2),
        measured(*SIX_BETTER, 1.1, 1.2),
        [f"better than the champion: {METRIC}"],
    ),
    (
        "worse than the champion",
        measured(*[1.0] * 8),
        measured(*[1.5] * 8),
        [
            f"better than the champion: {METRIC}",
            f"no worse than the champion on mild blur: {METRIC}",
            f"no worse than the champion: {OTHER}",
        ],
    ),
    ("the champion is broken: floors only", measured(*SIX_BETTER), measured(*SIX_BETTER, finite=False), []),
]


@pytest.mark.parametrize(
    ("candidate", "champion", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_the_gate_fails_these_checks_and_no_others(
    candidate: Measured, champion: Measured | None, wanted: list[str]
) -> None:
    verdict = decide(POLICY, candidate, champion, BETTER)
    assert sorted(failed(verdict)) == sorted(wanted)
    assert verdict.passed is (not wanted)
    assert verdict.words.startswith("refused: " if wanted else "promoted: ")


def test_a_gain_must_be_greater_than_the_least_one() -> None:
    assert decide(GatePolicy(min_gain=0.5), measured(*[0.5] * 6), None, BETTER).passed is False
    assert decide(GatePolicy(min_gain=0.49), measured(*[0.5] * 6), None, BETTER).passed is True


def test_too_few_test_photos_are_refused() -> None:
    assert failed(decide(GatePolicy(min_test_photos=7), measured(*SIX_BETTER), None, BETTER)) == [
        "enough test photos"
    ]


def test_a_model_over_its_time_is_refused_with_both_figures() -> None:
    verdict = decide(GatePolicy(max_seconds_per_megapixel=0.9), measured(*SIX_BETTER), None, BETTER)
    assert failed(verdict) == ["time per megapixel"]
    assert "1 s per megapixel, 0.9 allowed" in verdict.words


def test_the_same_figures_give_the_same_verdict() -> None:
    assert decide(POLICY, measured(*[1.0] * 9), measured(*[0.2] * 9), BETTER) == decide(
        POLICY, measured(*[1.0] * 9), measured(*[0.2] * 9), BETTER
    )


def test_a_loss_on_strong_blur_is_refused_though_the_whole_is_better() -> None:
    kinds = ["mild"] * 9 + ["strong"]
    rows = [
        score(f"{index:016x}-00", 1.0 if kind == "mild" else 0.0, kind=kind)
        for index, kind in enumerate(kinds)
    ]
    base = [score(f"{index:016x}-00", 0.3, kind=kind) for index, kind in enumerate(kinds)]
    verdict = decide(
        POLICY,
        Measured(scores=tuple(rows), seconds_per_megapixel=1),
        Measured(scores=tuple(base), seconds_per_megapixel=1),
        BETTER,
    )
    assert failed(verdict) == [f"no worse than the champion on strong blur: {METRIC}"]
    assert named(verdict, f"no worse than the champion on strong blur: {METRIC}").value == pytest.approx(-0.3)


def test_other_pairs_than_the_champions_are_refused() -> None:
    with pytest.raises(LineageError, match="other pairs \\(1 differ\\)"):
        decide(POLICY, measured(1, 1, 1), measured(1, 1), BETTER)


def test_a_champion_measured_by_other_code_is_refused() -> None:
    with pytest.raises(LineageError, match="were not measured alike"):
        decide(POLICY, measured(1.0, psnr=24.0), measured(1.0, psnr=24.1), BETTER)


def test_no_rows_are_refused() -> None:
    with pytest.raises(LineageError, match="no test pair"):
        decide(POLICY, measured(), None, BETTER)


def test_a_primary_metric_nobody_measured_is_refused_with_the_nearest() -> None:
    with pytest.raises(LineageError, match='Did you mean "psnr_rgb"'):
        decide(GatePolicy(primary="psnr_rgbb"), measured(1.0), None, BETTER)


def test_a_metric_that_no_version_knows_is_refused() -> None:
    with pytest.raises(LineageError, match="which no metric of this version is called"):
        decide(POLICY, measured(1.0), None, {METRIC: "higher"})


def test_nan_among_the_figures_is_not_finite_output() -> None:
    row = score("a-00", 1.0)
    broken = PhotoScore.model_construct(**{**row.__dict__, "restored": {METRIC: float("nan"), OTHER: 0.8}})
    verdict = decide(
        POLICY, Measured.model_construct(scores=(broken,), seconds_per_megapixel=1.0), None, BETTER
    )
    assert failed(verdict) == ["finite output"]
    assert "1 of 1 test photos came out with NaN or infinity, such as a-00" in verdict.words


def test_a_metric_missing_from_one_row_is_not_finite_output() -> None:
    row = score("a-00", 1.0).model_copy(update={"restored": {METRIC: 25.0}})
    assert failed(decide(POLICY, Measured(scores=(row,), seconds_per_megapixel=1.0), None, BETTER)) == [
        "finite output"
    ]


def test_the_words_of_a_first_promotion() -> None:
    words = decide(POLICY, measured(*[1.0] * 6), None, BETTER).words
    assert (
        words
        == "promoted: psnr_rgb +1 (+1 to +1 over 6 groups) against doing nothing; no champion serves yet, so"
        " the floors alone decide; provisional until a version is proved better"
    )


def test_the_words_say_when_photos_are_too_few_for_an_interval() -> None:
    assert (
        "psnr_rgb +1 (mean of 2 groups, too few for an interval) against doing nothing"
        in decide(POLICY, measured(1.0, 1.0), None, BETTER).words
    )


@pytest.mark.parametrize(
    ("targets", "wanted"),
    [
        ({METRIC: 20.0}, []),
        ({METRIC: 99.0}, [f"target: {METRIC}"]),
        ({OTHER: 99.0, METRIC: 20.0}, [f"target: {OTHER}"]),
        ({"lpips_alex": 0.1}, ["target: lpips_alex"]),
    ],
)
def test_a_target_that_is_missed_or_was_not_measured_refuses_in_words(
    targets: dict[str, float], wanted: list[str]
) -> None:
    verdict = decide(GatePolicy(targets=targets), measured(*SIX_BETTER), None, BETTER)
    assert failed(verdict) == wanted
    for name in wanted:
        assert f"{targets[name.removeprefix('target: ')]:g}" in named(verdict, name).words
        assert name.removeprefix("target: ") in verdict.words


def test_a_target_is_a_ceiling_where_lower_is_better() -> None:
    better = BETTER | {METRIC: "lower"}
    policy = GatePolicy(targets={METRIC: 20.0})
    check = named(decide(policy, measured(*SIX_BETTER), None, better), f"target: {METRIC}")
    assert not check.passed
    assert "at most 20" in check.words


def test_without_targets_a_gates_settings_are_what_they_were() -> None:
    assert "targets" not in GatePolicy().model_dump()
