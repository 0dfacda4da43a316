"""The whole stage, from photo files to a set of pairs: photos a second, where the time goes, and
how much memory a large photo takes.

Called by `python benchmarks/synthesize.py --stage --memory`; measures in processes of their own,
with a state folder of their own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from components.core.files import STATE_VARIABLE, sha256_of_bytes, write_bytes
from components.core.images import Bytes8, decode, png_bytes
from components.core.records import Photo, PhotoSet
from components.core.seeds import seed_of, stream
from components.optics.bands import in_bands, kept
from components.optics.degradation import plans
from components.optics.light import lit, shrunk
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run
from components.synthesize.unfinished_pairs import Workbench

PHOTOS = 48
WARM = 12  # first photos that do not count: workers start, libraries load
LARGE = (12000, 8400)
WHOLE_MEGAPIXELS = 12  # what is made whole is measured on fewer: 100 would not fit most machines


def stage() -> None:
    """Photos a second with no worker process, one and two, and the share of each part."""
    with tempfile.TemporaryDirectory() as folder:
        photoset = _photoset(Path(folder) / "photos", [_photo(1280, 720, index) for index in range(PHOTOS)])
        print(
            f"\n{f'stage: {PHOTOS} JPEG photos of 1280x720 to PNG pairs':<50}"
            f"{'photos/s':>10}{'of one':>10}{'whole, s':>10}"
        )
        rates: dict[int, list[tuple[float, float]]] = {0: [], 1: [], 2: []}
        for turn in range(2):
            for workers in rates:
                out = Path(folder) / f"pairs-{workers}-{turn}"
                rates[workers].append(_in_process("throughput", photoset.folder, out, workers))
        best = {workers: max(measured) for workers, measured in rates.items()}
        for workers, (rate, seconds) in best.items():
            name = (
                f"{workers} Ray worker{'s' if workers > 1 else ''}"
                if workers
                else "in the stage's own process"
            )
            print(f"{name:<50}{rate:>10.2f}{rate / best[1][0]:>9.2f}x{seconds:>10.1f}")
        _shares(photoset)


def throughput(photos: Path, out: Path, workers: int) -> tuple[float, float]:
    """Photos a second once all is warm, by when their pictures were written, and seconds in all."""
    began = time.monotonic()
    config = SynthesizeConfig(workers=workers)
    made = run(config, PhotoSet.load(photos), out=out)
    seconds = time.monotonic() - began
    written = sorted((Workbench(config).folder / row.input).stat().st_mtime for row in made.pairs())
    return (len(written) - 1 - WARM) / (written[-1] - written[WARM]), seconds


def _shares(photoset: PhotoSet) -> None:
    """Where the time of a photo goes, each part by itself, in this process."""
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for photo in photoset.photos():
            for part, work in _parts(photo, photoset.folder / photo.file, Path(folder)).items():
                began = time.perf_counter()
                work()
                seconds[part] = seconds.get(part, 0.0) + time.perf_counter() - began
    total = sum(seconds.values())
    print(f"\n{'where the time of a photo goes':<50}{'ms':>10}{'share':>10}")
    for part, spent in seconds.items():
        print(f"{part:<50}{1e3 * spent / PHOTOS:>10.2f}{spent / total:>10.1%}")


def _parts(photo: Photo, source: Path, out: Path) -> dict[str, Callable[[], object]]:
    """What the stage does to a photo, in order; each part is given what the one before it made."""
    degradation, seeds = SynthesizeConfig().degradation, [seed_of(0, photo.id, 0)]
    data = source.read_bytes()
    pixels, plan = decode(data).pixels, plans(degradation, seeds)[0]
    light = lit(pixels, linear=True)
    blurred = plan.effect.apply(light)
    input = plan.shot.picture(blurred)
    files = {out / "a": png_bytes(pixels), out / "b": png_bytes(input)}
    return {
        "read and hash the photo": lambda: sha256_of_bytes(source.read_bytes()),
        "decode": lambda: decode(data),
        "draw": lambda: plans(degradation, seeds),
        "sRGB to linear light": lambda: lit(pixels, linear=True),
        "blur": lambda: plan.effect.apply(light),
        "camera: noise, sRGB, JPEG": lambda: plan.shot.picture(blurred),
        "encode two PNG": lambda: [png_bytes(each) for each in (pixels, input)],
        "hash them": lambda: [sha256_of_bytes(each) for each in files.values()],
        "write them": lambda: list(map(write_bytes, *zip(*files.items(), strict=True))),
    }


def memory() -> None:
    """Peak memory above what the libraries take, of the stage on one 100-megapixel photo and of
    making pictures whole.
    """
    with tempfile.TemporaryDirectory() as folder:
        photos = _photoset(Path(folder) / "photos", [_photo(*LARGE, 0)]).folder
        small = _photoset(Path(folder) / "small", [_photo(4000, WHOLE_MEGAPIXELS * 250, 0)]).folder
        print(
            f"\n{'peak memory above that of the libraries':<50}"
            f"{'megapixels':>12}{'MB':>10}{'MB a megapixel':>16}"
        )
        for name, way, where in (
            ("decode", "decoded", photos),
            ("whole stage", "in_stage", photos),
            ("whole stage, max_side_px 2000", "shrunk_in_stage", photos),
            ("shrink to 2000 px, in bands", "in_shrink", photos),
            ("shrink to 2000 px, by way of floats", "whole_shrink", small),
            ("blur and camera in bands", "banded", photos),
            ("blur and camera in bands", "banded", small),
            ("blur and camera on the whole photo", "whole", small),
            ("a blur that varies (camera_shake_6dof)", "varying", small),
        ):
            megapixels, peak_mb = _in_process("peak", where, Path(folder) / f"pairs-{way}", way)
            print(f"{name:<50}{megapixels:>12.1f}{peak_mb:>10.0f}{peak_mb / megapixels:>16.1f}")


def peak(photos: Path, out: Path, way: str) -> tuple[float, float]:
    """The photo's megapixels, and how far one way to work on it raises this process's peak, MB."""
    photoset = PhotoSet.load(photos)
    photo = photoset.photos()[0]
    bytes_ = (photoset.folder / photo.file).read_bytes()
    picture = None if way in ("decoded", "in_stage", "shrunk_in_stage") else decode(bytes_)
    kinds = {"varying": [{"kind": "camera_shake_6dof"}]}
    config = SynthesizeConfig.model_validate(
        {
            "blurs": kinds.get(way, [{"kind": "random_trajectory"}]),
            "max_side_px": 2000 if way == "shrunk_in_stage" else None,
        }
    )
    plan = plans(config.degradation, [1])[0]
    tiny = np.zeros((256, 256, 3), np.uint8)
    kept(tiny, config.camera), in_bands(plan, tiny)  # the tables are there, and the libraries loaded
    ways: dict[str, Callable[[], object]] = {
        "decoded": lambda: decode(bytes_),
        "in_stage": lambda: run(config, photoset, out=out),
        "shrunk_in_stage": lambda: run(config, photoset, out=out),
    }
    if picture is not None:
        ways |= {
            "in_shrink": lambda: shrunk(picture, 2000),
            "whole_shrink": lambda: cv2.resize(
                lit(picture.pixels, linear=True), (2000, 1500), interpolation=cv2.INTER_AREA
            ),
            "banded": lambda: in_bands(plan, picture.pixels),
            "whole": lambda: plan.blurred(lit(picture.pixels, linear=True)),
            "varying": lambda: in_bands(plan, picture.pixels),
        }
    before = _resident_mb()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    ways[way]()
    return photo.width * photo.height / 1e6, _peak_mb() - before


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def _peak_mb() -> float:
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) * 1024 / 1e6


def _in_process(what: str, photos: Path, out: Path, argument: object) -> tuple[float, float]:
    """Call a function of this module in a fresh process, with an empty state folder."""
    with tempfile.TemporaryDirectory() as state:
        words = [sys.executable, __file__, what, str(photos), str(out), json.dumps(argument)]
        done = subprocess.run(
            words,
            env={**os.environ, STATE_VARIABLE: state},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    first, second = json.loads(done.stdout)
    return float(first), float(second)


def _photoset(folder: Path, pictures: list[Bytes8]) -> PhotoSet:
    """Photos as ingest leaves them, JPEG of quality 95."""
    rows: list[Photo] = []
    for picture in pictures:
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        name = sha256_of_bytes(encoded.tobytes())
        write_bytes(folder / f"{name}.jpg", encoded.tobytes())
        rows.append(
            Photo(
                id=name,
                file=f"{name}.jpg",
                name=f"{name}.jpg",
                size_bytes=encoded.size,
                width=picture.shape[1],
                height=picture.shape[0],
                channels=3,
                bits=8,
                split="train",
                group=name,
            )
        )
    rows.sort(key=lambda row: row.id)
    table = PhotoSet.write_table(folder, tuple(rows))
    return PhotoSet(counts={"train": len(rows), "val": 0, "test": 0}, table_sha256=table).save(folder)


def _photo(width: int, height: int, number: int) -> Bytes8:
    """A photo of that size with a little grain, so that it packs as photos do."""
    source = (data.astronaut, data.coffee, data.rocket, data.chelsea)[number % 4]()
    photo = cv2.resize(source, (width, height), interpolation=cv2.INTER_CUBIC)
    grain = stream("grain", number).integers(-3, 4, (256, 256, 3), dtype=np.int16)
    for top in range(0, height, 256):
        for left in range(0, width, 256):
            part = photo[top : top + 256, left : left + 256]
            part[:] = np.clip(part + grain[: part.shape[0], : part.shape[1]], 0, 255)
    return np.asarray(photo, dtype=np.uint8)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    ways: dict[str, Callable[..., tuple[float, float]]] = {"throughput": throughput, "peak": peak}
    called = ways[sys.argv[1]]
    print(json.dumps(called(Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4]))))
