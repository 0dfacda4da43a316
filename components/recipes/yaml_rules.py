"""YAML by the rules of its version 1.2 (core schema, YAML 1.2.2 section 10.3), as DVC reads it.

PyYAML reads by version 1.1, in which `no` is false, 0720 is 464 and 1:30 is 90. A recipe is also
read by DVC, which must see the same values, and by people's own tools, which may follow either
version: a plain value that the versions read differently is refused, with what each makes of it.
The one exception are numbers with an exponent, such as 1e4: 1.1 calls them text, and everybody
means the number.
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import yaml

from components.core.errors import RecipeError

TAG = "tag:yaml.org,2002:"
DIGITS = list("0123456789")
CORE: tuple[tuple[str, str, list[str]], ...] = (
    ("null", r"(?:null|Null|NULL|~|)", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)", [*"-+", *DIGITS]),
    (
        "float",
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))",
        [*"-+.", *DIGITS],
    ),
    # No part of 1.2, and read alike by PyYAML and by DVC.
    ("merge", "<<", ["<"]),
)
# Text in either version, and a number, or nothing that can be read, to DVC's reader.
ALMOST_NUMBERS = re.compile(r"[-+]?(?:(?=[^_]*_)[0-9_.]+(?:[eE][-+]?[0-9]+)?|0o[0-7_]*)")
EXPONENT = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+")


def read(path: Path) -> Any:
    """The content of a YAML file. Raises RecipeError when it is none, when a key stands in it
    twice, or when a value is one thing in YAML 1.1 and another in 1.2.
    """
    try:
        loader = _Core(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{path} is no text in UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}; save it as"
            " UTF-8"
        ) from error
    except yaml.YAMLError as error:
        raise RecipeError(_no_yaml(path, error)) from error
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _Check(path).look(node)
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, RecipeError):
            raise
        raise RecipeError(_no_yaml(path, error)) from error
    finally:
        loader.dispose()


class _Core(yaml.SafeLoader):
    """Safe YAML that resolves plain values by the core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def compose_document(self) -> Any:
        version = getattr(self.peek_event(), "version", None)  # type: ignore[no-untyped-call]
        if version not in (None, (1, 2)):
            raise yaml.YAMLError(
                f"it asks for YAML {version[0]}.{version[1]}, recipes are YAML 1.2: take that line out"
            )
        return super().compose_document()

    def compose_scalar_node(self, anchor: Any) -> Any:
        tag = self.peek_event().tag  # type: ignore[no-untyped-call]
        if tag not in (None, "!", f"{TAG}str"):
            raise yaml.YAMLError(f"the tag {tag} is not read here: write the value plainly")
        return super().compose_scalar_node(anchor)


for _tag, _pattern, _first in CORE:
    _Core.add_implicit_resolver(f"{TAG}{_tag}", re.compile(f"^{_pattern}$"), _first)


class _Check:
    """Walks through a file before anything is made of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[int] = set()  # what an alias names is looked at once

    def look(self, node: yaml.Node, name: str = "") -> None:
        """Raises RecipeError for a key that stands twice and a value that is two things."""
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    self._refuse(key, "a key must be a name")
                if key.tag != f"{TAG}merge":
                    if key.value in keys:
                        self._refuse(key, f'the key "{key.value}" stands here twice; keep one')
                    keys.add(key.value)
                    key.tag = f"{TAG}str"  # a setting called `on` is no truth value
                self.look(value, key.value)
        elif isinstance(node, yaml.SequenceNode):
            for each in node.value:
                self.look(each, name)
        elif isinstance(node, yaml.ScalarNode) and node.style is None:
            self._refuse_ambiguous(node, name)

    def _refuse_ambiguous(self, node: yaml.ScalarNode, name: str) -> None:
        text = node.value
        older, newer = _made_of(text, yaml.SafeLoader), _made_of(text, _Core)
        if EXPONENT.fullmatch(text):
            return
        if type(older) is type(newer) and repr(older) == repr(newer):
            if isinstance(newer, str) and ALMOST_NUMBERS.fullmatch(text):
                self._refuse(
                    node, f'{name}: {text} is a number to some readers; write "{text}" in quotes, or a number'
                )
            return
        meant = " or ".join(
            _written(value) for value in (older, newer) if not isinstance(value, datetime.date | Exception)
        )
        self._refuse(
            node,
            f"{name}: {text} is {_told(older)} by YAML 1.1 and {_told(newer)} by YAML 1.2, which DVC follows;"
            f" write {meant}{', whichever is meant' if ' or ' in meant else ''}",
        )

    def _refuse(self, node: yaml.Node, words: str) -> None:
        raise RecipeError(f"{self._path}: {words} (line {node.start_mark.line + 1})")


def _made_of(text: str, kind: type[yaml.SafeLoader]) -> Any:
    """What a loader makes of a plain value; the error where it makes nothing of it."""
    loader = kind("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    try:
        if kind is _Core and tag == f"{TAG}int":
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        return loader.construct_object(yaml.ScalarNode(tag, text))
    except (yaml.YAMLError, ValueError) as error:
        return error
    finally:
        loader.dispose()


def _told(value: object) -> str:
    if isinstance(value, Exception):
        return "nothing"
    if isinstance(value, datetime.date):
        return "a date"
    return f"the text {_written(value)}" if isinstance(value, str) else _written(value)


def _written(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _no_yaml(path: Path, error: Exception) -> str:
    said = " ".join(str(error).split())
    remedy = "; a line is indented by spaces, never by tabs" if r"'\t'" in said else ""
    return f"{path} is not YAML that can be read: {said}{remedy}"
