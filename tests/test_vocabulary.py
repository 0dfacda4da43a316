"""One name for one thing: the table in CONTRIBUTING.md, as far as a machine can hold it, over every
identifier of the code (strings and comments are words for people).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_layers import FILES, ROOT, module_of, within

# Parts of identifiers that have another name: where they may not stand, and the word instead.
EVERYWHERE = ("components", "flows")
TASKLESS = tuple(
    f"components.{room}" for room in ("core", "train", "nets", "metrics", "evaluate", "register", "registry")
)
PARTS: dict[str, tuple[tuple[str, ...], str]] = {
    **dict.fromkeys(
        ("judge", "judges", "judged", "judging", "judgement", "judgements"), (EVERYWHERE, "discriminator")
    ),
    "given": (EVERYWHERE, "input, or what it is"),
    "sharp": (TASKLESS, "target"),
    "blurred": (TASKLESS, "input"),
}
# Whole identifiers that say too little.
WHOLE: dict[str, tuple[tuple[str, ...], str]] = {
    "rate": (("components.train",), "lr, or learning_rate"),
    "share": (("components.train",), "local_batch, or a share of what"),
}


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a file gives to something: variables, arguments, fields, functions, classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, 0


def parts(name: str) -> list[str]:
    """The words of an identifier.

    >>> parts("_judgeTerms"), parts("WGANGP"), parts("seen_given")
    (['judge', 'terms'], ['wgangp'], ['seen', 'given'])
    """
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def mistaken(module: str, name: str) -> str | None:
    """The word that should stand instead, if any."""
    for found, table in ((parts(name), PARTS), ([name.strip("_")], WHOLE)):
        for part in found:
            rooms, instead = table.get(part, ((), ""))
            if any(within(module, room) for room in rooms):
                return instead
    return None


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_every_identifier_is_a_word_of_the_table(path: Path) -> None:
    found = [
        f"line {line}: {name}: say {instead}"
        for name, line in identifiers(ast.parse(path.read_text()))
        if (instead := mistaken(module_of(path), name))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("components.train.step", "_judge_terms"),
        ("components.optics.noise", "seen_given"),
        ("components.train.data", "share"),
        ("components.nets.restore", "blurredPhoto"),
    ],
)
def test_a_wrong_word_is_found_wherever_it_hides(module: str, name: str) -> None:
    assert mistaken(module, name)


def test_words_that_only_look_alike_are_left_alone() -> None:
    assert mistaken("components.train.step", "generated") is None
    assert mistaken("components.train.step", "share_of_loss") is None
    assert mistaken("components.optics.plan", "blurred") is None


def test_the_words_that_are_held_stand_in_the_table_for_people() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text()
    for word in ("input", "target", "discriminator", "learning rate", "local batch"):
        assert re.search(rf"(?m)^\| {word}\b", table), word
