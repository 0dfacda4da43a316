"""`refocus blur-atlas`: what it draws, writes and prints, for every recipe; what it refuses."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from bundled import RECIPES, bundled_into

from components import recipes
from components.atlas.command import atlas
from components.atlas.draws import (
    CLASSES,
    DRAWS,
    OF_EACH_KIND,
    drawn_kinds,
    drawn_mix,
    extent_px,
    kinds_of_blur,
    noise_levels,
)
from components.atlas.histogram import SIZE_PX, histogram
from components.atlas.page import charts_of
from components.atlas.photo import CROP_PX, crop_of
from components.atlas.settings import settings_of
from components.console import commands
from components.core.errors import PhotoError, RecipeError
from components.core.images import write_png
from components.evaluate.charts import Chart
from components.optics.blurs import Defocus, Gaussian, NoBlur
from components.optics.light import stored
from components.optics.noise import normal_field
from components.optics.sensor_noise import NoiseLevel
from components.synthesize.config import SynthesizeConfig

ROOT = Path(__file__).resolve().parents[2]
MIXED = SynthesizeConfig(seed=5, blurs=(Gaussian(weight=3), Defocus(plane_px=(1, 2)), NoBlur()))


def sections(page: str) -> list[str]:
    return re.findall(r'<section id="kind-\d+" data-kind="(\w+)">', page)


def drawings(page: str) -> list[ElementTree.Element]:
    """Every SVG of the page, parsed."""
    return [ElementTree.fromstring(text) for text in re.findall(r"<svg .*?</svg>", page, flags=re.DOTALL)]


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram, px, and what it says when pointed at."""

    left: float
    top: float
    right: float
    foot: float
    style: str
    count: int
    words: str


def bars(chart: Chart) -> list[Bar]:
    """Every bar of a histogram, class by class."""
    found = []
    for path in ElementTree.fromstring(chart.svg).iter("path"):
        if words := path.findtext("title"):
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.attrib["d"])]
            x, y = numbers[::2], numbers[1::2]
            style = re.findall(r"fill: var\(--(\w+)\)", path.attrib["style"])[0]
            count = int(re.findall(r": (\d+) of", words)[0])
            found.append(Bar(min(x), min(y), max(x), max(y), style, count, words))
    return found


@pytest.mark.parametrize(
    "name", [name for name in RECIPES if recipes.load(name, root=ROOT).synthesize.clip is None]
)
def test_every_recipe_has_a_page_with_every_kind_of_its_blurs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run(["blur-atlas", name, "--out", str(tmp_path)]) == 0
    printed, page = capsys.readouterr().out, (tmp_path / "index.html").read_text()
    config = recipes.load(name, root=ROOT).synthesize
    kinds = [] if config.translate is not None else [blur.kind for blur in config.blurs]
    assert sections(page) == kinds
    assert printed.endswith(f"page with pictures: {tmp_path / 'index.html'}\n")
    assert len(re.findall(r"\d px RMS +\d+ px across", printed)) == len(kinds)
    assert ("medians" in printed) == config.blurred
    assert ("instead of a blur" in page) == (not config.blurred)
    assert ("after the blur, in every input" in page) == config.blurred
    drawings(page)
    assert page.count("data:image/") >= 2
    assert len(page) < 2e6


def test_second_order_is_shown_by_its_severity_and_without_a_kernel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "components" / "recipes" / "srgan.yaml").read_text()
    assert "downscale: {scale: 4, kernel: bicubic}" in text
    (tmp_path / "srgan.yaml").write_text(
        text.replace("downscale: {scale: 4, kernel: bicubic}", "downscale: {kind: second_order, scale: 4}")
    )
    assert commands.run(["blur-atlas", str(tmp_path / "srgan.yaml"), "--out", str(tmp_path)]) == 0
    printed, page = capsys.readouterr().out, (tmp_path / "index.html").read_text()
    assert printed.startswith(
        "no blur: ×4 smaller, twice blurred, resized, noisy and JPEG (Real-ESRGAN)\nsecond order"
    )
    assert all(
        words in page
        for words in (
            "<b>10th percentile</b>",
            "<b>median</b>",
            "<b>90th percentile</b>",
            "sigma_levels [1, 30]",
            "classes by which",
        )
    )
    assert 'alt="kernel"' not in page
    assert page.count('alt="detail, input"') == 3


def test_all_adds_every_other_kind_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands.run(["blur-atlas", "demo", "--all", "--out", str(tmp_path)])
    found = sections((tmp_path / "index.html").read_text())
    assert found[0] == "random_trajectory"
    assert sorted(found) == sorted(
        kind.model_fields["kind"].default for kind in kinds_of_blur() if kind is not NoBlur
    )
    assert capsys.readouterr().out.count("left out") == len(found) - 1


def test_the_page_is_the_same_each_time_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        commands.run(["blur-atlas", "demo", "--out", str(tmp_path / folder)])
    page = (tmp_path / "one" / "index.html").read_text()
    assert page == (tmp_path / "two" / "index.html").read_text()
    assert re.findall(r'(?:src|href)="(?!#|data:image/)[^"]*"', page) == []
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)  # that of the sliders
    assert "before-after" in script
    assert "@import" not in page


