"""Translation pairs: two halves either way, grey to colour, the mean colour, refusals. One contract
over every kind.
"""

from __future__ import annotations

import typing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from test_synthesize_run import everything, photoset_of

from components.core.errors import PhotoError
from components.core.files import sha256_of_file
from components.core.images import Picture, png_bytes, read_rgb
from components.core.records import PhotoSet
from components.core.seeds import stream
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run
from components.synthesize.translate import ToColour, Translate, luma

KINDS = typing.get_args(typing.get_args(Translate)[0])
FACADES = {"kind": "side_by_side", "input": "right"}


def config(translate: dict[str, object], **settings: object) -> SynthesizeConfig:
    return SynthesizeConfig.model_validate({"translate": translate, **settings})


def coloured(
    folder: Path, sizes: tuple[tuple[int, int], ...] = ((64, 32), (48, 40), (96, 32), (64, 64))
) -> PhotoSet:
    """Colour photos of 8 bits; splits train, val, train, test."""
    found = photoset_of(folder, sizes=sizes)
    rows = []
    for index, row in enumerate(found.photos()):
        pixels = stream("translate", index).integers(0, 256, (row.height, row.width, 3), dtype=np.uint8)
        (folder / row.file).write_bytes(png_bytes(pixels))
        rows.append(
            row.model_copy(update={"id": sha256_of_file(folder / row.file), "channels": 3, "bits": 8})
        )
    ordered = tuple(sorted(rows, key=lambda row: row.id))
    return PhotoSet(counts=found.counts, table_sha256=PhotoSet.write_table(folder, ordered)).save(folder)


