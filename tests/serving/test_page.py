"""The page for people, in a real browser: photos in, compared by pointer and keys, downloaded; at 1400
and 400 px, dark and light.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import needs_browser, opened
from registered import add

from components.core.decoding import decode
from components.core.encoding import encoded
from components.services import tracking
from components.serving.settings import ServingSettings

pytestmark = [needs_browser, pytest.mark.services]
TOKEN = "0123456789abcdef-token"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened() as found:
        yield found


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(5).integers(0, 1 << 16, (60, 90, 3), np.uint16)
    path = tmp_path / "holiday at sea.png"
    path.write_bytes(encoded("png", pixels))
    return path


@pytest.fixture
def address(served: Any, store: Path, tmp_path: Path) -> str:
    """Three versions, one for each alias."""
    if tracking.at_alias("paged", tracking.CHAMPION) is None:
        for seed, alias in ((1, tracking.PREVIOUS), (2, tracking.CHAMPION), (3, tracking.CHALLENGER)):
            tracking.set_alias("paged", alias, add("paged", tmp_path, seed=seed).number)
    return str(served(ServingSettings("paged@champion", device="cpu")))


def page_at(browser: Any, address: str, width: int, scheme: str) -> tuple[Any, list[str]]:
    """The page, and what went wrong on it or was asked of anybody else."""
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    page.on(
        "request",
        lambda asked: asked.url.startswith((address, "blob:", "data:")) or wrong.append(asked.url),
    )
    page.goto(address)
    return page, wrong


@pytest.mark.parametrize(("width", "scheme", "paper"), [(1400, "light", 255), (400, "dark", 20)])
def test_a_photo_is_restored_by_all_three_compared_by_keys_and_downloaded(
    browser: Any, address: str, photo: Path, width: int, scheme: str, paper: int
) -> None:
    page, wrong = page_at(browser, address, width, scheme)
    page.wait_for_selector("#choice label >> nth=2")
    assert page.is_hidden("#token-form")
    assert "paged version 2, the champion" in page.inner_text("#served")
    for box in page.query_selector_all("#choice input"):
        box.check()
    page.set_input_files("#files", photo)
    page.wait_for_selector(".model a >> nth=2", timeout=60_000)
    said = [each.inner_text() for each in page.query_selector_all(".model p")]
    assert [words.split(",")[0] for words in said] == [
        "challenger: paged:3",
        "champion: paged:2",
        "previous: paged:1",
    ]

    slider = page.query_selector(".before-after input")
    figure = page.query_selector(".before-after")
    clip = "getComputedStyle(document.querySelector('.before-after .before')).clipPath"
    middle = page.evaluate(clip)
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert (slider.input_value(), page.evaluate(clip) != middle) == ("55", True)
    box = figure.bounding_box()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + box["height"] / 2)
    assert float(slider.input_value()) == pytest.approx(25, abs=1)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.body).backgroundColor").startswith(f"rgb({paper},")
    with page.expect_download() as download:
        page.click("text=download PNG >> nth=1")
    assert download.value.suggested_filename == "holiday at sea-champion.png"
    restored = decode(Path(download.value.path()).read_bytes()).pixels
    assert (restored.dtype, restored.shape) == (np.uint16, (60, 90, 3))
    assert wrong == []
    page.context.close()


def test_full_size_shows_each_pixel_and_escape_closes_it(browser: Any, address: str, photo: Path) -> None:
    page, wrong = page_at(browser, address, 400, "light")
    page.set_input_files("#files", photo)
    page.click("text=full size", timeout=60_000)
    assert page.query_selector("dialog .after").bounding_box()["width"] == 90
    page.click("text=fit the window")
    assert page.query_selector("dialog .after").bounding_box()["width"] == 400
    page.keyboard.press("Escape")
    assert page.is_hidden("dialog")
    assert wrong == []
    page.context.close()


def test_what_is_no_photo_is_told_beside_its_name(browser: Any, address: str, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no photo")
    page, _ = page_at(browser, address, 1400, "light")
    page.set_input_files("#files", tmp_path / "notes.png")
    page.wait_for_selector(".model .bad", timeout=60_000)
    assert "not a photo" in page.inner_text(".model .bad")
    page.context.close()


def test_the_page_asks_for_the_token_and_keeps_it_in_its_tab(
    browser: Any, served: Any, store: Path, address: str
) -> None:
    locked = str(served(ServingSettings("paged@champion", host="0.0.0.0", token=TOKEN, device="cpu")))
    page, _ = page_at(browser, locked, 1400, "light")
    assert page.is_visible("#token-form")
    page.fill("#token", TOKEN)
    page.click("text=use it")
    page.wait_for_selector("text=paged version 2, the champion")
    page.reload()
    page.wait_for_selector("text=paged version 2, the champion")
    assert page.is_hidden("#token-form")
    page.context.close()
