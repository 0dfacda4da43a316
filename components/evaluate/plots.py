"""Plots by matplotlib as SVG for an HTML page: text stays text, colours are the page's own variables
(so that it is readable in light and dark), and the same figures give the same bytes.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

# Variables that a page must define (`:root { --ink: … }`).
PAGE_COLOURS = ("ink", "faint", "line", "good", "bad", "plain", "mild", "medium", "strong")
PX_PER_INCH = 72.0  # matplotlib's SVG counts in points; a point is a pixel here
FONT_PX = 11.0


def colour(name: str) -> str:
    """Matplotlib's stand-in for a page's colour: `plotted` writes the variable in its place.

    >>> colour("ink")
    '#000001'
    """
    return f"#{PAGE_COLOURS.index(name) + 1:06x}"


@dataclass
class Plot:
    """What a drawing function is given: matplotlib's axes, and a place for words."""

    axes: Any
    words: dict[str, list[str]] = field(default_factory=dict)  # by the id of an artist's group

    def say(self, artist: Any, words: Sequence[str]) -> None:
        """What is shown when an artist's marks are pointed at: one text a mark, in their order."""
        name = f"told-{len(self.words)}"
        artist.set_gid(name)
        self.words[name] = list(words)


def plotted(draw: Callable[[Plot], None], *, title: str, size_px: tuple[float, float]) -> str:
    """One pair of axes as an `<svg>` element to put into a page.

    title: for readers who see no picture. size_px: width and height; the page may show it larger.
    """
    # It takes a quarter of a second to import, and only pages need it.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_style(title)):
        figure = Figure(figsize=(size_px[0] / PX_PER_INCH, size_px[1] / PX_PER_INCH), layout="constrained")
        FigureCanvasSVG(figure)
        plot = Plot(figure.add_subplot())
        draw(plot)
        made = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(made, format="svg", transparent=True, metadata=nothing)
    return _for_a_page(made.getvalue(), title, plot.words)


def round_edges(low: float, high: float, *, most: int, whole: bool) -> npt.NDArray[np.float64]:
    """Edges of equal steps of a round size that hold two values: at most `most` steps; of whole
    numbers each step has its numbers inside, not at its edge.

    >>> round_edges(0.1, 0.9, most=5, whole=False).tolist()
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> round_edges(1, 3, most=5, whole=True).tolist()
    [0.5, 1.5, 2.5, 3.5]
    """
    least = 1.0 if whole else 1e-3 * max(abs(low), abs(high), 1e-3)
    high = high + 1 if whole else max(high, low + least)
    ticks = round_ticks(most, whole=whole).tick_values(low, high)
    # 3 * 0.1 is a little more than 0.3, and would leave 0.3 to the step below.
    return np.asarray(np.round(ticks, 12) - (0.5 if whole else 0.0), np.float64)


def round_ticks(most: int, *, whole: bool = False) -> Any:
    """Matplotlib's locator of ticks 1, 2 or 5 times a power of ten apart; whole: at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=most, steps=[1, 2, 5, 10], integer=whole)


def _style(title: str) -> dict[str, Any]:
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": title,
        "font.family": "DejaVu Sans",  # comes with matplotlib: the layout is the same everywhere
        "font.size": FONT_PX,
        "axes.labelcolor": colour("faint"),
        "axes.edgecolor": colour("faint"),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "grid.color": colour("line"),
        "text.color": colour("ink"),
        "xtick.color": colour("faint"),
        "ytick.color": colour("faint"),
        "ytick.major.size": 0.0,
    }


def _for_a_page(text: str, title: str, words: dict[str, list[str]]) -> str:
    """The file's root element as HTML has it: without namespaces, ids that nothing refers to, styles
    that would hold for the whole page, clipping, and a size of its own.
    """
    root = ElementTree.fromstring(text)
    for each in root.iter():
        each.tag = _plain(each.tag)
        each.attrib = {_plain(name): value for name, value in each.attrib.items() if name != "clip-path"}
        each.tail = each.text = (each.text or "").strip() or None
        if "d" in each.attrib:
            each.set("d", " ".join(each.attrib["d"].split()))
        if "style" in each.attrib or each.tag == "text":
            each.set("style", _page_style(each.get("style", ""), text=each.tag == "text"))
    for found in root.findall("defs"):
        root.remove(found)  # the style sheet, and what the clipping refers to
    groups = {each.attrib["id"]: each for each in root.iter("g") if "id" in each.attrib}
    for name, told in words.items():
        _tell(groups[name], told)
    used = {each.attrib["href"].removeprefix("#") for each in root.iter("use")}
    for each in root.iter():
        if each.get("id") not in used:
            each.attrib.pop("id", None)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib |= {"role": "img", "aria-label": title}
    return ElementTree.tostring(root, encoding="unicode")


def _plain(name: str) -> str:
    return name.rpartition("}")[2]


def _tell(group: ElementTree.Element, words: Sequence[str]) -> None:
    """Give each mark of an artist its words."""
    shapes = {shape for found in group.iter("defs") for shape in found.iter()}
    marks = [each for each in group.iter() if each.tag in ("path", "use") and each not in shapes]
    for mark, told in zip(marks, words, strict=True):
        ElementTree.SubElement(mark, "title").text = told


def _page_style(style: str, *, text: bool) -> str:
    """Colours as the page's variables; letters in the page's font, its ink where they have no colour."""
    for name in PAGE_COLOURS:
        style = style.replace(colour(name), f"var(--{name})")
    style = re.sub(r"font-family: [^;]+; ?", "", style)
    return style + "; fill: var(--ink)" if text and "fill:" not in style else style
