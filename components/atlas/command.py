"""What `refocus blur-atlas RECIPE` does: draws, one line a kind on the terminal, and one HTML page
in a folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components import recipes
from components.atlas.draws import Kind, drawn_kinds, drawn_mix
from components.atlas.page import render_page
from components.atlas.photo import scene_of
from components.core.delivery import Delivery, delivering
from components.core.errors import RecipeError
from components.core.files import state_folder
from components.synthesize.config import SynthesizeConfig

PAGE = "index.html"


def atlas(
    name: str,
    root: Path,
    *,
    out: Path | None = None,
    photo: Path | None = None,
    others: bool = False,
    overwrite: bool = False,
) -> Path:
    """Print every kind of a recipe and write its page; gives the page's path.

    out: folder for index.html; .refocus/blur-atlas/RECIPE when left out.
    photo: the photo that is blurred; a bundled one when left out.
    others: also the kinds that the recipe leaves out, at their defaults.
    overwrite: replace an index.html in `out` that this command did not make; without it that is an
    InputError.
    Raises RecipeError for a recipe that cannot be read or takes its blur from real pairs,
    PhotoError for a photo that cannot be used.
    """
    recipe = recipes.load(name, root=root)
    if recipe.ingest.pairs is not None:
        raise RecipeError(
            f"recipe {recipe.name} takes in blurred pictures as they are (ingest.pairs"
            f" {recipe.ingest.pairs.kind}), so no blur is drawn and there is none to show; run ingest and"
            f" synthesize, and look at data/{recipe.name}/pairs/examples.png"
        )
    config = recipe.synthesize
    if config.clip is not None:
        raise RecipeError(
            f"recipe {recipe.name} makes clips of photos along a camera's path (synthesize.clip), whose blur"
            f" differs from frame to frame; run synthesize, and look at data/{recipe.name}/pairs/examples.png"
        )
    folder = out or state_folder(root) / "blur-atlas" / recipe.name
    with delivering(folder):
        delivery = Delivery(folder, overwrite=overwrite or out is None)
        delivery.refuse_others([PAGE])
        kinds = drawn_kinds(config, others=others)
        scene = scene_of(config, photo, max([config.smallest_px, *(kind.blur.largest_px for kind in kinds)]))
        page = delivery.write(PAGE, render_page(recipe, drawn_mix(config), kinds, scene).encode())
    print("\n".join(lines(config, kinds)))
    return page


def lines(config: SynthesizeConfig, kinds: Sequence[Kind]) -> list[str]:
    """What the recipe does besides a blur, then each kind: its share, median severity and extent."""
    found = []
    if config.translate is not None:
        found.append(f"no blur: a translation, {config.translate.kind}")
    if config.downscale is not None:
        found.append(
            f"{'after the blur' if config.blurred else 'no blur'}: ×{config.scale} smaller,"
            f" {config.downscale.words}"
        )
    for kind in kinds:
        share = "left out" if kind.share is None else f"{100 * kind.share:.0f} %"
        middle = kind.severity_px[len(kind.severity_px) // 2]
        found.append(f"{kind.title:<20} {share:>8}   {middle:6.2f} px RMS   {kind.extent_px:3.0f} px across")
    return (
        [*found, "(medians; px across: of the kernel at the photo's centre)"]
        if any(kind.varied for kind in kinds)
        else found
    )
