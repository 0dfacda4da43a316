"""A set that cannot be made anew leaves the one that is there as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from photosets import everything, photoset_of

from components.core.errors import RefocusError
from components.core.records import PairSet, PhotoSet
from components.optics.blurs import NoBlur, RandomTrajectory
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run

CONFIG = SynthesizeConfig(blurs=(RandomTrajectory(), NoBlur()))


def missing(original: Path) -> None:
    original.unlink()


def altered(original: Path) -> None:
    original.write_bytes(b"altered")


def too_small(original: Path) -> None:
    """Other photos, of which none can be used."""


@pytest.mark.parametrize("harm", [missing, altered, too_small])
@pytest.mark.parametrize("which", [0, -1])
@pytest.mark.parametrize("finished", [True, False])
def test_it_stays(harm: Callable[[Path], None], which: int, finished: bool, tmp_path: Path) -> None:
    """finished: the pictures of an earlier run are at hand, or all are made anew."""
    photoset = photoset_of(tmp_path / "ingested")
    made = run(CONFIG, photoset, out=tmp_path / "pairs")
    before = everything(tmp_path / "pairs")
    changed = CONFIG if finished else CONFIG.model_copy(update={"seed": 7})
    if harm is too_small:
        photoset = photoset_of(tmp_path / "tiny", sizes=((8, 8), (9, 8)))
    else:
        harm(photoset.folder / photoset.photos()[which].file)
    with pytest.raises(RefocusError):
        run(changed, PhotoSet.load(photoset.folder), out=tmp_path / "pairs")
    assert everything(tmp_path / "pairs") == before
    assert PairSet.load(tmp_path / "pairs").digest == made.digest
