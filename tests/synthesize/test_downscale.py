"""Super-resolution pairs: the small photo is MATLAB's bicubic of the large one, sizes fit,
contradictions are refused.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from test_synthesize_run import everything, photoset_of

from components.core.errors import PhotoError
from components.core.images import png_bytes, read_rgb, to_float, to_uint8
from components.core.records import PairSet, PhotoSet
from components.core.resize import bicubic
from components.optics.downscale import Downscale
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run

FIELD = {"linear_light": False, "noise": None, "jpeg": None}  # the convention of published figures
SIZES = ((97, 82), (80, 120), (71, 70), (64, 91))


def config(**settings: object) -> SynthesizeConfig:
    return SynthesizeConfig.model_validate({"downscale": {}, "camera": FIELD, **settings})


@pytest.fixture(scope="module")
def photoset(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    return photoset_of(tmp_path_factory.mktemp("ingested"), sizes=SIZES)


@pytest.fixture(scope="module")
def made(photoset: PhotoSet, tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return run(config(), photoset, out=tmp_path_factory.mktemp("pairs"))


def test_the_record_says_what_the_pairs_are_for(made: PairSet) -> None:
    assert (made.task, made.scale, made.baseline, made.mean_colour) == (
        "super_resolution",
        4,
        "bicubic",
        None,
    )
    assert PairSet.load(made.folder) == made


def test_large_photos_are_cut_to_a_multiple_of_the_scale_from_the_top_left(
    photoset: PhotoSet, made: PairSet
) -> None:
    rows = {row.photo: row for row in made.pairs()}
    for photo in photoset.photos():
        row, whole = rows[photo.id], (photo.width, photo.height)
        assert (row.width, row.height) == (photo.width // 4 * 4, photo.height // 4 * 4)
        assert row.drawn["cut_from_px"] == (None if whole == (row.width, row.height) else list(whole))
        assert read_rgb(made.folder / row.input).shape == (row.height // 4, row.width // 4, 3)
        if photo.bits == 8:
            assert np.array_equal(
                read_rgb(made.folder / row.target),
                read_rgb(photoset.folder / photo.file)[: row.height, : row.width],
            )


def test_the_small_photo_is_bicubic_of_the_large_one_rounded(photoset: PhotoSet, made: PairSet) -> None:
    bits = {photo.id: photo.bits for photo in photoset.photos()}
    for row in made.pairs():
        wanted = to_uint8(
            bicubic(to_float(read_rgb(made.folder / row.target)), row.width // 4, row.height // 4)
        )
        off = np.abs(read_rgb(made.folder / row.input).astype(int) - wanted)
        # A 16-bit photo is shrunk from its 16 bits, not from the 8 that its target keeps.
        assert off.max() <= (0 if bits[row.photo] == 8 else 1)


def test_of_a_real_photo_the_small_one_is_exact(tmp_path: Path) -> None:
    from skimage import data

    pixels = np.ascontiguousarray(data.chelsea()[:300, :448])
    small = config(downscale={"scale": 4}).downscale
    assert small is not None
    exact = np.rint(np.clip(bicubic(pixels.astype(np.float32), 112, 75), 0, 255))
    assert np.array_equal(to_uint8(small.apply(to_float(pixels))), exact)


def test_rows_name_the_downscale_and_count_as_mild(made: PairSet) -> None:
    for row in made.pairs():
        assert (row.blur_kind, row.severity, row.severity_class) == ("downscale", 0.0, "mild")
        assert row.drawn["downscale"] == {"kind": "plain", "scale": 4, "kernel": "bicubic"}


def test_a_blur_before_the_downscale_keeps_its_own_kind(photoset: PhotoSet, tmp_path: Path) -> None:
    blurred = run(config(blurs=[{"kind": "random_trajectory"}], pairs_per_photo=2), photoset, out=tmp_path)
    assert {row.blur_kind for row in blurred.pairs()} == {"random_trajectory"}
    assert blurred.counts["train"] == 4
    assert all(row.severity > 0 for row in blurred.pairs())


def test_plain_bilinear_is_opencvs(photoset: PhotoSet, tmp_path: Path) -> None:
    plain = run(config(downscale={"scale": 4, "kernel": "bilinear_plain"}), photoset, out=tmp_path)
    bits = {photo.id: photo.bits for photo in photoset.photos()}
    for row in plain.pairs():
        if bits[row.photo] == 8:
            large = read_rgb(plain.folder / row.target)
            small = cv2.resize(large, (row.width // 4, row.height // 4), interpolation=cv2.INTER_LINEAR)
            assert (
                np.abs(read_rgb(plain.folder / row.input).astype(int) - small).max() <= 1
            )  # OpenCV's 8-bit arithmetic is coarser


def test_noise_and_jpeg_act_on_the_small_photo(photoset: PhotoSet, made: PairSet, tmp_path: Path) -> None:
    noisy = run(config(camera={"linear_light": False}), photoset, out=tmp_path)
    clean = {row.photo: row for row in made.pairs()}
    for row in noisy.pairs():
        assert row.target_sha256 == clean[row.photo].target_sha256
        assert row.input_sha256 != clean[row.photo].input_sha256
        assert read_rgb(noisy.folder / row.input).shape == (row.height // 4, row.width // 4, 3)


def test_in_linear_light_fine_black_and_white_keeps_its_light() -> None:
    # Half the light is level 188 of sRGB; averaging sRGB values gives 128.
    from components.core.images import Picture
    from components.optics.degradation import plans
    from components.optics.light import light_of

    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    for linear, level in ((True, 188), (False, 128)):
        settings = config(camera={**FIELD, "linear_light": linear})
        small = plans(settings.degradation, [1])[0].blurred(
            light_of(Picture(stripes, 3, 8, "PNG"), linear=linear)
        )
        assert set(np.unique(small[:, 4:-4]).tolist()) == {level}


def test_a_longest_side_is_kept_before_the_cut(photoset: PhotoSet, tmp_path: Path) -> None:
    rows = run(config(max_side_px=66, downscale={"scale": 2}), photoset, out=tmp_path).pairs()
    assert {max(row.width, row.height) for row in rows} == {66}
    assert all(row.width % 2 == row.height % 2 == 0 for row in rows)


def test_the_same_settings_give_the_same_bytes(photoset: PhotoSet, made: PairSet, tmp_path: Path) -> None:
    assert everything(run(config(), photoset, out=tmp_path).folder) == everything(made.folder)


def test_the_sheet_shows_the_small_photo_as_large_as_the_other(made: PairSet) -> None:
    sheet = read_rgb(made.folder / "examples.png")
    assert sheet.shape == (2 * 160 + 4, 4 * (160 + 4) - 4, 3)


def test_a_photo_too_small_to_be_shrunk_is_refused_by_name(tmp_path: Path) -> None:
    small = photoset_of(tmp_path / "ingested", sizes=((64, 64), (63, 200)))
    with pytest.raises(
        PhotoError,
        match=r"1 of 2 photos are smaller than the least that can be used, 64 px: 1\.png is 63 × 200 px",
    ):
        run(config(), small, out=tmp_path / "pairs")


def test_the_room_asked_for_counts_small_photos_as_small(photoset: PhotoSet) -> None:
    from components.synthesize.run import _megabytes

    photo = photoset.photos()[0]
    assert _megabytes(config(), photo) == pytest.approx(3 * photo.width * photo.height * (1 + 1 / 16) / 1e6)


def test_left_out_settings_follow_the_task_and_survive_being_written_down() -> None:
    plain = SynthesizeConfig.model_validate({"downscale": {}})
    assert [blur.kind for blur in plain.blurs] == ["none"]
    assert plain.camera.noise is not None
    assert SynthesizeConfig.model_validate(plain.model_dump(mode="json")) == plain
    assert [blur.kind for blur in SynthesizeConfig().blurs] == ["random_trajectory"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"downscale": {"scale": 1}}, "greater than or equal to 2"),
        ({"downscale": {"scale": 9}}, "less than or equal to 8"),
        ({"downscale": {"kernel": "lanczos"}}, "'bicubic' or 'bilinear_plain'"),
        ({"max_side_px": 48}, "must be at least 64 px a side to be shrunk 4 times"),
        ({"pairs_per_photo": 3}, "all pairs of a photo would be the same"),
        ({"pairs_per_eval_photo": 2}, "all pairs of a photo would be the same"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_birth(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(**settings)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_every_scale_gives_its_size(scale: int) -> None:
    downscale = Downscale(scale=scale)
    cut = downscale.cut(np.zeros((75, 90, 3), np.float32))
    assert downscale.apply(cut).shape == (75 // scale, 90 // scale, 3)
    assert png_bytes(to_uint8(downscale.apply(cut)))
