from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from chain import Chain, make_chain
from house import House

from components.core.errors import BusyError, InputError, LineageError
from components.core.records import PairSet, PhotoScore
from components.register.config import RegisterConfig
from components.register.policy import GatePolicy
from components.registry import enact, looks, measured
from components.registry.decision import Decision
from components.registry.promotion import promote
from components.registry.rollback import rollback
from components.services import tracking

pytestmark = pytest.mark.services


Build = Callable[..., House]


@pytest.fixture(scope="session")
def chains(tmp_path_factory: pytest.TempPathFactory) -> list[Chain]:
    """Three checkpoints on the same pairs."""
    return [make_chain(tmp_path_factory.mktemp(f"chain-{seed}"), seed=seed) for seed in (11, 12, 13)]


@pytest.fixture
def house(store: Path, chains: list[Chain], tmp_path: Path, request: pytest.FixtureRequest) -> Build:
    """Registers one version a gain, under the test's own name."""

    def build(*gains: float) -> House:
        return House(request.node.name.replace("_", "-")[:90], chains, list(gains), tmp_path)

    return build


def test_the_first_good_version_becomes_champion_on_the_floors(house: Build) -> None:
    model = house(1.0)
    decision = model.promote(1)
    assert (decision.promoted, decision.against, decision.unchanged) == (True, None, False)
    assert (model.alias("champion"), model.alias("previous")) == (1, None)
    assert model.tags(1)["validation_status"] == "passed"
    assert model.tags(1)["promoted_from"] == "none"
    assert model.measured == []


def test_a_first_champion_is_marked_provisional_and_its_successor_is_not(house: Build) -> None:
    model = house(1.0, 1.5)
    assert model.promote(1).words.endswith("provisional until a version is proved better")
    assert model.promote(2).outcome == "promoted"
    assert (model.tags(1)["provisional"], model.tags(2)["provisional"]) == ("true", "false")


def test_every_comparison_with_a_champion_is_a_look_and_a_question_asked_again_is_none(house: Build) -> None:
    model = house(1.0, 1.01, 1.02)
    groups = [pair.id.split("-")[0] for pair in model.pairset.pairs("test")]
    model.promote(1)
    assert looks.history(model.name, 1, groups).worn == 0
    for number in (2, 3, 2, 3):
        model.promote(number)
    found = looks.history(model.name, 1, groups)
    assert (found.worn, found.looks.count, found.looks.mean) == (2, 2, pytest.approx(0.015))


def test_a_test_set_that_is_worn_promotes_nobody(house: Build) -> None:
    model = house(1.0, 1.01, 1.5)
    model.config = RegisterConfig(name=model.name, load_test=False, gate=GatePolicy(looks_per_set=1))
    for number in (1, 2):
        model.promote(number)
    decision = model.promote(3)
    assert (decision.promoted, decision.outcome) == (False, "not proved")
    assert "was looked at 1 times of the 1 that it bears: rotate it" in decision.words
    assert model.alias("champion") == 1


def test_a_version_that_does_not_beat_doing_nothing_is_refused(house: Build) -> None:
    model = house(-1.0)
    decision = model.promote(1)
    assert decision.promoted is False
    assert decision.words.startswith("refused: psnr_rgb -1 (-1 to -1 over 8 groups) against doing nothing")
    assert (model.alias("champion"), model.tags(1)["validation_status"], model.audit()) == (
        None,
        "failed",
        ["refuse"],
    )


def test_a_better_version_takes_over_and_the_old_champion_is_previous(house: Build) -> None:
    model = house(1.0, 1.5)
    model.promote(1)
    decision = model.promote(2)
    assert decision.words.startswith("promoted over version 1: ")
    assert (model.alias("champion"), model.alias("previous")) == (2, 1)
    assert model.tags(2)["promoted_from"] == "1"
    assert "demoted_at" in model.tags(1)
    assert model.audit() == ["promote", "promote"]


def test_the_same_question_is_answered_from_the_record(house: Build) -> None:
    model = house(1.0, 1.5, 0.5)
    first = [model.promote(number) for number in (1, 2, 3)]
    assert [decision.promoted for decision in first] == [True, True, False]
    measured = list(model.measured)
    again = [model.promote(number) for number in (2, 3)]
    assert [decision.unchanged for decision in again] == [True, True]
    assert again[0].told.startswith(f"decided at {again[0].about['at']}, and nothing has changed since: ")
    assert [decision.words for decision in again] == [decision.words for decision in first[1:]]
    assert model.measured == measured == [1, 2]
    assert model.audit() == ["promote", "promote", "refuse"]


def test_a_new_champion_makes_it_a_new_question(house: Build) -> None:
    model = house(1.0, 0.5, 1.5)
    for number in (1, 2, 3):
        model.promote(number)
    assert model.promote(2).unchanged is False
    assert model.measured == [1, 1, 3]


def test_a_champion_that_changes_while_measuring_is_measured_again(house: Build) -> None:
    model = house(1.0, 1.2, 1.5)
    model.promote(1)

    def disturbed(
        champion: tracking.Version, pairset: PairSet, metrics: tuple[str, ...]
    ) -> tuple[PhotoScore, ...]:
        scores = model.measure(champion, pairset, metrics)
        tracking.set_alias(model.name, "champion", 2)
        return scores

    decision = model.promote(3, disturbed)
    assert (decision.promoted, decision.against) == (True, 2)
    assert model.measured == [1, 2]
    assert (model.alias("champion"), model.alias("previous")) == (3, 2)


