"""Photos and the champion's figures against what it was promoted on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from chain import Chain
from house import BareHouse

from components.core.images import write_png
from components.core.records import Photo, PhotoSet
from components.register.config import DriftLimits
from components.registry.drift import Drift, drift_since
from components.services import tracking

pytestmark = pytest.mark.services

Build = Callable[..., BareHouse]


@pytest.fixture
def build(store: Path, bare_chain: Chain, tmp_path: Path, request: pytest.FixtureRequest) -> Build:
    def made(*gains: float) -> BareHouse:
        name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[:90]
        return BareHouse(name, bare_chain, list(gains), tmp_path)

    return made


def photos(root: Path, *, noise: float = 2.0, light: float = 120.0, side: int = 64) -> PhotoSet:
    """Six photos, of noise and brightness that differ a little."""
    rows = []
    (root / "originals").mkdir(parents=True)
    for index in range(6):
        draw = np.random.default_rng(index)
        picture = draw.normal(light + 2 * index, noise + 0.1 * index, (side, side, 3))
        write_png(root / "originals" / f"{index}.png", np.clip(picture, 0, 255).astype(np.uint8))
        rows.append(
            Photo(
                id=f"{index}{root.name}",
                file=f"originals/{index}.png",
                name=f"{index}.png",
                size_bytes=1,
                width=side,
                height=side,
                channels=3,
                bits=8,
                split="train",
                group=str(index),
            )
        )
    table = PhotoSet.write_table(root, tuple(rows))
    return PhotoSet(counts={"train": 6, "val": 0, "test": 0}, table_sha256=table).save(root)


def compared(model: BareHouse, first: PhotoSet, second: PhotoSet) -> dict[str, Drift]:
    """The table of version 2, judged beside version 1."""
    limits = DriftLimits()
    assert drift_since(limits, first, model.reports[0], model.promote(1)) == (), "nothing came before"
    rows = drift_since(limits, second, model.reports[1], model.promote(2))
    return {row.name: row for row in rows}


def test_photos_of_the_same_kind_have_not_drifted(build: Build, tmp_path: Path) -> None:
    rows = compared(build(1.0, 1.5), photos(tmp_path / "a"), photos(tmp_path / "b"))
    assert set(rows) >= {"photos' size", "photos' noise", "photos' sharpness", "champion's psnr_rgb"}
    assert not [row.words for row in rows.values() if row.beyond]


@pytest.mark.parametrize(
    ("what", "change"), [("noise", {"noise": 12.0}), ("brightness", {"light": 40.0}), ("size", {"side": 96})]
)
def test_photos_of_another_kind_are_told_of_by_what_moved(
    what: str, change: dict[str, float], build: Build, tmp_path: Path
) -> None:
    rows = compared(build(1.0, 1.5), photos(tmp_path / "a"), photos(tmp_path / "b", **change))  # type: ignore[arg-type]
    assert rows[f"photos' {what}"].beyond
    assert "moved" in rows[f"photos' {what}"].words
    others = {"size", "noise", "brightness"} - {what}
    assert not [name for name in others if rows[f"photos' {name}"].beyond]


def test_a_champion_that_fares_worse_on_fresh_pairs_is_told_of(build: Build, tmp_path: Path) -> None:
    model, limits, same = build(1.0, 1.5), DriftLimits(), photos(tmp_path / "a")
    drift_since(limits, same, model.reports[0], model.promote(1))
    model.gains[0] = -2.0  # what version 1 reads on the pairs of today
    rows = {row.name: row for row in drift_since(limits, same, model.reports[1], model.promote(2))}
    found = rows["champion's psnr_rgb"]
    assert (found.then, found.now, found.beyond) == (pytest.approx(25.0), pytest.approx(22.0), True)
    assert found.moved == pytest.approx(3 / 25)


def test_what_a_version_is_made_of_is_read_once_and_kept_with_it(build: Build, tmp_path: Path) -> None:
    model, limits, first = build(1.0), DriftLimits(), photos(tmp_path / "a")
    decision = model.promote(1)
    drift_since(limits, first, model.reports[0], decision)
    kept = tracking.get_version(model.name, 1).tags["refocus.made_of"]
    for path in (tmp_path / "a" / "originals").iterdir():
        path.unlink()
    assert drift_since(limits, first, model.reports[0], decision) == ()
    assert tracking.get_version(model.name, 1).tags["refocus.made_of"] == kept


def test_a_champion_of_an_older_program_has_no_table(build: Build, tmp_path: Path) -> None:
    model = build(1.0, 1.5)
    model.promote(1)
    rows = drift_since(DriftLimits(), photos(tmp_path / "a"), model.reports[1], model.promote(2))
    assert rows == ()
