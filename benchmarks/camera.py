"""What each step of the camera costs, on one thread: `python benchmarks/camera.py [--rounds 30]`.

Whole cameras and single steps are measured in turns, A B A B in one run; the photo is light already
and results stay in memory. Below, demosaicing against ground truth beside OpenCV's three ways, on
skimage's photos.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from skimage import data

from components.core.images import Bytes8, Picture, jpeg_roundtrip, to_float, to_uint8, webp_roundtrip
from components.optics.blurs.drawn_blur import Floats
from components.optics.camera import Camera, Shot
from components.optics.demosaic import demosaicked, mosaicked
from components.optics.develop import developed, raw_of
from components.optics.light import light_of, stored
from components.optics.noise import normal_field

SIZES = ((1280, 720), (256, 256))
CAMERAS: dict[str, dict[str, object]] = {
    "nothing but sRGB": {"noise": None, "jpeg": None},
    "noise, JPEG (the default)": {},
    "all: highlights, sensor, noise, JPEG": {"highlights": {}, "sensor": {}},
    "all, WebP for JPEG": {"highlights": {}, "sensor": {}, "jpeg": None, "webp": {"quality": (90, 90)}},
    "all, 16 bits for JPEG": {"highlights": {}, "sensor": {}, "jpeg": None, "bits": 16},
}


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description="What each step of the camera costs, on one thread.")
    parser.add_argument("--rounds", type=int, default=30, help="alternating rounds; medians are shown")
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    for width, height in SIZES:
        steps(width, height, rounds)
    demosaics()


def steps(width: int, height: int, rounds: int) -> None:
    """Whole cameras, then each step by itself."""
    picture = Picture(
        np.asarray(cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_AREA), np.uint8),
        3,
        8,
        "PNG",
    )
    light = light_of(picture, linear=True)
    full = Camera.model_validate(CAMERAS["all: highlights, sensor, noise, JPEG"]).shot(1)
    sensor = full.sensor
    assert sensor is not None, "the full camera has a sensor"
    mosaic, red = raw_of(light, sensor, None, 1, None, top=0, left=0), sensor.red_site()
    ways: dict[str, Callable[[], object]] = {
        name: _whole(Camera.model_validate(settings).shot(1), light) for name, settings in CAMERAS.items()
    }
    ways |= {
        "  highlights before the blur": lambda: full.recovered(light),
        "  clip after it": lambda: full.clipped(light),
        "  camera colours and mosaic": lambda: raw_of(light, sensor, None, 1, None, top=0, left=0),
        "  normal numbers of a mosaic": lambda: normal_field(1, height, width, channels=1),
        "  normal numbers of three colours": lambda: normal_field(1, height, width),
        "  demosaic, malvar": lambda: demosaicked(mosaic, red, "malvar"),
        "  demosaic, bilinear": lambda: demosaicked(mosaic, red, "bilinear"),
        "  sensor, whole, no noise": lambda: developed(light, sensor, None, 1, None, top=0, left=0),
        "  sRGB, 8 bits": lambda: stored(light, linear=True),
        "  sRGB, 16 bits": lambda: stored(light, linear=True, bits=16),
        "  JPEG and back": lambda: jpeg_roundtrip(_bytes(picture), 90),
        "  WebP and back": lambda: webp_roundtrip(_bytes(picture), 90),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - began)
    print(f"\n{f'one picture at {width}x{height}':<42}{'ms median':>10}{'fastest':>10}{'slowest':>10}")
    for name, measured in seconds.items():
        ordered = sorted(measured[1:])  # the first one makes tables
        print(
            f"{name:<42}{1e3 * statistics.median(ordered):>10.2f}"
            f"{1e3 * ordered[0]:>10.2f}{1e3 * ordered[-1]:>10.2f}"
        )


def demosaics() -> None:
    """PSNR in dB away from the border, sRGB values, RGGB."""
    codes = {
        "OpenCV bilinear": cv2.COLOR_BayerRGGB2RGB,
        "OpenCV edge-aware": cv2.COLOR_BayerRGGB2RGB_EA,
        "OpenCV VNG": cv2.COLOR_BayerRGGB2RGB_VNG,
    }
    print(
        f"\n{'demosaic, PSNR dB':<20}{'bilinear':>12}{'malvar':>12}"
        + "".join(f"{name:>20}" for name in codes)
    )
    for name in ("astronaut", "coffee", "chelsea"):
        truth = to_float(getattr(data, name)())
        mosaic = mosaicked(truth, (0, 0))
        found = [demosaicked(mosaic, (0, 0), "bilinear"), demosaicked(mosaic, (0, 0), "malvar")]
        theirs = [
            to_float(np.asarray(cv2.cvtColor(to_uint8(mosaic), code), np.uint8)) for code in codes.values()
        ]
        values = [
            -10 * np.log10(np.mean((np.clip(each, 0, 1) - truth)[4:-4, 4:-4] ** 2))
            for each in (*found, *theirs)
        ]
        print(
            f"{name:<20}{values[0]:>12.2f}{values[1]:>12.2f}"
            + "".join(f"{value:>20.2f}" for value in values[2:])
        )


def _whole(shot: Shot, light: Floats) -> Callable[[], object]:
    return lambda: shot.picture(shot.recovered(light))


def _bytes(picture: Picture) -> Bytes8:
    return np.asarray(picture.pixels, np.uint8)


if __name__ == "__main__":
    main()