def test_a_champion_that_keeps_changing_stops_the_promotion(house: Build) -> None:
    model = house(1.0, 1.2, 1.5)
    model.promote(1)

    def restless(
        champion: tracking.Version, pairset: PairSet, metrics: tuple[str, ...]
    ) -> tuple[PhotoScore, ...]:
        scores = model.measure(champion, pairset, metrics)
        tracking.set_alias(model.name, "champion", 3 - champion.number)
        return scores

    with pytest.raises(BusyError, match="changed twice"):
        model.promote(3, restless)
    assert model.alias("champion") == 1
    assert model.tags(3)["validation_status"] == "pending"


def test_a_crash_between_the_two_aliases_is_repaired_by_promoting_again(house: Build) -> None:
    model = house(1.0, 1.5)
    model.promote(1)
    tracking.set_alias(model.name, "previous", 1)  # what a crash after the first of the two leaves
    assert model.promote(2).promoted is True
    assert (model.alias("champion"), model.alias("previous")) == (2, 1)


def test_a_crash_between_the_alias_and_its_tags_is_repaired_without_measuring(
    house: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = house(1.0, 1.5)
    model.promote(1)

    def crash(decision: Decision) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(enact, "_finish", crash)
        with pytest.raises(KeyboardInterrupt):
            model.promote(2)
    assert (model.alias("champion"), model.tags(2)["validation_status"]) == (2, "pending")
    assert model.promote(2).promoted is True
    assert (model.tags(2)["validation_status"], model.tags(2)["promoted_from"]) == ("passed", "1")
    assert model.audit() == ["promote", "promote"]
    assert model.measured == [1]


def test_a_rollback_brings_the_previous_champion_back_with_its_reason(house: Build) -> None:
    model = house(1.0, 1.5)
    model.promote(1)
    model.promote(2)
    decision = rollback(model.name, "colours shift at night")
    assert decision.words == "rolled back from version 2 to version 1: colours shift at night"
    assert model.alias("champion") == 1
    assert (model.tags(2)["rolled_back"], model.tags(2)["rollback.reason"]) == (
        "true",
        "colours shift at night",
    )
    assert model.audit() == ["promote", "promote", "rollback"]


def test_a_version_rolled_back_is_never_promoted_by_itself(house: Build) -> None:
    model = house(1.0, 1.5)
    model.promote(1)
    model.promote(2)
    rollback(model.name, "colours shift")
    decision = model.promote(2)
    assert (decision.promoted, decision.unchanged) == (False, True)
    assert "was rolled back (colours shift)" in decision.words
    assert model.alias("champion") == 1
    assert model.measured == [1]


def test_a_person_may_bring_a_rolled_back_version_back(house: Build) -> None:
    model = house(1.0, 1.5)
    model.promote(1)
    model.promote(2)
    rollback(model.name, "a mistake")
    rollback(model.name, "it was no mistake", to=2)
    assert (model.alias("champion"), model.tags(2)["rolled_back"]) == (2, "false")


def test_a_second_rollback_goes_one_further_back(house: Build) -> None:
    model = house(1.0, 1.5, 2.0)
    for number in (1, 2, 3):
        model.promote(number)
    rollback(model.name, "first")
    rollback(model.name, "second")
    assert model.alias("champion") == 1
    with pytest.raises(LineageError, match="no previous champion to go back to"):
        rollback(model.name, "third")


def test_a_rollback_after_a_promotion_cut_short_finds_the_champion_before(house: Build) -> None:
    model = house(1.0, 1.5)
    model.promote(1)
    model.promote(2)
    tracking.set_alias(model.name, "previous", 2)  # a third promotion was cut short here
    rollback(model.name, "blurrier")
    assert model.alias("champion") == 1


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_rollback_needs_a_reason(reason: str) -> None:
    with pytest.raises(InputError, match="a reason is needed"):
        rollback("anything", reason)


def test_a_rollback_without_a_champion_says_so(store: Path) -> None:
    with pytest.raises(LineageError, match="has no champion"):
        rollback("nobody", "because")


def test_a_rollback_to_a_version_that_never_passed_is_refused(house: Build) -> None:
    model = house(1.0, 0.5)
    model.promote(1)
    model.promote(2)
    with pytest.raises(LineageError, match=r"version 2 .* never passed the gate"):
        rollback(model.name, "because", to=2)


def test_a_report_for_another_checkpoint_is_refused(house: Build) -> None:
    model = house(1.0, 1.5)
    with pytest.raises(LineageError, match="the report's checkpoint"):
        promote(model.config, model.pairset, model.reports[1], model.versions[0], measure=model.measure)


def test_the_champion_is_measured_with_its_own_weights_and_only_once(house: Build, store: Path) -> None:
    model = house(1.0, 1.0)
    model.promote(1)
    measure = partial(measured.scores_of, tile_px=1024)
    champion = tracking.get_version(model.name, 1)
    scores = measure(champion, model.pairset, ("psnr_rgb",))
    assert [row.pair for row in scores] == [pair.id for pair in model.pairset.pairs("test")]
    assert all(row.restored != row.do_nothing for row in scores)
    files = list((store / "measured").iterdir())
    assert measure(champion, model.pairset, ("psnr_rgb",)) == scores
    assert list((store / "measured").iterdir()) == files
    for file in files:
        file.unlink()
    # Their seconds are those of the first time: a machine with nothing of its own has measured nothing.
    assert measure(champion, model.pairset, ("psnr_rgb",)) == scores
