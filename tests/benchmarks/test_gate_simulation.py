"""The promises of the gate, by the simulation that docs/figures.md is made with, in few runs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from gate_nights import LEAST_GROUPS, ROTATE_AFTER, RULE, New, Today, World, first_wins, nights

from components.register.policy import GatePolicy

RUNS = 400


def test_the_simulated_rule_is_the_products_default() -> None:
    policy = GatePolicy()
    assert (policy.rule, policy.looks_per_set, policy.least_groups) == (RULE, ROTATE_AFTER, LEAST_GROUPS)


def test_todays_rule_promotes_an_equal_model_in_many_houses_within_a_month() -> None:
    assert (first_wins(Today, World(8), 30, 100, 1, None) <= 30).mean() > 0.3


@pytest.mark.parametrize(
    "world",
    [World(8), World(30), World(12, tails=4.0), World(12, uneven=True), World(8, wide=2.0)],
    ids=["8 groups", "30 groups", "heavy tails", "uneven photos", "a wide model now and then"],
)
def test_an_equal_model_hardly_ever_serves_within_a_month(world: World) -> None:
    assert (first_wins(New, world, 30, RUNS, 1, ROTATE_AFTER) <= 30).mean() <= 0.02


def test_below_the_least_groups_nobody_is_promoted() -> None:
    assert (first_wins(New, World(3), 30, RUNS, 1, None) > 30).all()


@pytest.mark.parametrize("night", [1, 40])
def test_a_tenth_of_a_decibel_is_seen_on_thirty_groups_on_any_night(night: int) -> None:
    for gain, least in ((0.1, 0.70), (0.2, 0.95)):
        *_, last = nights(New, World(30, steps={night: gain}), night, 1000, 1, ROTATE_AFTER)
        assert last.won.mean() >= least
        assert (last.claimed - last.true)[last.won].mean() <= 0.02


def test_a_truly_worse_model_does_not_serve() -> None:
    worse = np.zeros(RUNS, bool)
    for night in nights(New, World(12, trainings=0.03), 30, RUNS, 1, None):
        worse |= night.won & (night.true < 0)
    assert worse.mean() <= 0.005
