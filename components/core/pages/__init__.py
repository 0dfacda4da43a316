"""What every page for people shares: how templates are read, words of a terminal as sentences, and the
before/after slider.

before_after.html.j2 has three macros: `style()` for the page's style, `script()` once at its end,
`slider(before, after, words)` wherever a pair is to be compared.
"""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape


def templates(folder: Path) -> Environment:
    """The templates of a folder, beside those that all pages share; an unknown name is an error."""
    made = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["sentence"] = sentence
    return made


def sentence(words: str) -> Markup:
    """A line of the terminal as a page has it: a sentence, and what stands in backticks as code.

    >>> str(sentence("nothing moved: `refocus promote A&B` asks"))
    'Nothing moved: <code>refocus promote A&amp;B</code> asks.'
    """
    begun = words[:1].upper() + words[1:] if words.partition(" ")[0].isalpha() else words
    ended = begun if begun.endswith((".", "!", "?", "…")) else f"{begun}."
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(ended))))