@pytest.fixture(scope="module")
def photoset(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    return coloured(tmp_path_factory.mktemp("ingested"))


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Translate:
    made: Translate = request.param()
    return made


def test_every_kind_gives_input_and_target_of_the_size_it_states(kind: Translate) -> None:
    pixels = stream(1).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    for part in kind.parted(Picture(pixels, 3, 8, "PNG")):
        assert part.pixels.shape[1::-1] == kind.size(64, 40)
        assert part.pixels.dtype == np.uint8


def test_every_kind_makes_a_pair_set_with_its_baseline(
    kind: Translate, photoset: PhotoSet, tmp_path: Path
) -> None:
    made = run(SynthesizeConfig(translate=kind), photoset, out=tmp_path)
    assert (made.task, made.scale, made.baseline) == ("translation", 1, kind.baseline)
    assert made.counts == photoset.counts
    for row in made.pairs():
        assert (row.blur_kind, row.severity, row.severity_class) == (kind.kind, 0.0, "mild")
        assert row.drawn["translate"] == kind.model_dump(mode="json")
        assert (
            read_rgb(made.folder / row.input).shape
            == read_rgb(made.folder / row.target).shape
            == (row.height, row.width, 3)
        )
    assert (made.folder / "examples.png").is_file()


@pytest.mark.parametrize("side", ["left", "right"])
def test_halves_go_either_way(side: str, photoset: PhotoSet, tmp_path: Path) -> None:
    made = run(config({"kind": "side_by_side", "input": side}), photoset, out=tmp_path)
    file_of = {photo.id: photo.file for photo in photoset.photos()}
    for row in made.pairs():
        whole = read_rgb(photoset.folder / file_of[row.photo])
        left, right = whole[:, : row.width], whole[:, row.width :]
        input, target = (left, right) if side == "left" else (right, left)
        assert np.array_equal(read_rgb(made.folder / row.input), input)
        assert np.array_equal(read_rgb(made.folder / row.target), target)


def test_to_colour_gives_the_luma_and_wants_the_photo(photoset: PhotoSet, tmp_path: Path) -> None:
    made = run(config({"kind": "to_colour"}), photoset, out=tmp_path)
    file_of = {photo.id: photo.file for photo in photoset.photos()}
    for row in made.pairs():
        whole = read_rgb(photoset.folder / file_of[row.photo])
        assert np.array_equal(read_rgb(made.folder / row.target), whole)
        assert np.array_equal(
            read_rgb(made.folder / row.input)[:, :, 2], np.asarray(Image.fromarray(whole).convert("L"))
        )


def test_luma_is_pillows_and_keeps_grey() -> None:
    pixels = stream(2).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    assert np.array_equal(luma(pixels), np.asarray(Image.fromarray(pixels).convert("L")))
    for type_ in (np.uint8, np.uint16):
        grey = np.linspace(0, np.iinfo(type_).max, 256).astype(type_)
        assert np.array_equal(luma(np.repeat(grey[None, :, None], 3, axis=2))[0], grey)


def test_the_mean_colour_is_that_of_the_training_targets_alone(photoset: PhotoSet, tmp_path: Path) -> None:
    made = run(config(FACADES), photoset, out=tmp_path)
    targets = np.concatenate(
        [read_rgb(made.folder / row.target).reshape(-1, 3) for row in made.pairs("train")]
    )
    assert made.mean_colour == tuple(np.floor(targets.mean(0) + 0.5).astype(int))


def test_without_training_photos_there_is_no_mean_colour(tmp_path: Path) -> None:
    found = coloured(tmp_path / "ingested", sizes=((64, 32),))
    rows = tuple(photo.model_copy(update={"split": "test"}) for photo in found.photos())
    alone = PhotoSet(
        counts={"train": 0, "val": 0, "test": 1}, table_sha256=PhotoSet.write_table(found.folder, rows)
    ).save(found.folder)
    with pytest.raises(PhotoError, match="baseline mean_colour is the mean over the training photos"):
        run(config(FACADES), alone, out=tmp_path / "pairs")
    assert run(config({**FACADES, "baseline": "input"}), alone, out=tmp_path / "pairs").mean_colour is None


def test_a_longest_side_shrinks_input_and_target_alike(photoset: PhotoSet, tmp_path: Path) -> None:
    made = run(config(FACADES, max_side_px=32), photoset, out=tmp_path)
    sizes = {photo.id: (photo.width // 2, photo.height) for photo in photoset.photos()}
    for row in made.pairs():
        assert max(row.width, row.height) == 32
        assert row.drawn["shrunk_from_px"] == (
            None if max(sizes[row.photo]) <= 32 else list(sizes[row.photo])
        )
        assert read_rgb(made.folder / row.input).shape == (row.height, row.width, 3)


def test_the_same_settings_give_the_same_bytes(photoset: PhotoSet, tmp_path: Path) -> None:
    first, second = (run(config(FACADES), photoset, out=tmp_path / name) for name in ("one", "two"))
    assert everything(first.folder) == everything(second.folder)
    assert config(FACADES).identity != config({**FACADES, "input": "left"}).identity
    assert config(FACADES, workers=3).identity == config(FACADES).identity


def test_a_photo_of_odd_width_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        PhotoError, match=r"1 of 2 photos cannot be used: 1\.png: its width is odd, so it has no two halves"
    ):
        run(
            config(FACADES),
            coloured(tmp_path / "ingested", sizes=((64, 32), (65, 32))),
            out=tmp_path / "pairs",
        )


def test_a_grey_photo_has_no_colour_to_teach(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"1 of 4 photos cannot be used: 1\.png: it is grey"):
        run(config({"kind": "to_colour"}), photoset_of(tmp_path / "ingested"), out=tmp_path / "pairs")
    assert ToColour().baseline == "input"


def test_halves_too_small_are_refused_with_their_size(tmp_path: Path) -> None:
    with pytest.raises(
        PhotoError, match=r"least that can be used, 16 px: 0\.png is 30 × 40 px, its target 15 × 40 px"
    ):
        run(config(FACADES), coloured(tmp_path / "ingested", sizes=((30, 40),)), out=tmp_path / "pairs")


def test_left_out_settings_follow_the_task_and_survive_being_written_down() -> None:
    plain = config(FACADES)
    assert [blur.kind for blur in plain.blurs] == ["none"]
    assert (plain.camera.noise, plain.camera.jpeg) == (None, None)
    assert SynthesizeConfig.model_validate(plain.model_dump(mode="json")) == plain


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"downscale": {}}, "translate and downscale are two tasks"),
        (
            {"blurs": [{"kind": "random_trajectory"}]},
            "nothing to blur: leave blurs out; got random_trajectory",
        ),
        ({"camera": {}}, "leave camera out, or set its noise and jpeg to null"),
        ({"camera": {"jpeg": None}}, "leave camera out, or set its noise to null"),
        ({"pairs_per_photo": 2}, "all pairs of a photo would be the same"),
        ({"translate": {"kind": "side_by_side", "input": "top"}}, "'left' or 'right'"),
        ({"translate": {"kind": "to_colour", "baseline": "bicubic"}}, "'input' or 'mean_colour'"),
        ({"translate": {"kind": "to_color"}}, "to_colour"),
    ],
)
def test_contradictions_are_refused_at_birth(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SynthesizeConfig.model_validate({"translate": FACADES, **settings})
