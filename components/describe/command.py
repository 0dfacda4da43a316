"""What `refocus describe RECIPE` does: tables on the terminal, an HTML page and one SVG a net in a
folder.
"""

from __future__ import annotations

from pathlib import Path

from components import recipes
from components.core.baseline import words_for
from components.core.delivery import Delivery, delivering
from components.core.files import state_folder
from components.describe.drawing import svg
from components.describe.net_layout import draw
from components.describe.nets import describe_net, nets_of
from components.describe.page import render_page
from components.describe.printed import lines
from components.describe.training import overview

PAGE, TRAINING = "index.html", "training"


def describe(
    name: str, root: Path, *, out: Path | None = None, crop_px: int | None = None, overwrite: bool = False
) -> Path:
    """Print every net of a recipe and write its pictures; gives the page's path.

    out: folder for index.html and the SVG files; .refocus/describe/RECIPE when left out.
    crop_px: side of the sharp photo, px; the last phase's when left out.
    overwrite: replace files in `out` that this command did not make.
    Raises RecipeError for a recipe that cannot be read, InputError for a crop that a net cannot
    take, or a file in `out` that is somebody's.
    """
    recipe = recipes.load(name, root=root)
    folder = out or state_folder(root) / "describe" / recipe.name
    with delivering(folder):
        delivery = Delivery(folder, overwrite=overwrite or out is None)
        nets = nets_of(recipe, crop_px)
        delivery.refuse_others([PAGE, *(f"{name}.svg" for name in (*(net.name for net in nets), TRAINING))])
        found = []
        for net in nets:
            found.append(describe_net(net))
            print("\n".join(lines(found[-1])) + "\n")
        drawings = {each.net.name: draw(each.boxes, each.title, " · ".join(each.facts)) for each in found}
        task = words_for(recipe.synthesize.task, recipe.synthesize.baseline)
        drawings[TRAINING] = overview(recipe.train, recipe.train.generator.kind.replace("_", " "), task)
        for title, drawing in drawings.items():
            delivery.write(f"{title}.svg", svg(drawing).encode())
        pictures = {title: svg(drawing, alone=False) for title, drawing in drawings.items()}
        shown_px = recipe.train.phases[-1].crop_px if crop_px is None else crop_px
        return delivery.write(PAGE, render_page(recipe, found, pictures, shown_px).encode())
