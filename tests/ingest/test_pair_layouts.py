"""Each layout as it lies on disk: which pictures belong together, to which split, scene and
variant.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pair_sets
import pytest
from pair_sets import TEST_ONLY, config, inputs_of, reasons
from pydantic import ValidationError

from components.core.errors import PhotoError
from components.ingest.config import IngestConfig
from components.ingest.pairs import Pairs
from components.ingest.run import run

Make = Callable[[Path], Path]
# kind: how a small set is made, settings, its pairs (train and val together, test), one blurred
# picture with its sharp one, scene, variant
SETS: dict[str, tuple[Make, dict[str, Any], tuple[int, int], tuple[str, str, str, str | None]]] = {
    "gopro": (
        pair_sets.gopro,
        {"variant": "blur_gamma"},
        (6, 4),
        (
            "GOPRO_Large/test/GOPR0101_11_00/blur_gamma/000002.png",
            "GOPRO_Large/test/GOPR0101_11_00/sharp/000002.png",
            "GOPR0101_11_00",
            "blur_gamma",
        ),
    ),
    "reds": (
        pair_sets.reds,
        {"variant": "blur_jpeg"},
        (4, 2),
        ("val/val_blur_jpeg/000/00000001.jpg", "val/val_sharp/000/00000001.png", "val/000", "blur_jpeg"),
    ),
    "hide": (
        pair_sets.hide,
        {},
        (3, 2),
        (
            "HIDE_dataset/test/test-long-shot/9fromGOPR1096.png",
            "HIDE_dataset/GT/9fromGOPR1096.png",
            "test/GOPR1096",
            "long-shot",
        ),
    ),
    "realblur": (
        pair_sets.realblur,
        {"subset": "J"},
        (6, 2),
        (
            "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene007/blur/blur_2.png",
            "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene007/gt/gt_2.png",
            "scene007",
            "J",
        ),
    ),
    "dvd": (
        pair_sets.dvd,
        {},
        (4, 3),
        (
            "quantitative_datasets/IMG_0003/input/00001.png",
            "quantitative_datasets/IMG_0003/GT/00001.png",
            "IMG_0003",
            None,
        ),
    ),
    "koehler": (
        pair_sets.koehler,
        {},
        (0, 4),
        ("BlurryImages/Blurry2_1.png", "Image2/Kernel1/GroundTruth2_1_4.png", "image2", None),
    ),
    "two_folders": (
        pair_sets.two_folders,
        {"variant": "blur"},
        (0, 6),
        ("blur/004.png", "sharp/004.png", "sharp/004.png", "blur"),
    ),
}


def test_every_kind_of_the_union_has_a_set_here_or_frames_of_its_own() -> None:
    kinds = {get_args(member.model_fields["kind"].annotation)[0] for member in get_args(get_args(Pairs)[0])}
    assert kinds == {*SETS, "frame_average"}


@pytest.mark.parametrize("kind", SETS)
def test_a_set_comes_in_as_it_lies_on_disk(tmp_path: Path, kind: str) -> None:
    make, settings, (training, tested), (name, target, scene, variant) = SETS[kind]
    photoset = run(
        config(make(tmp_path / "in"), kind, split=TEST_ONLY if kind == "two_folders" else None, **settings),
        out=tmp_path / "out",
    )
    found = inputs_of(photoset)
    splits = [split for split, _ in found.values()]
    assert (len(splits) - splits.count("test"), splits.count("test")) == (training, tested)
    assert reasons(tmp_path / "out") == {}
    split, row = found[name]
    assert (split, row.layout, row.scene, row.variant) == ("test", kind, scene, variant)
    assert next(photo.name for photo in photoset.photos() if row in photo.inputs) == target
    for _, row in found.values():
        assert (photoset.folder / row.file).read_bytes() == (tmp_path / "in" / row.name).read_bytes()


@pytest.mark.parametrize("kind", ["gopro", "reds", "hide", "realblur"])
def test_val_is_taken_out_of_train_scene_by_scene(tmp_path: Path, kind: str) -> None:
    make, settings, *_ = SETS[kind]
    found = inputs_of(run(config(make(tmp_path / "in"), kind, **settings), out=tmp_path / "out"))
    scenes = {
        split: {row.scene for side, row in found.values() if side == split}
        for split in ("train", "val", "test")
    }
    assert len(scenes["val"]) == 1
    assert not scenes["val"] & scenes["train"]
    without = inputs_of(run(config(tmp_path / "in", kind, val=0.0, **settings), out=tmp_path / "whole"))
    assert {split for split, _ in without.values()} == {"train", "test"}


def test_the_variant_of_gopro_chooses_the_folder(tmp_path: Path) -> None:
    source = pair_sets.gopro(tmp_path / "in", trained=1, tested=1)
    by_variant = {
        variant: inputs_of(run(config(source, "gopro", variant=variant), out=tmp_path / variant))
        for variant in ("blur", "blur_gamma")
    }
    assert all(
        f"/{variant}/" in name and row.variant == variant
        for variant, found in by_variant.items()
        for name, (_, row) in found.items()
    )
    assert not {row.id for _, row in by_variant["blur"].values()} & {
        row.id for _, row in by_variant["blur_gamma"].values()
    }


def test_a_variant_that_is_not_there_is_answered_with_where_it_would_lie(tmp_path: Path) -> None:
    pair_sets.write(tmp_path / "in" / "train" / "S" / "sharp" / "1.png", pair_sets.picture(1))
    with pytest.raises(
        PhotoError,
        match=(
            r"unmatched .*: no blurred picture .*blur/000001\.png \(blur_gamma/ where ingest\.pairs\.variant"
            r" says so\)"
        ),
    ):
        run(config(tmp_path / "in", "gopro", variant="blur_gamma"), out=tmp_path / "out")


def test_the_test_half_of_gopro_alone_is_a_set_with_only_a_test_split(tmp_path: Path) -> None:
    photoset = run(
        config(pair_sets.gopro(tmp_path / "in", trained=0), "gopro", variant="blur"), out=tmp_path / "out"
    )
    assert photoset.counts == {"train": 0, "val": 0, "test": 4}


@pytest.mark.parametrize(("frame", "number"), [("nearest", 4), ("middle", 3)])
def test_the_frame_of_koehler_is_the_one_nearest_or_the_middle(
    tmp_path: Path, frame: str, number: int
) -> None:
    photoset = run(
        config(pair_sets.koehler(tmp_path / "in"), "koehler", frame=frame, max_shift_px=4),
        out=tmp_path / "out",
    )
    assert {photo.name.rpartition("_")[2] for photo in photoset.photos()} == {f"{number}.png"}
    # Frames lie 3 px apart, the fourth on the blurred picture.
    assert {round(row.shift_px[0]) for _, row in inputs_of(photoset).values()} == {3 * (4 - number)}


def test_several_blurred_pictures_go_with_one_sharp_one_by_a_part_of_the_name(tmp_path: Path) -> None:
    for seed in range(3):
        kernels = [tmp_path / f"in/blur/im{seed}_kernel{kernel}.png" for kernel in range(1, 5)]
        pair_sets.pair_at(tmp_path / f"in/sharp/im{seed}.png", *kernels, seed=seed)
    photoset = run(
        config(tmp_path / "in", "two_folders", strip=r"_kernel\d+$", split=TEST_ONLY), out=tmp_path / "out"
    )
    assert {photo.name: [row.name for row in photo.inputs] for photo in photoset.photos()} == {
        f"sharp/im{seed}.png": [f"blur/im{seed}_kernel{kernel}.png" for kernel in range(1, 5)]
        for seed in range(3)
    }


def test_folders_below_the_sharp_one_are_scenes_and_stay_together(tmp_path: Path) -> None:
    for seed in range(12):
        file = f"walk{seed // 2}/{seed % 2}"
        pair_sets.pair_at(tmp_path / f"in/target/{file}.png", tmp_path / f"in/input/{file}.jpg", seed=seed)
    found = inputs_of(
        run(config(tmp_path / "in", "two_folders", input="input", target="target"), out=tmp_path / "out")
    )
    sides = {row.scene: split for split, row in found.values()}
    assert set(sides) == {f"walk{number}" for number in range(6)}
    assert all(sides[row.scene] == split for split, row in found.values())
    assert set(sides.values()) == {"train", "val", "test"}


def test_a_pattern_names_the_scene(tmp_path: Path) -> None:
    for seed in range(6):
        pair_sets.pair_at(
            tmp_path / f"in/sharp/cam{seed // 2}-{seed}.png",
            tmp_path / f"in/blur/cam{seed // 2}-{seed}.png",
            seed=seed,
        )
    found = inputs_of(run(config(tmp_path / "in", "two_folders", scene=r"^(cam\d+)-"), out=tmp_path / "out"))
    assert {row.scene for _, row in found.values()} == {"cam0", "cam1", "cam2"}


def test_folders_decide_the_split_when_asked(tmp_path: Path) -> None:
    for place, split in enumerate(("train", "test")):
        pair_sets.pair_at(
            tmp_path / f"in/{split}/sharp/a.png", tmp_path / f"in/{split}/blur/a.png", seed=place
        )
    photoset = run(config(tmp_path / "in", "two_folders", split={"kind": "by_folder"}), out=tmp_path / "out")
    assert photoset.counts == {"train": 1, "val": 0, "test": 1}
    pair_sets.two_folders(tmp_path / "in", 1)
    with pytest.raises(
        PhotoError,
        match=r'by_folder, so pairs lie in the top folders train, val and test; "blur/000.png" does not',
    ):
        run(config(tmp_path / "in", "two_folders", split={"kind": "by_folder"}), out=tmp_path / "out")


@pytest.mark.parametrize("kind", [*SETS, "frame_average"])
def test_another_layout_is_answered_with_the_one_that_was_meant(tmp_path: Path, kind: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    settings = SETS[kind][1] if kind in SETS else {}
    with pytest.raises(
        PhotoError,
        match=(
            rf"no pairs at .*: {kind} needs .*; found there: 1 file, the first notes\.txt\. Give the folder"
            r" above"
        ),
    ):
        run(config(tmp_path / "in", kind, **settings), out=tmp_path / "data" / "out")
    assert not (tmp_path / "data" / "out").exists()


def test_what_a_realblur_list_names_and_is_not_there_is_said_and_what_it_leaves_out_is_not_looked_at(
    tmp_path: Path,
) -> None:
    source = pair_sets.realblur(tmp_path / "in")
    folder = "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001"
    (source / folder / "blur/blur_2.png").unlink()
    pair_sets.pair_at(source / folder / "gt/gt_9.png", source / folder / "blur/blur_9.png", seed=500)
    assert len(inputs_of(run(config(source, "realblur", subset="J"), out=tmp_path / "out"))) == 7
    assert reasons(tmp_path / "out") == {
        f"{folder}/blur/blur_2.png": "unmatched: RealBlur_J_train_list.txt names it, and it is not there"
    }
    with pytest.raises(PhotoError, match=r"no pairs at .*: realblur needs RealBlur_J_train_list\.txt and"):
        run(config(source, "realblur", subset="R"), out=tmp_path / "none")


def test_pictures_of_koehler_without_their_path_and_paths_without_a_picture_are_named(tmp_path: Path) -> None:
    source = pair_sets.koehler(tmp_path / "in")
    (source / "BlurryImages/Blurry1_1.png").unlink()
    for frame in (source / "Image2/Kernel2").iterdir():
        frame.unlink()
    assert len(inputs_of(run(config(source, "koehler"), out=tmp_path / "out"))) == 2
    assert reasons(tmp_path / "out") == {
        "BlurryImages/Blurry2_2.png": "unmatched: no sharp picture goes with it",
        "Image1/Kernel1/GroundTruth1_1_1.png": "unmatched: no blurred picture goes with it",
    }


def test_a_line_of_a_realblur_list_that_names_one_file_is_shown(tmp_path: Path) -> None:
    source = pair_sets.realblur(tmp_path / "in")
    (source / "RealBlur_J_test_list.txt").write_text("scene007/gt/gt_1.png\n")
    with pytest.raises(
        PhotoError, match=r"line 1 of RealBlur_J_test_list\.txt names one file, scene007/gt/gt_1\.png"
    ):
        run(config(source, "realblur", subset="J"), out=tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pairs": {"kind": "two_folders"}}, "pairs two_folders need photos: the folder"),
        (
            {"photos": "x", "pairs": {"kind": "gopro", "variant": "blur"}, "split": {"kind": "by_folder"}},
            "a train and a test split of their own",
        ),
        (
            {"photos": "x", "pairs": {"kind": "koehler"}, "split": TEST_ONLY},
            "a train and a test split of their own",
        ),
        ({"photos": "x", "split": TEST_ONLY}, "one_split is for pairs"),
        ({"photos": "x", "pairs": {"kind": "gopro"}}, "variant"),
        ({"photos": "x", "pairs": {"kind": "gopros"}}, "'gopro'"),
        ({"photos": "x", "pairs": {"kind": "two_folders", "strip": "("}}, "no regular expression"),
        ({"photos": "x", "pairs": {"kind": "two_folders", "input": "a", "target": "a"}}, "name two folders"),
        ({"photos": "x", "pairs": {"kind": "two_folders", "input": "../a"}}, "a folder below the source"),
        ({"photos": "x", "pairs": {"kind": "frame_average", "frames": [8]}}, "take 7 or 9"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        IngestConfig.model_validate(settings)
