"""The atlas as one HTML page that needs nothing else: pictures inside, no script, readable in light
and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.atlas import pictures
from components.atlas.camera import stages_of, steps_of
from components.atlas.draws import CLASSES, DRAWS, OF_EACH_KIND, Example, Kind, Mix, percentiles
from components.atlas.histogram import histogram
from components.atlas.photo import Scene, translated
from components.atlas.settings import Setting, settings_of
from components.core.pages import templates
from components.describe.nets import first_line
from components.evaluate.charts import Chart
from components.optics.blurs import NoBlur, map_of
from components.optics.blurs.drawn_blur import Kernel
from components.recipes import Recipe
from components.synthesize.config import SeverityClass, SynthesizeConfig

SMALL_PX = (280.0, 168.0)  # a kind's own histogram, as large as a picture of kernels


@dataclass(frozen=True)
class Column:
    """One example's pictures, and what stands above them."""

    title: str
    words: str
    style: str  # class of severity
    kernels: str
    crop: str
    whole: str


@dataclass(frozen=True)
class Chapter:
    """One kind on the page."""

    kind: Kind
    about: str
    settings: tuple[Setting, ...]
    counts: dict[SeverityClass, int]  # of the recipe's pairs, by class
    chart: Chart | None
    kernel_px: int
    uniform: bool  # the same blur everywhere in the photo
    still: bool  # no kernel to show
    columns: tuple[Column, ...]


def render_page(recipe: Recipe, mix: Mix, kinds: Sequence[Kind], scene: Scene) -> str:
    """The whole page as text."""
    config = recipe.synthesize
    return (
        templates(Path(__file__).parent)
        .get_template("page.html.j2")
        .render(
            recipe=recipe,
            config=config,
            digest=recipe.record().digest,
            mix=mix,
            draws=DRAWS,
            of_each=OF_EACH_KIND,
            classes=CLASSES,
            charts=charts_of(config, mix),
            percentiles=percentiles,
            chapters=[_chapter(config, kind, mix, scene) for kind in kinds],
            scene=scene,
            plain_target=pictures.whole(scene.target),
            target={
                "crop": pictures.cropped(scene.target, scene.crop),
                "whole": pictures.whole(scene.target, crop=scene.crop),
            },
            translated=(
                None
                if config.translate is None
                else [
                    pictures.whole(each, width_px=2 * pictures.PHOTO_PX) for each in translated(config, scene)
                ]
            ),
            instead=_instead(config),
            camera=steps_of(config.camera),
            stages=stages_of(kinds[0], scene, config.scale) if kinds else (),
        )
    )


def charts_of(config: SynthesizeConfig, mix: Mix) -> list[Chart]:
    """The histograms of the recipe's mix; none of what it does not have."""
    mild, strong = config.severity_bounds_px
    found = []
    if mix.blurred:
        bounds = ((mild, f"{mild:g} px", "bound"), (strong, f"{strong:g} px", "bound"))
        found.append(
            histogram(
                mix.severity_px,
                title="Severity",
                x_title="RMS radius of the blur, px",
                classes=mix.classes,
                order=CLASSES,
                rules=bounds,
                from_zero=True,
            )
        )
    if config.blurred:
        found.append(
            histogram(
                mix.extent_px,
                title="Extent",
                x_title="longer side of the kernel, px",
                classes=mix.classes,
                order=CLASSES,
                whole=True,
            )
        )
    if mix.noise_levels:
        found.append(
            histogram(
                mix.noise_levels,
                title="Noise",
                x_title="standard deviation at mid grey, 8-bit levels",
                from_zero=True,
            )
        )
    if mix.extra_light:
        found.append(
            histogram(
                mix.extra_light,
                title="Highlights",
                x_title="light added to a clipped pixel, in units of white",
                from_zero=True,
            )
        )
    found += [
        histogram(qualities, title=title, x_title="quality", whole=True)
        for title, qualities in (("JPEG", mix.jpeg_quality), ("WebP", mix.webp_quality))
        if qualities
    ]
    return found


def _chapter(config: SynthesizeConfig, kind: Kind, mix: Mix, scene: Scene) -> Chapter:
    kernels, side = pictures.kernels_of(kind, scene)
    place = next((place for place, blur in enumerate(config.blurs) if blur is kind.blur), None)
    mine = [found for blur, found in zip(mix.blurs, mix.classes, strict=True) if blur == place]
    columns = tuple(
        _column(config, example, picture, scene) for example, picture in zip(kind.shown, kernels, strict=True)
    )
    counts = {name: mine.count(name) for name in CLASSES}
    uniform = all(isinstance(example.plan.effect, Kernel) for example in kind.shown)
    asked = map_of(kind.blur)
    about = first_line(kind.blur) + (
        ""
        if asked is None
        else (
            f" It takes each photo's own {asked}; the photo of this page has none, so what is drawn"
            " stands in."
        )
    )
    return Chapter(
        kind,
        about,
        settings_of(kind.blur),
        counts,
        _own_chart(config, kind),
        side,
        uniform,
        isinstance(kind.blur, NoBlur),
        columns,
    )


def _own_chart(config: SynthesizeConfig, kind: Kind) -> Chart | None:
    """A kind's severities with the examples marked."""
    if not kind.varied:
        return None
    return histogram(
        kind.severity_px,
        title=f"{kind.title}, {OF_EACH_KIND} draws",
        x_title="RMS radius, px",
        classes=[example.severity_class for example in kind.examples],
        order=CLASSES,
        rules=[(example.severity_px, f"{example.percentile}", "pick") for example in kind.shown],
        from_zero=True,
        size_px=SMALL_PX,
    )


def _column(config: SynthesizeConfig, example: Example, kernels: str, scene: Scene) -> Column:
    input, scale = pictures.blurred(example, scene), config.scale
    title = (
        "fixed"
        if example.percentile is None
        else "median"
        if example.percentile == 50
        else f"{example.percentile}th percentile"
    )
    across = (
        f"{input.shape[1]}×{input.shape[0]} px"
        if isinstance(example.plan.blur, NoBlur)
        else f"{example.extent_px} px across"
    )
    spread = f"{example.severity_px:.2f} px RMS, {across}" if example.severity_px else across
    return Column(
        title,
        spread,
        example.severity_class,
        kernels,
        pictures.cropped(input, scene.crop, scale),
        pictures.whole(input, scale),
    )


def _instead(config: SynthesizeConfig) -> list[tuple[str, str, tuple[Setting, ...]]]:
    """Title, first line and settings of what a recipe does instead of a blur, or after it."""
    found = []
    if config.downscale is not None:
        found.append(
            (f"×{config.scale} smaller", first_line(config.downscale), settings_of(config.downscale))
        )
    if config.translate is not None:
        found.append(
            (
                config.translate.kind.replace("_", " "),
                first_line(config.translate),
                settings_of(config.translate),
            )
        )
    return found
