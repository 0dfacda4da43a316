"""Settings as the atlas shows them: name, value as a recipe would have it, what it is, and whether
it is the recipe's own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import BaseModel

from components.core.parts import Part


@dataclass(frozen=True)
class Setting:
    """One field of a part."""

    name: str
    value: str
    about: str
    own: bool  # not the default


def settings_of(part: Part) -> tuple[Setting, ...]:
    """A part's fields but `kind` and `weight`, with their values as a recipe would have them."""
    usual = type(part)()
    return tuple(
        Setting(
            name,
            _value_words(getattr(part, name)),
            field.description or "",
            getattr(part, name) != getattr(usual, name),
        )
        for name, field in type(part).model_fields.items()
        if name not in ("kind", "weight")
    )


def _value_words(value: object) -> str:
    """A setting as it would stand in a recipe.

    >>> _value_words((0.5, 1.0)), _value_words(True), _value_words(None)
    ('[0.5, 1]', 'true', 'off')
    """
    match value:
        case None:
            return "off"
        case bool() | str():
            return json.dumps(value).strip('"')
        case int() | float():
            return f"{value:g}"
        case tuple():
            return f"[{', '.join(_value_words(each) for each in value)}]"
        case BaseModel():
            return ", ".join(
                f"{name} {_value_words(getattr(value, name))}" for name in type(value).model_fields
            )
    return str(value)
