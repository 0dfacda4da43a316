"""What is kept between runs and taken again names all the code that it rests on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_layers import ROOT, files_imported_by, module_of

from components.core import pixel_code
from components.core.files import write_text
from components.ingest import decoded_before, near_duplicates, videos
from components.ingest.config import SharpClips
from components.ingest.examine import Facts
from components.ingest.pairs import clips, import_pairs
from components.ingest.pairs.frame_average import FrameAverage
from components.registry import measured
from components.synthesize import unfinished_pairs
from components.synthesize.config import SynthesizeConfig
from components.train import kept_pictures
from components.train import run as train

FILES = {module_of(path): path for path in (ROOT / "components").rglob("*.py")}
# What says, stores, locks, waits or describes, and gives no pixel and no number another value.
OTHERS = {
    *("addresses", "cause_table", "causes", "debugging", "errors", "files", "gpu", "locks", "memory"),
    *("own_process", "own_state", "parts", "photo_names", "pixel_code", "progress", "quarantine", "record"),
    *("records", "records.models", "records.photos", "records.terms", "releases", "short_folders"),
    *("stopping", "surroundings", "temporaries"),
}
PIXELS = pixel_code.PIXELS
# What is kept, by the module that makes it and the code that names it. Services carry bytes as they are.
KEPT = {
    "states of trainings": ("components.train.worker", (*train.CODE, "optics", *PIXELS)),
    "scores of versions": ("components.evaluate.measure", (*measured.CODE, *PIXELS)),
    "their nets": ("components.nets.restore", (*measured.CODE, *PIXELS)),
    "decoded pictures": ("components.train.pictures", (*kept_pictures.CODE, *PIXELS)),
    "unfinished pairs": ("components.synthesize.photo", (*unfinished_pairs.CODE, *PIXELS)),
    "facts of photos": ("components.ingest.examine", (*decoded_before.CODE, *PIXELS)),
    "their likeness": ("components.ingest.near_duplicates", (*decoded_before.CODE, *PIXELS)),
    "shifts of pairs": ("components.ingest.pairs.compare", (*import_pairs.CODE, *PIXELS)),
    "averaged frames": ("components.ingest.pairs.frame_average", (*clips.CODE, *PIXELS)),
    "clips in videos": ("components.core.video.scenes", (*videos.CODE, *PIXELS)),
    "their frames": ("components.ingest.pairs.frames", (*videos.CODE, *PIXELS)),
}
SETTINGS = (
    *("components.train.config", "components.train.kept_pictures"),  # these names have their own
    *("components.ingest.config", "components.ingest.pairs.layout", "components.ingest.source"),
)


def needed_by(module: str) -> set[str]:
    """The files of components/ that a module imports, through all it imports."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in FILES or name.startswith(("components.services", *SETTINGS)):
            continue
        seen.add(name)
        waiting += files_imported_by(FILES[name])
    return seen


@pytest.mark.parametrize("what", KEPT)
def test_all_code_that_it_rests_on_is_in_its_name(what: str) -> None:
    module, parts = KEPT[what]
    named = [ROOT / "components" / part for part in parts]
    assert all(part.exists() for part in named)
    left_out = {
        name
        for name in needed_by(module)
        if not any(FILES[name] == part or part in FILES[name].parents for part in named)
    }
    assert left_out <= {f"components.core.{name}" for name in OTHERS}


def test_the_code_is_that_of_the_parts_and_of_what_gives_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "core" / "pixel_code.py"
    for name in ("core/seeds.py", "core/errors.py", "metrics/ssim.py", "nets/unet.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    monkeypatch.setattr(pixel_code, "__file__", str(place))
    monkeypatch.setattr(pixel_code, "PIXELS", ("core/seeds.py",))
    first = pixel_code.pixel_code("metrics")
    for name, counts in (
        ("core/seeds.py", True),
        ("metrics/ssim.py", True),
        ("core/errors.py", False),
        ("nets/unet.py", False),
    ):
        (tmp_path / name).write_text("x = 2\n")
        assert (pixel_code.pixel_code("metrics") != first) == counts
        (tmp_path / name).write_text("x = 1\n")


def compared() -> decoded_before.Remembered:
    return decoded_before.Remembered("compared", import_pairs.FIGURES, *import_pairs.CODE)


def facts() -> bool:
    return decoded_before.Known().get("a" * 64) is not None


def shifts() -> bool:
    return (
        decoded_before.Remembered("compared", import_pairs.FIGURES, *import_pairs.CODE).get("b") is not None
    )


def averaged() -> bool:
    return bool(clips.Journal("c" * 64, FrameAverage()).rows)


def in_videos() -> bool:
    return videos._place("d" * 64, SharpClips()).exists()


def unfinished() -> bool:
    return any((unfinished_pairs.Workbench(SynthesizeConfig()).folder).glob("kept"))


@pytest.mark.parametrize("kept", [facts, shifts, averaged, in_videos, unfinished])
def test_what_another_release_found_is_found_anew(
    kept: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = decoded_before.Known()
    known.add("a" * 64, Facts(8, 8, 3, 8, "JPEG", np.zeros((near_duplicates.SIDE,) * 2, np.uint16)))
    known.save()
    pairs = compared()
    pairs.add("b", 0.0, 0.0, 1.0, 1.0)
    pairs.save()
    clips.Journal("c" * 64, FrameAverage()).add({"group": 1})
    write_text(videos._place("d" * 64, SharpClips()), "[]")
    (unfinished_pairs.Workbench(SynthesizeConfig()).folder / "kept").touch()
    assert kept()
    monkeypatch.setattr(pixel_code, "releases", lambda: {"numpy": "0.1"})
    assert not kept()
