"""Errors: one exit code a kind, and the nearest right name."""

from __future__ import annotations

import re

from components.core import errors


def kinds(root: type[errors.RefocusError]) -> list[type[errors.RefocusError]]:
    return [root, *(kind for below in root.__subclasses__() for kind in kinds(below))]


def test_every_kind_is_in_the_drawn_tree_with_its_exit_code() -> None:
    drawn = {
        match[1]: match[2]
        for match in re.finditer(r"[├└]── (\w+).*?(?:exit (\d))?$", errors.__doc__ or "", re.MULTILINE)
    }
    ours = [kind for kind in kinds(errors.RefocusError)[1:] if kind.__module__ == errors.__name__]
    assert {kind.__name__ for kind in ours} == set(drawn)
    for kind in ours:
        assert drawn[kind.__name__] in (None, str(kind.exit_code))


def test_input_errors_are_value_errors() -> None:
    assert issubclass(errors.RecipeError, ValueError)
    assert not issubclass(errors.ServiceError, ValueError)


def test_the_nearest_name_is_offered_only_when_near() -> None:
    assert errors.nearest("lerning_rate", ["learning_rate", "batch"]) == ' Did you mean "learning_rate"?'
    assert errors.nearest("q", ["learning_rate", "batch"]) == ""
