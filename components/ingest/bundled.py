"""Colour photos that come inside packages Refocus needs anyway: a demonstration without a download.

The split is fixed, so that everybody's demo reports the same test photos: three with different
detail (roofs and lettering, wood grain and porcelain, thin bright structures before a dark sky).
Origins and terms are those that the packages themselves state, in skimage/data/_fetchers.py
(docstrings), sklearn/datasets/images/README.txt and the JPEG comment of grace_hopper.jpg.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from components.core.errors import PhotoError
from components.core.records import Split


@dataclass(frozen=True)
class Bundled:
    """One photo inside a package."""

    package: str
    file: str  # below the package's folder
    split: Split
    origin: str
    licence: str


BUNDLED_PHOTOS: tuple[Bundled, ...] = (
    Bundled(
        "skimage",
        "data/astronaut.png",
        "train",
        "Eileen Collins, NASA Great Images database, flic.kr/p/r9qvLn; scikit-image",
        "public domain",
    ),
    Bundled(
        "skimage", "data/chelsea.png", "train", "Chelsea the cat, by Stefan van der Walt; scikit-image", "CC0"
    ),
    Bundled(
        "skimage",
        "data/hubble_deep_field.jpg",
        "train",
        "Hubble eXtreme Deep Field, NASA; scikit-image",
        "public domain (NASA media guidelines)",
    ),
    Bundled(
        "skimage",
        "data/ihc.png",
        "train",
        "Stained colonic glands, Center for Microscopy And Molecular Imaging; scikit-image",
        "no known copyright restrictions",
    ),
    Bundled(
        "skimage",
        "data/motorcycle_left.png",
        "train",
        "Middlebury 2014 stereo benchmark (Scharstein et al.), reduced by 4; scikit-image",
        "not stated by the package",
    ),
    Bundled(
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        "train",
        "commons.wikimedia.org/wiki/File:Grace_Hopper.jpg; matplotlib",
        "not stated by the package",
    ),
    Bundled(
        "sklearn",
        "datasets/images/flower.jpg",
        "val",
        "flickr.com/photos/vultilion/6056698931; scikit-learn",
        "CC BY 2.0",
    ),
    Bundled(
        "sklearn",
        "datasets/images/china.jpg",
        "test",
        "flickr.com/photos/danielbuechele/6061409035; scikit-learn",
        "CC BY 2.0",
    ),
    Bundled(
        "skimage", "data/coffee.png", "test", "Pikolo Espresso Bar, by Rachel Michetti; scikit-image", "CC0"
    ),
    Bundled(
        "skimage",
        "data/rocket.jpg",
        "test",
        "DSCOVR on Falcon 9, flickr.com/photos/spacexphotos/16511594820; scikit-image",
        "public domain",
    ),
)


def path_of(photo: Bundled) -> Path:
    """Where the photo lies, found without importing the package (which would take seconds).

    Raises PhotoError when the package or the photo in it is missing.
    """
    spec = importlib.util.find_spec(photo.package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        path = Path(folder) / photo.file
        if path.is_file():
            return path
    raise PhotoError(
        f"the bundled photo {photo.package}/{photo.file} is not in this installation; "
        "install the set in constraints.txt again, or give ingest.photos a folder of your own"
    )
