from __future__ import annotations

from pathlib import Path

import pytest
from chain import Chain

from components.core.errors import LineageError
from components.register.champion_checks import Look
from components.register.config import RegisterConfig
from components.register.policy import GatePolicy
from components.register.run import run
from components.registry import looks
from components.registry.power import Spread, report_power, told

SPREAD = Spread(0.13, "as given")


def test_too_few_groups_are_said_with_how_many_to_add() -> None:
    lines = told(GatePolicy(), 3, SPREAD, 0)
    assert "never replaced with fewer than 8 groups; add 5 or more to the test photos" in lines[2]


def test_thirty_groups_see_a_tenth_of_a_decibel() -> None:
    lines = told(GatePolicy(), 30, SPREAD, 12)
    assert "looked at 12 times of 250" in lines[0]
    assert "a gain of +0.10 dB in 80 of 100 cases" in lines[2]
    assert lines[3].startswith("to see +0.10 dB 28 groups, which are there")


def test_what_is_missing_to_a_tenth_of_a_decibel_is_counted() -> None:
    assert "28 groups, 16 more than there are" in told(GatePolicy(), 12, SPREAD, 0)[3]


def test_a_least_gain_above_what_is_asked_for_is_said() -> None:
    assert (
        "register.gate.least_gain is +0.20 dB; lower it" in told(GatePolicy(least_gain=0.2), 30, SPREAD, 0)[3]
    )


@pytest.mark.services
def test_the_spread_is_the_demos_until_versions_were_compared(
    store: Path, chain: Chain, tmp_path: Path
) -> None:
    config = RegisterConfig(name="power-of-a-test-set", load_test=False)
    records = chain.recipe, chain.photoset, chain.pairset, chain.checkpoint, chain.report, chain.provenance
    run(config, *records, out=tmp_path)
    assert "0.13 dB between two trainings on one group, that of five seeds of the demo" in "\n".join(
        report_power(config, chain.report)
    )
    look = looks.counted(Look(groups=("a", "b"), mean=0.0, variance=0.25))
    looks.note(config.name, 1, look, "version 2")
    assert "0.50 dB between two trainings on one group, measured" in "\n".join(
        report_power(config, chain.report)
    )
    other = RegisterConfig(name="nobody", load_test=False, gate=GatePolicy(primary="ssim_gauss11_rgb"))
    with pytest.raises(LineageError, match="no two versions of nobody were compared yet"):
        report_power(other, chain.report)
