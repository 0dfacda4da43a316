"""What every page for people shares: how templates are read, and the before/after slider.

before_after.html.j2 has three macros: `style()` for the page's style, `script()` once at its end,
`slider(before, after, words)` wherever a pair is to be compared.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def templates(folder: Path) -> Environment:
    """The templates of a folder, beside those that all pages share; an unknown name is an error."""
    return Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
