"""A small set whose training pairs are made on the fly, of photos of every sort: colour, grey, 16
bits, and one that is shrunk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from photosets import photoset_of

from components.core.records import PairSet, PhotoSet, Split
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run

SIZES = (
    (96, 80),
    (80, 104),
    (90, 70),
    (192, 144),
    (70, 90),
    (80, 80),
)  # width, height; the fourth is larger than max_side_px
SPLIT: tuple[Split, ...] = ("train", "train", "train", "train", "val", "test")
BLUR = {"kind": "random_trajectory", "canvas_px": 24, "max_len_px": 20, "steps": 200}
SETTINGS: dict[str, Any] = {"seed": 5, "delivery": "on_the_fly", "blurs": [BLUR], "max_side_px": 104}


def fresh_set(folder: Path, **changes: Any) -> tuple[PhotoSet, PairSet]:
    """The photos, and what synthesize makes of them for training on the fly."""
    photoset = photoset_of(folder / "ingested", sizes=SIZES, splits=SPLIT)
    return photoset, run(SynthesizeConfig.model_validate(SETTINGS | changes), photoset, out=folder / "pairs")
