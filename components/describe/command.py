"""What `refocus describe RECIPE` does: tables on the terminal, an HTML page and one SVG a net in a
folder.
"""

from __future__ import annotations

from pathlib import Path

from components import recipes
from components.core.baseline import words_for
from components.core.files import state_folder, write_text
from components.describe.drawing import draw, svg
from components.describe.nets import describe_net, nets_of
from components.describe.page import render_page
from components.describe.printed import lines
from components.describe.training import overview


def describe(name: str, root: Path, *, out: Path | None = None, crop_px: int | None = None) -> Path:
    """Print every net of a recipe and write its pictures; gives the page's path.

    out: folder for index.html and the SVG files; .refocus/describe/RECIPE when left out.
    crop_px: side of the sharp photo, px; the last phase's when left out.
    Raises RecipeError for a recipe that cannot be read, InputError for a crop that a net cannot
    take.
    """
    recipe = recipes.load(name, root=root)
    folder = out or state_folder(root) / "describe" / recipe.name
    found = []
    for net in nets_of(recipe, crop_px):
        found.append(describe_net(net))
        print("\n".join(lines(found[-1])) + "\n")
    drawings = {each.net.name: draw(each.boxes, each.title, " · ".join(each.facts)) for each in found}
    task = words_for(recipe.synthesize.task, recipe.synthesize.baseline)
    drawings["training"] = overview(recipe.train, recipe.train.generator.kind.replace("_", " "), task)
    for title, drawing in drawings.items():
        write_text(folder / f"{title}.svg", svg(drawing))
    pictures = {title: svg(drawing, alone=False) for title, drawing in drawings.items()}
    page = folder / "index.html"
    write_text(
        page,
        render_page(recipe, found, pictures, recipe.train.phases[-1].crop_px if crop_px is None else crop_px),
    )
    return page
