"""Plots as SVG for a page: the page's colours, text as text, the same bytes, steps of a round size."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from components.evaluate.plots import PAGE_COLOURS, Plot, colour, plotted, round_edges


def bars_and_dots(plot: Plot) -> None:
    bars = plot.axes.bar([1, 2], [3, -4], color=[colour("good"), colour("bad")])
    plot.say(bars[0], ["three"])
    plot.say(plot.axes.scatter([1, 2], [1, 1], color=colour("strong")), ["left", "<right> & last"])
    plot.axes.set_xlabel("pairs")


def made(title: str = "gains") -> str:
    return plotted(bars_and_dots, title=title, size_px=(520.0, 240.0))


def test_the_same_plot_has_the_same_bytes_without_dates_ids_or_styles_of_its_own() -> None:
    text = made()
    assert text == made()
    assert re.findall(r"<(?:style|script|metadata)|date|20\d\d-|http|url\(", text) == []
    named = re.findall(r'\bid="([^"]+)"', text)
    assert named
    assert all(f"#{name}" in text for name in named)


def test_every_colour_is_one_of_the_page() -> None:
    text = made()
    assert re.findall(r"#[0-9a-f]{6}\b", text) == []
    assert set(re.findall(r"var\(--(\w+)\)", text)) == {"good", "bad", "strong", "faint", "line"}
    assert len({colour(name) for name in PAGE_COLOURS}) == len(PAGE_COLOURS)


def test_text_is_text_in_the_fonts_of_the_page() -> None:
    root = ElementTree.fromstring(made())
    texts = list(root.iter("text"))
    assert "pairs" in [text.text for text in texts]
    assert all(
        "var(--" in text.attrib["style"] and "font-family" not in text.attrib["style"] for text in texts
    )
    assert (root.get("viewBox"), root.get("aria-label"), root.get("width")) == ("0 0 520 240", "gains", None)


def test_each_mark_has_its_own_words() -> None:
    root = ElementTree.fromstring(made())
    told = {(each.tag, each.findtext("title")) for each in root.iter()}
    assert {("path", "three"), ("use", "left"), ("use", "<right> & last")} <= told


def test_words_for_another_number_of_marks_are_refused() -> None:
    def draw(plot: Plot) -> None:
        plot.say(plot.axes.scatter([1, 2], [1, 1]), ["only one"])

    with pytest.raises(ValueError, match="zip"):
        plotted(draw, title="", size_px=(100.0, 100.0))


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 0.0), (3.0, 3.0), (-1.0, 1.0), (0.0, 2.3), (1e-6, 2e-6), (5.0, 400.0)]
)
@pytest.mark.parametrize("whole", [True, False])
def test_steps_are_few_round_and_hold_both_ends(low: float, high: float, whole: bool) -> None:
    low, high = (round(low), round(high)) if whole else (low, high)
    edges = round_edges(low, high, most=32, whole=whole)
    step = edges[1] - edges[0]
    assert edges[0] <= low <= high <= edges[-1]
    assert 1 <= len(edges) - 1 <= 33
    assert f"{step:.6e}"[0] in "125"
    assert edges[1:] - edges[:-1] == pytest.approx(step, rel=1e-4)
