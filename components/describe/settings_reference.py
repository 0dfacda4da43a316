"""Every setting of a recipe as YAML with its meaning: docs/settings.md, made from the settings'
classes.

    python -m components.describe.settings_reference     # writes it anew; a test compares
"""

from __future__ import annotations

import json
import textwrap
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components import recipes
from components.core.files import write_text

PAGE = Path("docs") / "settings.md"
WIDTH, INDENT = 100, 28  # columns of a line, and where meanings begin
HEAD = """# Every setting

Made from the settings' classes (`python -m components.describe.settings_reference`). Each block
shows a part of a recipe with its defaults; a setting that has none stands as in one of the recipes
and says so. [recipes.md](recipes.md) tells how to use them."""
SYMBOLS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True)
class Entry:
    """One class of settings, where it was met first and what it holds."""

    place: str  # synthesize.camera.noise
    kind: type[BaseModel]
    below: tuple[Entry, ...] = field(default=(), compare=False)

    @property
    def title(self) -> str:
        tag = self.kind.model_fields.get("kind")
        options = get_args(tag.annotation) if tag is not None else ()
        return f"{self.place}: {options[0]}" if options else self.place


def entries() -> list[Entry]:
    """Every class of settings that a recipe may hold, once, in the order of a recipe."""
    met: set[type[BaseModel]] = set()

    def walk(place: str, kind: type[BaseModel]) -> Iterator[Entry]:
        if kind in met:
            return
        met.add(kind)
        yield Entry(place, kind)
        for name, info in kind.model_fields.items():
            for inner in settings_in(info.annotation):
                yield from walk(f"{place}.{info.alias or name}".removeprefix("recipe."), inner)

    return list(walk("recipe", recipes.Recipe))


def settings_in(annotation: Any) -> list[type[BaseModel]]:
    """The classes of settings that an annotation allows, through unions, lists and mappings."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    arguments = get_args(annotation)
    inner = arguments[:1] if get_origin(annotation) is Annotated else arguments
    return [found for each in inner for found in settings_in(each)]


def reference() -> str:
    """The whole page: a heading, a sentence and a block of YAML for each class."""
    examples = _examples()
    parts = [HEAD]
    for entry in entries():
        lines = [
            line
            for name, info in entry.kind.model_fields.items()
            for line in _lines(info.alias or name, info, examples.get((entry.kind, name)))
        ]
        about = textwrap.fill(first_paragraph(entry.kind), WIDTH, break_on_hyphens=False)
        parts.append("\n".join([f"## {entry.title}", "", about, "", "```yaml", *lines, "```"]))
    return "\n\n".join(parts) + "\n"


def first_paragraph(kind: type[BaseModel]) -> str:
    """What a class of settings says it is, in one line."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def _examples() -> dict[tuple[type[BaseModel], str], Any]:
    """A value for each setting, out of the recipes: what a required one may look like."""
    found: dict[tuple[type[BaseModel], str], Any] = {}

    def look(part: Any) -> None:
        if isinstance(part, BaseModel):
            for name in type(part).model_fields:
                value = getattr(part, name)
                found.setdefault((type(part), name), value)
                look(value)
        elif isinstance(part, tuple | list):
            for each in part:
                look(each)

    for name in ("demo", *recipes.names()):
        look(recipes.load(name))
    return found


def _lines(name: str, info: FieldInfo, example: Any) -> list[str]:
    """A setting as YAML, its meaning beside it, and below it where it is long."""
    inner, required, options = settings_in(info.annotation), info.is_required(), _options(info)
    value = example if required else _default(info, example)
    head = f"{name}: {_shown(options[0] if required and value is None and options else value, inner)}"
    words = [info.description.removesuffix(".")] if info.description else []
    words += [f"one of {', '.join(options)}"] if len(options) > 1 else []
    words += [" and ".join(_bounds(info))] if _bounds(info) else []
    words += ["no default"] if required and not inner else []
    told = textwrap.wrap("; ".join(words), WIDTH - INDENT - 2, break_on_hyphens=False)
    if len(head) > INDENT - 2:
        whole = textwrap.wrap(head, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        return [*whole, *(" " * INDENT + f"# {line}" for line in told)]
    first, *rest = told or [""]
    beside = f"{head:<{INDENT}}# {first}" if first else head
    return [beside, *(" " * INDENT + f"# {line}" for line in rest)]


def _default(info: FieldInfo, example: Any) -> Any:
    """A setting's default; where it hangs on other settings, what a recipe came to."""
    if info.default_factory is None:
        return info.default
    return (
        example if info.default_factory_takes_validated_data else info.get_default(call_default_factory=True)
    )


def _shown(value: Any, inner: Sequence[type[BaseModel]]) -> str:
    """A value as YAML, in one line; settings of their own by their kinds."""
    if inner and value is not None and not (isinstance(value, tuple | list | dict) and not value):
        kinds = [
            get_args(kind.model_fields["kind"].annotation)[0] for kind in inner if "kind" in kind.model_fields
        ]
        many = isinstance(value, tuple | list)
        some = f"{{kind: {' | '.join(kinds)}}}" if kinds else "{…}"
        return f"[{some}]" if many else some
    if isinstance(value, BaseModel):
        return "{…}"
    plain = json.dumps(value, default=list, ensure_ascii=False)
    return plain.strip('"') if isinstance(value, str) else plain.replace('"', "")


def _options(info: FieldInfo) -> list[str]:
    """The words that a setting may be, where they are few."""
    return [str(word) for word in _literals(info.annotation)]


def _literals(annotation: Any) -> list[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return list(arguments)
    if origin is Annotated or origin in (Union, types.UnionType, tuple, list):
        return [word for each in arguments for word in _literals(each)]
    return []


def _bounds(info: FieldInfo) -> list[str]:
    found = {
        name: value
        for rule in info.metadata
        for name in SYMBOLS
        if (value := getattr(rule, name, None)) is not None
    }
    if set(found) == {"ge", "le"}:
        return [f"{found['ge']:g} to {found['le']:g}"]
    return [f"{SYMBOLS[name]} {value:g}" for name, value in found.items()]


if __name__ == "__main__":
    write_text(PAGE, reference())
