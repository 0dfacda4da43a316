"""What a person types beside a decision: the model's name, a version's number, the reason. Each is
looked at before the registry is asked, and kept so that one decision is one line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from chain import Chain
from house import BareHouse

from components.core.errors import InputError, LineageError
from components.registry import approval, lineage
from components.registry.history import history
from components.registry.reasons import LONGEST, one_line
from components.registry.rollback import rollback
from components.services import tracking

Build = Callable[..., BareHouse]
TAKES_A_REASON: dict[str, Callable[[str], object]] = {
    "rollback": lambda reason: rollback("nobody", reason),
    "approve": lambda reason: approval.answer("nobody", 1, approve=True, reason=reason),
    "reject": lambda reason: approval.answer("nobody", 1, approve=False, reason=reason),
}
TAKES_A_NAME: dict[str, Callable[[str], object]] = {
    "rollback": lambda name: rollback(name, "because"),
    "history": history,
}
TAKES_A_NUMBER: dict[str, Callable[[int], object]] = {
    "get_version": lambda number: tracking.get_version("nobody", number),
    "resolve": lambda number: lineage.resolve(f"nobody:{number}"),
    "answer": lambda number: approval.answer("nobody", number, approve=True, reason="because"),
}


@pytest.fixture
def house(store: Path, bare_chain: Chain, tmp_path: Path, request: pytest.FixtureRequest) -> Build:
    """Make a model, named after the test, of versions with these gains."""
    name = re.sub(r"[^a-z]+", "-", request.node.name.lower())[-60:].strip("-")
    return lambda *gains: BareHouse(name, bare_chain, list(gains), tmp_path)


@pytest.mark.parametrize("command", TAKES_A_REASON)
@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("", "a reason is needed"),
        (" \n\t\x1b", "a reason is needed"),
        ("x" * (LONGEST + 1), f"has {LONGEST + 1} characters, at most {LONGEST} are kept"),
    ],
    ids=["empty", "nothing printable", "too long"],
)
def test_a_reason_that_cannot_be_kept_is_told_before_the_registry_is_asked(
    store: Path, command: str, reason: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        TAKES_A_REASON[command](reason)


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("halos\r\n at\tnight", "halos at night"),
        ("\x1b[31mred\x1b[0m\x07", "[31mred [0m"),
        ("b\udcff", r"b\xff"),
        ('🙂 gr\u00fcn "q" {b} %s', '🙂 gr\u00fcn "q" {b} %s'),
    ],
    ids=["lines", "orders to a terminal", "no text", "letters"],
)
def test_a_text_becomes_one_line_without_orders_to_a_terminal(reason: str, kept: str) -> None:
    assert one_line(reason) == kept
    assert one_line(kept) == kept


def test_a_reason_is_kept_as_one_line_and_is_the_same_when_given_again(house: Build) -> None:
    model = house(0.5, 1.0)
    model.promote(1)
    model.promote(2)
    reason, kept = "halos\n\x1b[31mat night \udcff", r"halos [31mat night \xff"
    decision = rollback(model.name, reason)
    assert decision.reason == kept
    assert model.tags(2)["rollback.reason"] == kept
    assert str(history(model.name)[-1]).endswith(f": {kept}")
    assert rollback(model.name, reason).unchanged


@pytest.mark.parametrize("command", TAKES_A_NAME)
@pytest.mark.parametrize("name", ["demo@champion", "demo:3", "demo/3", "demo' or name like '%", "demo\n"])
def test_a_version_where_a_name_stands_alone_is_told_with_the_name(
    store: Path, command: str, name: str
) -> None:
    with pytest.raises(InputError, match=r"is no model's name; here it stands alone, .*: demo$"):
        TAKES_A_NAME[command](name)


@pytest.mark.parametrize("command", TAKES_A_NUMBER)
@pytest.mark.parametrize("number", [0, 2**31, 10**30], ids=["none", "too large", "far too large"])
def test_a_number_that_no_version_has_is_told_as_that(store: Path, command: str, number: int) -> None:
    with pytest.raises(LineageError, match=rf"has no nobody version {number};"):
        TAKES_A_NUMBER[command](number)


def test_a_mistyped_name_is_told_with_the_nearest_of_the_registry(house: Build) -> None:
    model = house(1.0)
    model.promote(1)
    mistyped = f"{model.name}x"
    for ask in (lambda: rollback(mistyped, "because"), lambda: lineage.resolve(mistyped)):
        with pytest.raises(LineageError, match=rf'Did you mean "{model.name}"\?'):
            ask()
