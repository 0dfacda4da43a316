"""The last word of a person: asked, approved, rejected, too late, overtaken by another champion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chain import Chain
from house import BareHouse

from components.core.errors import InputError
from components.register.config import RegisterConfig
from components.registry import approval
from components.registry.history import history

pytestmark = pytest.mark.services

Build = Callable[..., BareHouse]


@pytest.fixture
def asking(store: Path, bare_chain: Chain, tmp_path: Path, request: pytest.FixtureRequest) -> Build:
    """A model whose versions a person has to approve."""

    def build(*gains: float) -> BareHouse:
        made = BareHouse(request.node.name.replace("_", "-")[:90], bare_chain, list(gains), tmp_path)
        made.config = RegisterConfig(name=made.name, load_test=False, approval="person")
        return made

    return build


@contextmanager
def later(hours: float) -> Iterator[None]:
    """What the block asks about the time of answers is asked so many hours later."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(hours=hours)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(approval, "datetime", Later)
        yield


def test_who_passes_the_gate_waits_and_nothing_moves(asking: Build) -> None:
    model = asking(1.0)
    decision = model.promote(1)
    assert (decision.action, decision.promoted, model.alias("champion")) == ("ask", False, None)
    assert decision.words.startswith("waits for a person until ")
    assert approval.seconds_left(decision) == pytest.approx(168 * 3600, abs=60)
    assert model.tags(1)["validation_status"] == "waiting"
    assert [version.number for version in approval.waiting(model.name)] == [1]


def test_who_fails_the_gate_is_refused_and_nobody_is_asked(asking: Build) -> None:
    model = asking(-1.0)
    assert model.promote(1).action == "promote"
    assert (model.audit(), approval.waiting(model.name)) == (["refuse"], ())


def test_asked_again_it_still_waits_and_is_not_measured_again(asking: Build) -> None:
    model = asking(1.0)
    first = model.promote(1)
    again = model.promote(1)
    assert (again.unchanged, again.expires_at, model.audit()) == (True, first.expires_at, ["ask"])


def test_an_approved_version_serves_and_the_record_says_who_and_why(asking: Build) -> None:
    model = asking(1.0, 1.5)
    for number in (1, 2):
        model.promote(number)
        approval.answer(model.name, number, approve=True, reason=f"looked at {number}", by="Ada")
    assert (model.alias("champion"), model.alias("previous")) == (2, 1)
    assert model.audit() == ["ask", "approve", "ask", "approve"]
    assert model.tags(2)["validation_status"] == "passed"
    assert model.tags(2)["promoted_by"] == "Ada"
    assert model.tags(2)["promoted_from"] == "1"
    last = history(model.name)[-1].decision
    assert last is not None
    assert (last.about["by"], last.reason, last.against) == ("Ada", "looked at 2", 1)
    assert last.words.startswith("approved by Ada (looked at 2): promoted over version 1: ")
    assert "Ada" in str(history(model.name)[-1])


def test_a_rejected_version_never_serves_by_itself(asking: Build) -> None:
    model = asking(1.0)
    model.promote(1)
    decision = approval.answer(model.name, 1, approve=False, reason="halos")
    assert (decision.promoted, model.alias("champion"), model.tags(1)["validation_status"]) == (
        False,
        None,
        "failed",
    )
    again = model.promote(1)
    assert (again.action, again.unchanged) == ("reject", True)
    assert model.audit() == ["ask", "reject"]


def test_the_same_answer_twice_is_one_decision_and_another_one_is_refused(asking: Build) -> None:
    model = asking(1.0)
    model.promote(1)
    approval.answer(model.name, 1, approve=True, reason="good")
    assert approval.answer(model.name, 1, approve=True, reason="good").unchanged
    with pytest.raises(InputError, match="version 1 waits for nobody"):
        approval.answer(model.name, 1, approve=False, reason="second thoughts")
    assert model.audit() == ["ask", "approve"]


def test_an_answer_needs_a_reason(asking: Build) -> None:
    model = asking(1.0)
    model.promote(1)
    with pytest.raises(InputError, match="a reason is needed"):
        approval.answer(model.name, 1, approve=True, reason="  ")


def test_a_yes_after_another_champion_came_moves_nothing_and_it_may_be_judged_again(asking: Build) -> None:
    model = asking(1.0, 1.2, 1.5)
    model.promote(1)
    approval.answer(model.name, 1, approve=True, reason="first")
    for number in (2, 3):
        model.promote(number)
    approval.answer(model.name, 3, approve=True, reason="sharper")
    late = approval.answer(model.name, 2, approve=True, reason="fine too")
    assert (late.action, late.promoted, model.alias("champion")) == ("lapse", False, 3)
    assert "but version 3 became champion meanwhile, and it was compared with version 1" in late.words
    assert late.words.endswith(f"to judge it again: refocus promote {model.name} 2")
    judged = model.promote(2)
    assert (judged.action, judged.against) == ("promote", 3)
    assert not judged.promoted
    assert not judged.unchanged


def test_an_answer_after_its_time_is_recorded_and_moves_nothing(asking: Build) -> None:
    model = asking(1.0)
    model.promote(1)
    with later(hours=169):
        late = approval.answer(model.name, 1, approve=True, reason="at last")
    assert (late.action, model.alias("champion"), model.tags(1)["validation_status"]) == (
        "lapse",
        None,
        "failed",
    )


def test_what_nobody_answered_lapses_and_may_be_asked_again(asking: Build) -> None:
    model = asking(1.0)
    model.promote(1)
    assert approval.lapse_old(model.name) == ()
    with later(hours=169):
        (lapsed,) = approval.lapse_old(model.name)
        assert "nobody answered until" in lapsed.words
        assert approval.lapse_old(model.name) == ()
    assert not model.promote(1).unchanged
    assert model.audit() == ["ask", "lapse", "ask"]


def test_a_recipe_that_asks_nobody_any_more_judges_again(asking: Build) -> None:
    model = asking(1.0)
    model.promote(1)
    model.config = RegisterConfig(name=model.name, load_test=False)
    assert model.promote(1).promoted
    assert model.audit() == ["ask", "promote"]
