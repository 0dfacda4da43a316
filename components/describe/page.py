"""The nets of a recipe as one HTML page that needs nothing else: pictures inside, no script,
readable in light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from components.core.pages import templates
from components.describe.layer_names import big, macs_words, shape_words
from components.describe.nets import Described
from components.describe.training import further, optimisers, phase_words, terms
from components.recipes import Recipe


def render_page(recipe: Recipe, found: Sequence[Described], pictures: Mapping[str, str], crop_px: int) -> str:
    """The whole page as text.

    pictures: SVG by the name of its net, and that of the whole training as "training".
    crop_px: side of the sharp photo that shapes and MACs are for.
    """
    train = recipe.train
    return (
        templates(Path(__file__).parent)
        .get_template("page.html.j2")
        .render(
            recipe=recipe,
            nets=found,
            pictures={name: Markup(text) for name, text in pictures.items()},
            crop_px=crop_px,
            digest=recipe.record().digest,
            terms=terms(train),
            optimisers=optimisers(train),
            phases=[(phase.name, phase_words(phase)) for phase in train.phases],
            further=further(train),
            big=big,
            macs_words=macs_words,
            shape_words=shape_words,
        )
    )
