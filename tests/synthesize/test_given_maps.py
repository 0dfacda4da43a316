"""Pairs from photos that came with a mask or a depth map: made as large as what is blurred, named
in the row, refused where one is missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from photosets import SIZES, photoset_of
from pydantic import ValidationError

from components.core.errors import LineageError, PhotoError
from components.core.files import sha256_of_bytes
from components.core.images import read_rgb
from components.core.records import MapKind, Pair, PairSet, Photo, PhotoMap, PhotoSet
from components.synthesize.config import SynthesizeConfig
from components.synthesize.made_pairs import Work
from components.synthesize.maps import decoded
from components.synthesize.run import run

BARE = {"noise": None, "jpeg": None}
MOTION = {"kind": "object_motion", "mask": "given", "object_px": [9, 9], "background_px": [0, 0]}
FOCUS = {"kind": "defocus", "depth": "given", "radius_px": [4, 4], "focus": [0, 0]}


def config(*blurs: dict[str, Any], **settings: Any) -> SynthesizeConfig:
    return SynthesizeConfig.model_validate({"blurs": blurs, "camera": BARE, **settings})


def left_half(kind: MapKind, height: int, width: int) -> np.ndarray[Any, Any]:
    """White, or at 1 m, in its left half; black, or at 4 m, in the other."""
    values = np.full(
        (height, width), 0 if kind == "mask" else 4000, np.uint8 if kind == "mask" else np.uint16
    )
    values[:, : width // 2] = 255 if kind == "mask" else 1000
    return values


def mapped(folder: Path, *kinds: MapKind, but: str = "") -> PhotoSet:
    """A set whose photos have those maps; the one of the name `but` has none."""
    photoset = photoset_of(folder)
    rows = []
    for photo in photoset.photos():
        maps = []
        for kind in kinds if photo.name != but else ():
            done, encoded = cv2.imencode(".png", left_half(kind, photo.height, photo.width))
            assert done
            digest = sha256_of_bytes(encoded.tobytes())
            (folder / f"{digest}.png").write_bytes(encoded.tobytes())
            maps.append(
                PhotoMap(
                    id=digest,
                    kind=kind,
                    file=f"{digest}.png",
                    name=f"{photo.name[:-4]}.{kind}.png",
                    size_bytes=encoded.size,
                )
            )
        rows.append(photo.model_copy(update={"maps": tuple(maps)}))
    return PhotoSet(counts=photoset.counts, table_sha256=PhotoSet.write_table(folder, tuple(rows))).save(
        folder
    )


def pictures(pairset: PairSet, row: Pair) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    target, blurred = (read_rgb(pairset.folder / name).astype(int) for name in (row.target, row.input))
    return target, blurred


@pytest.mark.parametrize(
    ("blur", "kind", "still"),
    [(MOTION, "mask", "right"), (FOCUS, "depth", "left")],
    ids=["mask", "depth map"],
)
def test_one_half_of_every_pair_is_blurred_and_the_other_is_not(
    tmp_path: Path, blur: dict[str, Any], kind: MapKind, still: str
) -> None:
    photoset = mapped(tmp_path / "ingested", "depth", "mask")
    pairset = run(config(blur), photoset, out=tmp_path / "pairs")
    ids = {photo.id: next(each.id for each in photo.maps if each.kind == kind) for photo in photoset.photos()}
    assert len(pairset.pairs()) == len(SIZES)
    for row in pairset.pairs():
        target, blurred = pictures(pairset, row)
        off = np.abs(blurred - target)
        halves = {"left": off[:, : row.width // 2 - 12], "right": off[:, row.width // 2 + 12 :]}
        moving = halves.pop("left" if still == "right" else "right")
        assert halves[still].max() == 0
        assert moving.max() > 3
        drawn = row.drawn["blur"]
        assert isinstance(drawn, dict)
        assert drawn[kind] == ids[row.photo][:16]


def test_maps_shrink_with_the_photo_and_are_cut_as_it_is(tmp_path: Path) -> None:
    photo = next(photo for photo in mapped(tmp_path, "depth", "mask").photos() if photo.width == 96)
    work = Work(
        config(MOTION, FOCUS, downscale={"scale": 3}),
        photo,
        b"",
        maps={each.kind: (tmp_path / each.file).read_bytes() for each in photo.maps},
    )
    maps = decoded(work, 40, 50)  # 96 px to 50: column 25 begins where the left half ends
    assert {kind: each.values.shape for kind, each in maps.items()} == {"depth": (39, 48), "mask": (39, 48)}
    assert maps["mask"].values[7, [0, 24, 25, 47]] == pytest.approx([1, 1, 0, 0], abs=1e-6)
    assert maps["depth"].values[7, [0, 24, 25, 47]] == pytest.approx([1, 1, 0.25, 0.25], abs=1e-6)
    assert maps["mask"].sha256 == photo.maps[1].id


def test_small_photos_of_a_shrunk_one_keep_their_still_half(tmp_path: Path) -> None:
    pairset = run(
        config(MOTION, max_side_px=64), mapped(tmp_path / "ingested", "mask"), out=tmp_path / "pairs"
    )
    for row in pairset.pairs():
        target, blurred = pictures(pairset, row)
        assert np.abs(blurred - target)[:, row.width // 2 + 12 :].max() <= 1


def test_maps_that_no_blur_takes_change_no_pair(tmp_path: Path) -> None:
    blur = {"kind": "object_motion", "object_px": [9, 9]}
    plain, other = (
        run(config(blur), photos, out=tmp_path / name)
        for name, photos in (("a", photoset_of(tmp_path / "1")), ("b", mapped(tmp_path / "2", "mask")))
    )
    assert plain.pairs() == other.pairs()


def test_another_mask_of_the_same_photo_makes_its_pairs_again(tmp_path: Path) -> None:
    photoset = mapped(tmp_path / "ingested", "mask")
    first = run(config(MOTION), photoset, out=tmp_path / "pairs")
    other: list[Photo] = []
    for photo in photoset.photos():
        (mask,) = photo.maps
        done, data = cv2.imencode(".png", 255 - left_half("mask", photo.height, photo.width))
        assert done
        digest = sha256_of_bytes(data.tobytes())
        (photoset.folder / f"{digest}.png").write_bytes(data.tobytes())
        other.append(
            photo.model_copy(
                update={"maps": (mask.model_copy(update={"id": digest, "file": f"{digest}.png"}),)}
            )
        )
    turned = PhotoSet(
        counts=photoset.counts, table_sha256=PhotoSet.write_table(photoset.folder, tuple(other))
    ).save(photoset.folder)
    second = run(config(MOTION), turned, out=tmp_path / "others")
    assert not {row.input_sha256 for row in first.pairs()} & {row.input_sha256 for row in second.pairs()}


def test_a_photo_without_the_map_is_refused_before_work_starts(tmp_path: Path) -> None:
    photoset = mapped(tmp_path / "ingested", "mask", but="2.png")
    sentence = (
        r"object_motion with mask: given takes each photo's own mask, and 1 of 4 photos have none: 2\.png\."
        r" Put 2\.mask\.png beside it, and so for the others,"
        r" and ingest again \(quarantine\.json says which were left out\); or take those photos out, or set"
        r" mask to drawn"
    )
    with pytest.raises(PhotoError, match=sentence):
        run(config(MOTION), photoset, out=tmp_path / "pairs")
    with pytest.raises(PhotoError, match=r"own depth, and 4 of 4 photos have none"):
        run(config(MOTION, FOCUS), mapped(tmp_path / "again", "mask"), out=tmp_path / "pairs")
    assert not (tmp_path / "pairs").exists()


def test_a_mask_that_was_altered_since_ingest_is_refused(tmp_path: Path) -> None:
    photoset = mapped(tmp_path / "ingested", "mask")
    (photoset.folder / photoset.photos()[0].maps[0].file).write_bytes(b"other")
    with pytest.raises(LineageError, match="is missing or was altered"):
        run(config(MOTION), photoset, out=tmp_path / "pairs")


@pytest.mark.parametrize(("blur", "kind"), [(MOTION, "mask"), (FOCUS, "depth")])
def test_on_the_fly_there_are_no_maps(blur: dict[str, Any], kind: str) -> None:
    with pytest.raises(
        ValidationError,
        match=f"own {kind}, which does not come to training: set its {kind} to drawn, or delivery to offline",
    ):
        config(blur, delivery="on_the_fly")
