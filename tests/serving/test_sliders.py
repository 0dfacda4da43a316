"""The slider of the report and the blur atlas in a real browser: keys move its line, narrow pages do not
scroll sideways.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import needs_browser, opened

from components.console import commands
from components.core.pages import templates

pytestmark = [needs_browser, pytest.mark.services]
PAGE = """{% import "before_after.html.j2" as before_after %}
<meta name="viewport" content="width=device-width"><style>:root { --line:#000; --card:#fff; }
{{ before_after.style() }}</style>
{{ before_after.slider(picture, picture, "a <photo>") }}<script>{{ before_after.script() }}</script>"""
PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
CLIP = "getComputedStyle(document.querySelector('.before-after .before')).clipPath"


@pytest.mark.parametrize("kind", ["the shared piece", "atlas"])
def test_keys_move_the_line_and_a_narrow_page_holds_it(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    if kind == "atlas":
        commands.run(["blur-atlas", "demo", "--out", str(tmp_path)])
    else:
        path.write_text(templates(tmp_path).from_string(PAGE).render(picture=PICTURE))
    with opened() as browser:
        page = browser.new_page(viewport={"width": 400, "height": 800})
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(path.as_uri())
        slider = page.query_selector(".before-after input")
        before = page.evaluate(CLIP)
        slider.focus()
        page.keyboard.press("End")
        assert page.evaluate(CLIP) != before
        assert slider.input_value() == "100"
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert wrong == []