def test_without_out_the_page_lies_in_the_state_folder() -> None:
    commands.run(["blur-atlas", "pix2pix"])
    assert (Path(os.environ["REFOCUS_HOME"]) / "blur-atlas" / "pix2pix" / "index.html").is_file()


def test_a_photo_of_ones_own_is_named_and_shown(tmp_path: Path) -> None:
    photo = tmp_path / "mine.png"
    write_png(photo, np.random.default_rng(1).integers(0, 256, (90, 130, 3), dtype=np.uint8))
    pages = []
    for more in ([], ["--photo", str(photo)]):
        commands.run(["blur-atlas", "demo", "--out", str(tmp_path), *more])
        pages.append((tmp_path / "index.html").read_text())
    assert "china.jpg" in pages[0]
    assert "china.jpg" not in pages[1]
    assert "mine.png, 130×90 px as the recipe takes it" in pages[1]
    assert str(tmp_path) not in pages[1]


def test_a_photo_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path) -> None:
    words, small = tmp_path / "words.jpg", tmp_path / "small.png"
    words.write_text("no picture")
    write_png(small, np.zeros((20, 40, 3), np.uint8))
    for path, said in (
        (tmp_path / "none.jpg", "no photo at .*none.jpg; give --photo the path of a JPEG"),
        (words, "words.jpg cannot be used: not a photo"),
        (
            small,
            (
                "small.png is too small for the atlas: 40 × 20 px as the recipe takes it, and the largest"
                " blur shown needs 23 px a side"
            ),
        ),
    ):
        with pytest.raises(PhotoError, match=said):
            commands.run(["blur-atlas", "demo", "--out", str(tmp_path / "out"), "--photo", str(path)])
    assert not (tmp_path / "out").exists()


def test_a_wrong_recipe_is_answered_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundled_into(tmp_path))
    with pytest.raises(RecipeError, match='Did you mean "demo"'):
        commands.run(["blur-atlas", "dmeo"])


def test_every_histogram_counts_every_draw_and_classes_are_the_recipes() -> None:
    mix = drawn_mix(MIXED)
    for chart in charts_of(MIXED, mix):
        assert sum(bar.count for bar in bars(chart)) == DRAWS
    assert sum(mix.counts.values()) == DRAWS
    for severity, found in zip(mix.severity_px, mix.classes, strict=True):
        assert (
            found
            == ("mild" if severity < 2 else "medium" if severity < 5 else "strong")
            == MIXED.severity_class(severity)
        )
    severity = charts_of(MIXED, mix)[0]
    assert {
        name: sum(bar.count for bar in bars(severity) if bar.style == name) for name in CLASSES
    } == mix.counts
    # Weights 3, 1 and 1: four standard deviations of a binomial draw are a tenth.
    assert [mix.blurs.count(place) / DRAWS for place in range(3)] == pytest.approx([0.6, 0.2, 0.2], abs=0.1)


def test_what_the_camera_leaves_out_has_no_histogram() -> None:
    config = SynthesizeConfig.model_validate({"camera": {"noise": None, "jpeg": None}})
    assert [chart.title for chart in charts_of(config, drawn_mix(config))] == ["Severity", "Extent"]


def test_the_examples_are_exact_percentiles_of_their_kind() -> None:
    gaussian, defocus, none = drawn_kinds(MIXED)
    for kind in (gaussian, defocus):
        assert len(kind.examples) == OF_EACH_KIND
        for example, percentile in zip(kind.shown, (10, 50, 90), strict=True):
            assert example.severity_px == np.percentile(kind.severity_px, percentile)
            assert example.severity_px == example.plan.effect.severity_px
            assert example.severity_class == MIXED.severity_class(example.severity_px)
    assert [example.severity_px for example in none.shown] == [0.0]
    assert [kind.share for kind in (gaussian, defocus, none)] == [0.6, 0.2, 0.2]


@pytest.mark.parametrize("linear", [True, False], ids=["linear", "srgb"])
def test_noise_in_levels_is_what_a_grey_picture_shows(linear: bool) -> None:
    noise = NoiseLevel(shot=4e-4, read=2e-5)
    grey = np.float32(((128 / 255 + 0.055) / 1.055) ** 2.4 if linear else 128 / 255)
    picture = stored(
        noise.added(np.full((400, 400), grey), normal_field(3, 400, 400, channels=1)[:, :, 0]), linear=linear
    )
    # Rounding to whole levels adds a variance of 1/12.
    assert np.sqrt(picture[:, :, 0].var() - 1 / 12) == pytest.approx(
        noise_levels(noise, linear=linear), rel=0.02
    )


def test_extent_is_the_longer_side_of_what_is_seen() -> None:
    psf = np.zeros((9, 9), np.float32)
    psf[4, 2:7] = 0.2
    psf[0, 0] = 0.001
    assert extent_px(psf) == extent_px(psf.T) == 5


