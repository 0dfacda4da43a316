"""Small sets of real pairs, laid out as the published ones are: each blurred picture is its sharp
one under a Gaussian, moved when asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ingest_photos import picture, write

from components.core.images import Bytes8, linear_of, linear_to_srgb, to_uint8
from components.core.quarantine import Quarantine
from components.core.records import PairedInput, PhotoSet
from components.ingest.config import IngestConfig

SIGMA = 1.5


def blurred(target: Bytes8, *, sigma: float = SIGMA, moved: tuple[float, float] = (0.0, 0.0)) -> Bytes8:
    """The picture under a Gaussian in linear light, then moved right and down by so many px."""
    soft = cv2.GaussianBlur(linear_of(target), (0, 0), sigma)
    matrix = np.array([[1, 0, moved[0]], [0, 1, moved[1]]], np.float32)
    size = (target.shape[1], target.shape[0])
    return to_uint8(
        linear_to_srgb(
            np.clip(
                cv2.warpAffine(soft, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101),
                0,
                1,
            )
        )
    )


def pair_at(target: Path, *others: Path, seed: int, **how: Any) -> None:
    """One sharp picture, and blurred ones of it, each a little stronger than the one before."""
    pixels = picture(seed)
    write(target, pixels)
    for place, other in enumerate(others):
        write(other, blurred(pixels, **{"sigma": SIGMA + 0.2 * place, **how}))


def two_folders(root: Path, count: int = 6, *, below: str = "") -> Path:
    """blur/NNN.png beside sharp/NNN.png."""
    for seed in range(count):
        pair_at(root / below / f"sharp/{seed:03d}.png", root / below / f"blur/{seed:03d}.png", seed=seed)
    return root


def gopro(root: Path, *, trained: int = 3, tested: int = 2) -> Path:
    """Scenes of two pairs each, both variants, below GOPRO_Large/."""
    for split, scenes, first in (("train", trained, 0), ("test", tested, 100)):
        for scene in range(scenes):
            folder = root / "GOPRO_Large" / split / f"GOPR{first + scene:04d}_11_00"
            for number in range(2):
                file = f"{number + 1:06d}.png"
                pair_at(
                    folder / "sharp" / file,
                    folder / "blur" / file,
                    folder / "blur_gamma" / file,
                    seed=10 * (first + scene) + number,
                )
    return root


def reds(root: Path) -> Path:
    """Two training videos and one of val, whose number is also in train; blur_jpeg is JPEG."""
    for split, video, seed in (("train", "000", 0), ("train", "001", 10), ("val", "000", 20)):
        for number in range(2):
            file = f"{video}/{number:08d}"
            top = root / split
            others = (top / f"{split}_blur/{file}.png", top / f"{split}_blur_jpeg/{file}.jpg")
            pair_at(top / f"{split}_sharp/{file}.png", *others, seed=seed + number)
    return root


def hide(root: Path) -> Path:
    """Blurred pictures of train and of both halves of test, their sharp ones in one folder."""
    places = (
        ("train", "1fromGOPR0950"),
        ("train", "2fromGOPR0950"),
        ("train", "3fromGOPR0951"),
        ("test/test-close-ups", "7fromGOPR1089"),
    )
    for seed, (place, name) in enumerate((*places, ("test/test-long-shot", "9fromGOPR1096"))):
        pair_at(root / f"HIDE_dataset/GT/{name}.png", root / f"HIDE_dataset/{place}/{name}.png", seed=seed)
    return root


def realblur(root: Path) -> Path:
    """Three training scenes and one test scene of the J subset, and the lists that say so."""
    folder = "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"
    lines: dict[str, list[str]] = {"train": [], "test": []}
    for scene, split in ((1, "train"), (2, "train"), (3, "train"), (7, "test")):
        for number in (1, 2):
            target, soft = (
                f"{folder}/scene{scene:03d}/gt/gt_{number}.png",
                f"{folder}/scene{scene:03d}/blur/blur_{number}.png",
            )
            pair_at(root / target, root / soft, seed=10 * scene + number)
            lines[split].append(f"{target} {soft}")
    for split, said in lines.items():
        (root / f"RealBlur_J_{split}_list.txt").write_text("\n".join(said) + "\n")
    return root


def dvd(root: Path) -> Path:
    """Two clips of training and one of the authors' ten for testing, two frames and three."""
    for name, seed, count in (("IMG_0001", 0, 2), ("720p_240fps_1", 10, 2), ("IMG_0003", 20, 3)):
        for number in range(count):
            clip = root / "quantitative_datasets" / name
            pair_at(clip / f"GT/{number:05d}.png", clip / f"input/{number:05d}.png", seed=seed + number)
    return root


def koehler(root: Path) -> Path:
    """Two pictures by two paths; beside each five sharp frames along the path, the fourth of which
    lies where the blurred one does.
    """
    for image in (1, 2):
        for path in (1, 2):
            pixels = picture(10 * image + path)
            for frame in range(1, 6):
                moved = blurred(pixels, sigma=0.3, moved=(3.0 * (frame - 4), 0.0))
                write(root / f"Image{image}/Kernel{path}/GroundTruth{image}_{path}_{frame}.png", moved)
            write(root / f"BlurryImages/Blurry{image}_{path}.png", blurred(pixels))
    return root


def config(
    place: Path | str, kind: str, *, split: dict[str, Any] | None = None, min_px: int = 64, **settings: Any
) -> IngestConfig:
    """Settings of an import."""
    told = {} if split is None else {"split": split}
    return IngestConfig.model_validate(
        {"photos": str(place), "min_px": min_px, "pairs": {"kind": kind, **settings}, **told}
    )


TEST_ONLY = {"kind": "one_split", "split": "test"}


def inputs_of(photoset: PhotoSet) -> dict[str, tuple[str, PairedInput]]:
    """Every blurred picture by its name, with its split."""
    return {row.name: (photo.split, row) for photo in photoset.photos() for row in photo.inputs}


def reasons(folder: Path) -> dict[str, str]:
    """What was left out and why."""
    return {row.name: row.reason for row in Quarantine.load(folder).left_out}
