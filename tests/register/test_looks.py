"""Looks at a test set are counted with the registry, by test set and by champion."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from chain import Chain

from components.register.champion_checks import Look
from components.register.config import RegisterConfig
from components.register.run import run
from components.registry import looks
from components.services import tracking

pytestmark = pytest.mark.services

GROUPS = tuple(f"scene {number}" for number in range(12))


NUMBERS = count()


def note(name: str, champion: int, look: Look) -> None:
    """Count a look of a decision of its own."""
    looks.note(name, champion, looks.counted(look), f"decision {next(NUMBERS)}")


def look(groups: tuple[str, ...] = GROUPS, mean: float = 0.1, variance: float = 0.02) -> Look:
    return Look(groups=groups, mean=mean, variance=variance)


@pytest.fixture
def name(store: Path, chain: Chain, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A model in the registry."""
    made = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[:90]
    records = chain.recipe, chain.photoset, chain.pairset, chain.checkpoint, chain.report, chain.provenance
    run(RegisterConfig(name=made, load_test=False), *records, out=tmp_path)
    return made


def test_looks_are_counted_with_their_mean_gain_and_variance(name: str) -> None:
    assert looks.history(name, 1, GROUPS).worn == 0
    note(name, 1, look(mean=0.1, variance=0.02))
    note(name, 1, look(mean=0.3, variance=0.04))
    found = looks.history(name, 1, GROUPS)
    assert (found.worn, found.looks.count) == (2, 2)
    assert (found.looks.mean, found.looks.variance) == (pytest.approx(0.2), pytest.approx(0.03))
    assert looks.spread(name) == pytest.approx(0.03**0.5)


def test_another_champion_begins_anew_on_a_test_set_that_wears_out_all_the_same(name: str) -> None:
    note(name, 1, look())
    note(name, 2, look())
    found = looks.history(name, 2, GROUPS)
    assert (found.worn, found.looks.count) == (2, 1)
    assert looks.history(name, 1, GROUPS).looks.count == 1, "a rollback goes on counting"


@pytest.mark.parametrize("gone", [0, 3, 5])
def test_a_test_set_that_grew_or_shrank_a_little_is_the_same_one(name: str, gone: int) -> None:
    note(name, 1, look())
    left = GROUPS[gone:]
    assert looks.history(name, 1, left).worn == 1
    assert looks.history(name, 1, (*GROUPS, *(f"new {number}" for number in range(5)))).worn == 1


def test_a_rotated_test_set_is_a_new_one_and_the_old_one_stays_worn(name: str) -> None:
    note(name, 1, look())
    fresh = (*GROUPS[:4], *(f"rotated {number}" for number in range(12)))
    assert looks.history(name, 1, fresh).worn == 0
    note(name, 1, look(fresh))
    assert looks.history(name, 1, fresh).worn == 1
    assert looks.history(name, 1, GROUPS).worn == 1


def test_a_set_of_thousands_of_groups_fits_a_tag_and_is_known_again(name: str) -> None:
    many = tuple(f"photo {number}" for number in range(5000))
    for champion in range(1, 15):
        note(name, champion, look(many))
    assert looks.history(name, 14, many[:4000]).worn == 14
    tags = [text for key, text in tracking.model_tags(name).items() if key.startswith(looks.PREFIX)]
    assert [len(text) < 5000 for text in tags] == [True]


def test_a_tag_that_cannot_be_read_is_passed_over_and_never_overwritten(name: str) -> None:
    tracking.add_model_tags(name, {"looks.0001": "of another version"})
    note(name, 1, look())
    assert looks.history(name, 1, GROUPS).worn == 1
    assert tracking.model_tags(name)["looks.0001"] == "of another version"


def test_a_decision_that_is_carried_out_twice_is_counted_once(name: str) -> None:
    for _ in range(2):
        looks.note(name, 1, looks.counted(look()), "version 2 at noon")
    assert looks.history(name, 1, GROUPS).worn == 1