@pytest.mark.parametrize("values", [[0.0], [3.0] * 5, [0.1, 0.2, 0.3], [1.0, 400.0], [-1.0, 1.0]])
@pytest.mark.parametrize("whole", [True, False])
def test_bars_stand_inside_the_plot_and_beside_each_other(values: list[float], whole: bool) -> None:
    chart = histogram(
        np.rint(values).tolist() if whole else values,
        title="",
        x_title="",
        whole=whole,
        rules=((2.0, "two", "bound"),),
    )
    found = bars(chart)
    assert sum(bar.count for bar in found) == len(values)
    for bar in found:
        assert 0 <= bar.left < bar.right <= SIZE_PX[0]
        assert 0 <= bar.top < bar.foot <= SIZE_PX[1]
    assert all(before.right <= after.left for before, after in itertools.pairwise(found))
    assert ">two<" in chart.svg


def test_classes_are_stacked_in_order() -> None:
    chart = histogram(
        [1.1, 1.2, 1.3],
        title="",
        x_title="",
        classes=["strong", "mild", "strong"],
        order=("mild", "strong"),
        rules=((100.0, "", "bound"),),
    )
    below, above = bars(chart)
    assert [(bar.style, bar.count) for bar in (below, above)] == [("mild", 1), ("strong", 2)]
    assert above.foot == pytest.approx(below.top, abs=0.02)
    assert above.foot - above.top == pytest.approx(2 * (below.foot - below.top), abs=0.02)
    assert above.words == "0 to 5: 2 of 3, strong"


def test_the_crop_shows_the_detail_beside_the_middle() -> None:
    photo = np.zeros((400, 600, 3), np.uint8)
    photo[220:260:2, 330:360] = 255
    top, left, side = crop_of(photo, 4)
    assert side == CROP_PX
    assert top % 4 == left % 4 == 0
    assert top <= 220 < 260 <= top + side
    assert left <= 330 < 360 <= left + side
    assert crop_of(photo[:30, :50])[2] == 30


def test_settings_say_which_are_the_recipes_own() -> None:
    found = {each.name: (each.value, each.own) for each in settings_of(Gaussian(sigma_px=(0.5, 2)))}
    assert found == {"sigma_px": ("[0.5, 2]", True), "aspect": ("[1, 1]", False)}


def test_halves_of_a_photo_are_shown_as_input_and_target_and_an_odd_width_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "components/recipes/pix2pix.yaml").read_text()
    recipe = tmp_path / "halves.yaml"
    recipe.write_text(
        text.replace("name: pix2pix", "name: halves").replace("{kind: to_colour}", "{kind: side_by_side}")
    )
    for width in (80, 81):
        write_png(tmp_path / f"{width}.png", np.zeros((40, width, 3), np.uint8))
    commands.run(["blur-atlas", str(recipe), "--out", str(tmp_path), "--photo", str(tmp_path / "80.png")])
    page = (tmp_path / "index.html").read_text()
    assert page.count('alt="input"') == page.count('alt="target"') == 1
    assert "The bundled photo is no pair" not in page
    with pytest.raises(
        PhotoError,
        match=(
            r"81.png cannot be used for side_by_side: its width is odd, so it has no two halves; give --photo"
            r" another one"
        ),
    ):
        commands.run(["blur-atlas", str(recipe), "--out", str(tmp_path), "--photo", str(tmp_path / "81.png")])


def test_a_recipe_of_real_pairs_has_no_blur_to_show(tmp_path: Path) -> None:
    text = (ROOT / "components" / "recipes" / "deblurgan.yaml").read_text()
    plain = yaml.safe_load(text) | {
        "ingest": {"photos": "there", "pairs": {"kind": "gopro", "variant": "blur_gamma"}},
        "synthesize": {},
    }
    (tmp_path / "deblurgan.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(
        RecipeError,
        match=r"takes in blurred pictures as they are \(ingest\.pairs gopro\), so no blur is drawn",
    ):
        atlas(str(tmp_path / "deblurgan.yaml"), ROOT, out=tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_a_kind_that_takes_a_photos_own_map_is_shown_as_drawn_and_says_so(tmp_path: Path) -> None:
    text = (ROOT / "components" / "recipes" / "demo.yaml").read_text()
    usual = "{kind: random_trajectory, canvas_px: 28, max_len_px: 20, exposures: [0.5, 1.0]}"
    assert text.count(usual) == 1
    asking = (
        "{kind: object_motion, mask: given, object_px: [4, 20]}\n    - {kind: defocus, depth: given}\n    -"
        " {kind: gaussian}"
    )
    (tmp_path / "demo.yaml").write_text(text.replace(usual, asking))
    assert commands.run(["blur-atlas", str(tmp_path / "demo.yaml"), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "index.html").read_text()
    assert sections(page) == ["object_motion", "defocus", "gaussian"]
    assert [
        page.count(f"own {kind}; the photo of this page has none, so what is drawn stands in.")
        for kind in ("mask", "depth")
    ] == [1, 1]
