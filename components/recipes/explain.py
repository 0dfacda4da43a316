"""Turn pydantic's complaint about a recipe into a sentence: file, field, value, what is allowed,
the nearest right name.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from components.core.errors import nearest

SHOWN = 3


def explain(error: ValidationError, model: type[BaseModel], plain: Mapping[str, Any], file: str) -> str:
    """One paragraph for the first few of a recipe's errors.

    model: the settings that were to be read; plain: the YAML's content; file: where it stands.
    """
    details = _causes(error.errors(include_url=False))
    sentences = [_sentence(detail, model, plain) for detail in details[:SHOWN]]
    more = f"; and {len(details) - SHOWN} more" if len(details) > SHOWN else ""
    told = "; also ".join([*(sentence.removesuffix(".") for sentence in sentences[:-1]), sentences[-1]])
    return f"{file}: {told}{more}"


def _causes(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """The errors without those that another one brings about: defaults that wait for a sound field,
    a list that is short of a refused member.
    """
    places = [detail["loc"] for detail in details]
    return [
        detail
        for detail in details
        if detail["type"] != "default_factory_not_called"
        and not (
            detail["type"] == "too_short"
            and any(
                len(place) > len(detail["loc"]) and place[: len(detail["loc"])] == detail["loc"]
                for place in places
            )
        )
    ]


def _sentence(detail: ErrorDetails, model: type[BaseModel], plain: Mapping[str, Any]) -> str:
    path, parent, field = _walk(detail["loc"], model, plain)
    kind, context, value = detail["type"], detail.get("ctx", {}), _short(detail["input"])
    last = str(detail["loc"][-1]) if detail["loc"] else ""
    if kind == "extra_forbidden":
        allowed = _field_names(parent)
        return (
            f"{path} = {value} is not a setting; allowed here: {', '.join(allowed)}.{nearest(last, allowed)}"
        )
    if kind == "missing":
        return f"{path} is missing{_meaning(field)}"
    if kind == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in str(context["expected_tags"]).split(",")]
        return (
            f"{path}.{_word(context)} = {context['tag']!r} is none of"
            f" {', '.join(tags)}.{nearest(str(context['tag']), tags)}"
        )
    if kind == "union_tag_not_found":
        return f"{path}.{_word(context)} is missing; it says which of these it is: {', '.join(_tags(field))}"
    if kind in ("literal_error", "enum"):
        expected = str(context["expected"])
        options = [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]
        return f"{path} = {value} must be {expected}.{nearest(str(detail['input']), options)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{path} = {value} must be settings of its own{_settings_of(field)}{_meaning(field)}"
    said = (
        detail["msg"]
        .removeprefix("Value error, ")
        .replace("Input should be", "must be")
        .replace("Input should", "must")
    )
    if kind == "tuple_type":
        return (
            f"{path} = {value} must be a list, such as"
            f" [{', '.join([value] * _length(field))}]{_meaning(field)}"
        )
    said = (
        said.replace("Tuple should", "must").replace(" after validation, not", ", got")
        if kind in ("too_short", "too_long")
        else said
    )
    if kind == "value_error":
        return f"{path}: {said}" if path else said
    if kind in ("int_parsing", "float_parsing") and _is_number(str(detail["input"])):
        said += ", without quotes"
    said = said.replace("String should", "must")
    return f"{path} = {value}: {said}{_meaning(field)}"


def boolean_for_number(plain: object, made: object, path: str = "") -> str | None:
    """Where true or false was taken for a number: its path; None where all is well.

    plain: the YAML's content; made: the settings that were read of it.
    """
    if isinstance(plain, bool):
        return path if isinstance(made, int | float) and not isinstance(made, bool) else None
    if isinstance(plain, Mapping):
        below = [(f".{name}", value, _value_at(made, name)) for name, value in plain.items()]
    elif isinstance(plain, list) and isinstance(made, tuple | list):
        below = [(f"[{place}]", *both) for place, both in enumerate(zip(plain, made, strict=False))]
    else:
        return None
    found = (boolean_for_number(value, there, f"{path}{step}") for step, value, there in below)
    return next((each for each in found if each is not None), None)


def _value_at(made: object, name: str) -> object:
    if isinstance(made, BaseModel):
        fields = type(made).model_fields.items()
        return next((getattr(made, own) for own, field in fields if name in (own, field.alias)), None)
    return made.get(name) if isinstance(made, Mapping) else None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _settings_of(field: Any) -> str:
    """What may stand there instead of a bare value: the kinds of a union, or the names of the
    settings.
    """
    tags = _tags(field)
    if tags:
        return f", such as {{kind: {tags[0]}}}; the kinds are {', '.join(tags)}"
    names = _field_names(_members([getattr(field, "annotation", field)]))
    return f", such as {{{names[0]}: …}}; allowed there: {', '.join(names)}" if names else ""


def _length(field: Any) -> int:
    """How many values a list of a field has; 1 where any number will do."""
    arguments = get_args(getattr(field, "annotation", field))
    return 1 if Ellipsis in arguments else max(1, len(arguments))


def _word(context: Mapping[str, Any]) -> str:
    return str(context.get("discriminator", "kind")).strip("'")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _meaning(field: Any) -> str:
    said = getattr(field, "description", None)
    return f" (it is: {said})" if said else ""


def _walk(loc: Sequence[int | str], model: type[BaseModel], plain: object) -> tuple[str, list[Any], Any]:
    """Follow an error's place through the settings: gives its path in the YAML, the types that hold
    it, and its own field.

    pydantic puts the tag of a union's member into the place (train.generator.unet.width); it stands
    in no file, so it is left out.
    """
    kinds: list[Any] = [model]
    parents, field, path = kinds, None, ""
    for place, element in enumerate(loc):
        members = _members(kinds)
        tagged = [
            kind
            for kind in members
            if element == getattr(kind, "__name__", "") or (_is_model(kind) and element in _own_tags(kind))
        ]
        key_here = (
            isinstance(plain, Mapping) and element in plain and not (tagged and plain.get("kind") == element)
        )
        if isinstance(element, str) and tagged and not key_here and place < len(loc):
            kinds = tagged
            continue
        parents, field = members, _field_of(members, element)
        path += f"[{element}]" if isinstance(element, int) else (f".{element}" if path else str(element))
        plain = _below(plain, element)
        kinds = [kind for member in members for kind in _inside(member, element)]
    return path, parents, field if field is not None else (kinds[0] if kinds else None)


def _below(plain: object, element: int | str) -> object:
    if isinstance(plain, Mapping):
        return plain.get(element)
    if isinstance(plain, list) and isinstance(element, int) and element < len(plain):
        return plain[element]
    return None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _members(kinds: Sequence[Any]) -> list[Any]:
    """The plain types inside unions and annotations."""
    found: list[Any] = []
    for kind in kinds:
        origin = get_origin(kind)
        if origin is Annotated:
            found += _members([get_args(kind)[0]])
        elif origin in (Union, types.UnionType):
            found += _members(get_args(kind))
        else:
            found.append(kind)
    return found


def _inside(kind: Any, element: int | str) -> list[Any]:
    if _is_model(kind):
        field = _field_of([kind], element)
        return [field.annotation] if field is not None else []
    arguments = [argument for argument in get_args(kind) if argument is not ...]
    origin = get_origin(kind)
    if isinstance(element, int) and origin in (tuple, list) and arguments:
        return [arguments[min(element, len(arguments) - 1)]]
    return arguments[1:] if origin is dict else []


def _field_of(kinds: Sequence[Any], element: int | str) -> Any:
    for kind in kinds:
        if _is_model(kind):
            for name, field in kind.model_fields.items():
                if element in (name, field.alias):
                    return field
    return None


def _field_names(kinds: Sequence[Any]) -> list[str]:
    return [
        field.alias or name for kind in kinds if _is_model(kind) for name, field in kind.model_fields.items()
    ]


def _own_tags(kind: Any) -> tuple[Any, ...]:
    field = kind.model_fields.get("kind")
    return get_args(field.annotation) if field is not None and get_origin(field.annotation) is Literal else ()


def _tags(field: Any) -> list[str]:
    annotation = getattr(field, "annotation", field)
    found = [str(tag) for kind in _members([annotation]) if _is_model(kind) for tag in _own_tags(kind)]
    inner = [argument for argument in get_args(annotation) if argument is not ...]
    return found or [tag for argument in inner for tag in _tags(argument)]
