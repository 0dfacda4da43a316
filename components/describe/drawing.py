"""A diagram as geometry, px, which a template turns into SVG that stands alone: no fonts, scripts or
styles from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from components.core.pages import templates

TIPS = {
    "flow": "tip",
    "skip": "skiptip",
    "bypass": "bypasstip",
    "true": "truetip",
    "input": "tip",
}  # style of a line -> its arrow head


@dataclass(frozen=True)
class Rect:
    """A slab, x and y its upper left corner, px."""

    x: float
    y: float
    width: float
    height: float
    style: str
    words: str = ""  # shown when pointed at


@dataclass(frozen=True)
class Line:
    """A line; `data` in SVG's own words."""

    data: str
    style: str


@dataclass(frozen=True)
class Label:
    """A line of text, x its middle, y its base line, px."""

    x: float
    y: float
    text: str
    style: str = ""


@dataclass(frozen=True)
class Ring:
    """A place where paths meet, x and y its middle, px."""

    x: float
    y: float
    kind: str  # addition, concatenation, …
    words: str = ""


@dataclass
class Drawing:
    """Everything to draw, px."""

    title: str
    facts: str
    width: float = 0.0
    height: float = 0.0
    rects: list[Rect] = field(default_factory=list)
    paths: list[Line] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    rings: list[Ring] = field(default_factory=list)
    keys: list[Label] = field(default_factory=list)  # the legend; x is the left edge, style that of the slab


def svg(drawing: Drawing, *, alone: bool = True) -> str:
    """The drawing as SVG text. alone: as a file of its own, with the XML's first line."""
    return (
        templates(Path(__file__).parent)
        .get_template("drawing.svg.j2")
        .render(drawing=drawing, alone=alone, tips=TIPS)
    )
