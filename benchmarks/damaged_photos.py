"""How many damaged photos are taken as whole, and how long decoding takes: this reader against
Pillow's word that all went well.

    python benchmarks/damaged_photos.py [FOLDER] [--draws 100] [--no-times]

FOLDER holds photos; the bundled ones when left out. Each is written by 17 writers (Pillow,
OpenCV, tifffile; JPEG, PNG, WebP, TIFF, 8 and 16 bits), each file damaged `--draws` times: bits
flipped, bytes zeroed, the end cut off, bytes put in. Wrong is a picture below 35 dB from the
file's own. Then milliseconds a megapixel for good files, both readers in turn, and seconds for
small files made to cost much.
"""

from __future__ import annotations

import argparse
import io
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from components.core.decoding import decode, upright
from components.core.errors import PhotoError
from components.core.seeds import stream
from components.ingest.bundled import BUNDLED_PHOTOS, path_of

Pixels = np.ndarray
Reader = Callable[[bytes], Pixels]
SIDE = (480, 360)
WRONG_DB = 35.0
DAMAGES = ("flip", "flips", "zero", "zeros", "half zero", "cut", "insert")


def by_pillow(kind: str, **settings: object) -> Callable[[Pixels], bytes]:
    """A writer of 8 bits, by Pillow."""

    def write(pixels: Pixels) -> bytes:
        stream_ = io.BytesIO()
        Image.fromarray((pixels >> 8).astype(np.uint8)).save(stream_, kind, **settings)
        return stream_.getvalue()

    return write


def by_opencv(ending: str, bits: int, settings: list[int]) -> Callable[[Pixels], bytes]:
    """A writer of 8 or 16 bits, by OpenCV."""
    return lambda pixels: bytes(
        cv2.imencode(
            ending, (pixels if bits == 16 else (pixels >> 8).astype(np.uint8))[:, :, ::-1], settings
        )[1]
    )


def by_tifffile(bits: int, **settings: Any) -> Callable[[Pixels], bytes]:
    """A writer of TIFF, by tifffile."""

    def write(pixels: Pixels) -> bytes:
        found = pixels if bits == 16 else (pixels >> 8).astype(np.uint8)
        separate = settings.get("planarconfig") == "separate"
        stream_ = io.BytesIO()
        tifffile.imwrite(
            stream_, np.moveaxis(found, 2, 0) if separate else found, photometric="rgb", **settings
        )
        return stream_.getvalue()

    return write


WRITERS: dict[str, Callable[[Pixels], bytes]] = {
    "JPEG 4:2:0": by_pillow("JPEG", quality=85),
    "JPEG 4:4:4": by_pillow("JPEG", quality=95, subsampling=0),
    "JPEG progressive": by_pillow("JPEG", quality=85, progressive=True),
    "JPEG restarts": by_opencv(".jpg", 8, [cv2.IMWRITE_JPEG_RST_INTERVAL, 30]),
    "PNG 8, Pillow": by_pillow("PNG"),
    "PNG 8, OpenCV": by_opencv(".png", 8, []),
    "PNG 16": by_opencv(".png", 16, []),
    "WebP lossy": by_pillow("WEBP", quality=80),
    "WebP lossless": by_pillow("WEBP", lossless=True),
    "TIFF 8, plain": by_pillow("TIFF"),
    "TIFF 8, LZW": by_pillow("TIFF", compression="tiff_lzw"),
    "TIFF 8, Deflate": by_pillow("TIFF", compression="tiff_adobe_deflate"),
    "TIFF 8, JPEG": by_pillow("TIFF", compression="jpeg", quality=90),
    "TIFF 16, plain": by_tifffile(16),
    "TIFF 16, LZW": by_opencv(".tiff", 16, []),
    "TIFF 16, planes": by_tifffile(16, planarconfig="separate"),
    "TIFF 16, tiles": by_tifffile(16, tile=(128, 128), compression="zlib", predictor=True),
}


def trusting(data: bytes) -> Pixels:
    """The reader before this one: Pillow's success is believed; 16 bits are OpenCV's."""
    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP", "TIFF")) as image:
        tags = (
            image.tag_v2.get(258, (8,))
            if isinstance(image, TiffImageFile)
            else (16 if image.format == "PNG" and data[24] == 16 else 8,)
        )
        image.load()
        if max(tags) == 16:
            found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            if found is None:
                raise ValueError("OpenCV does not read it")
            return np.asarray(found)[:, :, 2::-1]
        turn = 1 if image.format == "TIFF" else image.getexif().get(0x0112, 1)
        return upright(np.asarray(image.convert("RGB")), turn)


def strict(data: bytes) -> Pixels:
    """The reader of this repository."""
    return decode(data).pixels


def damaged(data: bytes, how: str, draw: np.random.Generator) -> bytes:
    """The file with one damage of a kind."""
    at = int(draw.integers(len(data)))
    if how == "cut":
        return data[:at]
    if how == "insert":
        return data[:at] + draw.bytes(int(draw.choice([1, 4, 64]))) + data[at:]
    found = np.frombuffer(data, np.uint8).copy()
    if how in ("flip", "flips"):
        places = np.array([at]) if how == "flip" else draw.integers(len(data), size=8)
        found[places] ^= (1 << draw.integers(8, size=len(places))).astype(np.uint8)
    elif how == "half zero":
        found[len(data) // 2 : len(data) - 2 * int(draw.integers(2))] = 0
    else:
        found[at : at + (1 if how == "zero" else 512)] = 0
    return found.tobytes()


def far_from(found: Pixels, whole: Pixels) -> bool:
    """Whether a picture is below 35 dB from the one it should be."""
    if found.shape != whole.shape or found.dtype != whole.dtype:
        return True
    highest = np.iinfo(whole.dtype).max
    error = float(np.mean(np.square((found.astype(np.float64) - whole) / highest)))
    return error > 10 ** (-WRONG_DB / 10)


def verdict(reader: Reader, data: bytes, whole: Pixels) -> str:
    """What a reader makes of a damaged file."""
    try:
        found = reader(data)
    except PhotoError as error:
        return (
            "refused"
            if str(error).split(":")[0] in ("truncated", "damaged", "unusual", "not a photo", "too large")
            else "crashed"
        )
    except Exception:
        return "refused" if reader is trusting else "crashed"
    return "wrong" if far_from(found, whole) else "right"


def count(photos: list[Pixels], draws: int) -> None:
    """Print a line a writer and one a format: how many are taken by each reader, and how many of
    those are wrong.
    """
    rows: dict[str, Counter[str]] = {}
    for name, write in WRITERS.items():
        for number in range(draws):
            draw = stream("damage", name, str(number))
            data = write(photos[number % len(photos)])
            whole, how = strict(data), DAMAGES[number % len(DAMAGES)]
            hurt = damaged(data, how, draw)
            if hurt == data:
                continue
            for key in (name, name.split()[0], "all", how):
                row = rows.setdefault(key, Counter())
                row["files"] += 1
                for reader in (trusting, strict):
                    row[f"{reader.__name__} {verdict(reader, hurt, whole)}"] += 1
    print(f"{'':<20}{'files':>7}{'taken before':>14}{'wrong':>7}{'taken now':>11}{'wrong':>7}{'crashed':>9}")
    for name, row in rows.items():
        before, now = (row[f"{reader} right"] + row[f"{reader} wrong"] for reader in ("trusting", "strict"))
        wrong = row["trusting wrong"], row["strict wrong"]
        counts = f"{row['files']:>7}{before:>14}{wrong[0]:>7}{now:>11}{wrong[1]:>7}{row['strict crashed']:>9}"
        print(f"{name:<20}{counts}")


def times(photos: list[Pixels]) -> None:
    """Print milliseconds a megapixel for good files of 3 megapixels, medians of 7, both readers
    in turn.
    """
    large = np.tile(photos[0], (4, 4, 1))
    megapixels = large.shape[0] * large.shape[1] / 1e6
    print(f"\n{'ms a megapixel':<20}{'before':>9}{'now':>9}{'ratio':>8}")
    for name, write in WRITERS.items():
        data = write(large)
        spent: dict[Reader, list[float]] = {trusting: [], strict: []}
        for _ in range(7):
            for reader, seconds in spent.items():
                start = time.process_time()
                try:
                    reader(data)
                except Exception:  # the reader before knows no separate planes
                    continue
                seconds.append(time.process_time() - start)
        before, now = (
            1000 * median(found) / megapixels if found else float("nan") for found in spent.values()
        )
        print(f"{name:<20}{before:>9.1f}{now:>9.1f}{now / before:>8.2f}")


def hostile() -> dict[str, bytes]:
    """Small files that cost much, or claim to."""
    grey = np.full((1500, 2000, 3), 128 << 8, np.uint16)
    progressive = by_pillow("JPEG", progressive=True)(grey)
    scan = progressive[progressive.rfind(b"\xff\xc4", 0, progressive.rfind(b"\xff\xda")) : -2]
    plain = by_pillow("JPEG")(grey)
    frames = [Image.new("RGB", (64, 64), (number, 0, 0)) for number in range(30)]
    animated = io.BytesIO()
    frames[0].save(animated, "WEBP", save_all=True, append_images=frames[1:])
    canvas = (12_000 - 1).to_bytes(3, "little") * 2
    wide = io.BytesIO()
    Image.new("L", (65_500, 3_000), 128).save(wide, "JPEG")
    large = by_pillow("JPEG", progressive=True)(np.full((6000, 6500, 3), 128 << 8, np.uint16))
    blank = by_pillow("PNG")(np.zeros((14_000, 14_000, 3), np.uint16))
    return {
        "JPEG, 1,000 scans": progressive[:-2] + scan * 1_000 + b"\xff\xd9",
        "JPEG, 10,000 scans": progressive[:-2] + scan * 10_000 + b"\xff\xd9",
        "JPEG, 100 MB of 0xFF": plain[:2] + b"\xff" * 100_000_000 + plain[2:],
        "JPEG, 65,500 × 3,000": wide.getvalue(),
        "JPEG, the most scans": large[:-2] + scan * 90 + b"\xff\xd9",
        "PNG, 14,000 × 14,000": blank,
        "WebP, other canvas": animated.getvalue()[:24] + canvas + animated.getvalue()[30:],
    }


def costs() -> None:
    """Print size, seconds and outcome of the files made to cost much."""
    print(f"\n{'':<24}{'KB':>9}{'s':>7}  outcome")
    for name, data in hostile().items():
        start = time.process_time()
        try:
            found = decode(data)
            outcome = f"taken, {found.pixels.shape[1]} × {found.pixels.shape[0]} px"
        except PhotoError as error:
            outcome = str(error)
        print(f"{name:<24}{len(data) / 1000:>9.0f}{time.process_time() - start:>7.2f}  {outcome}")


def main() -> None:
    """Count damaged photos that are taken, measure speed, and try files made to cost much."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--draws", type=int, default=100, help="damages a writer")
    parser.add_argument("--no-times", action="store_true", help="only count")
    chosen = parser.parse_args()
    files = (
        [path_of(photo) for photo in BUNDLED_PHOTOS]
        if chosen.folder is None
        else sorted(chosen.folder.glob("*.[jp][pn]g"))
    )
    # Eight bits spread over sixteen, the lower ones filled, so that writers of either depth have
    # the same photo.
    photos = [
        cv2.resize(decode(file.read_bytes()).pixels, SIDE, interpolation=cv2.INTER_AREA) for file in files
    ]
    deep = [photo.astype(np.uint16) * np.uint16(257) for photo in photos]
    count(deep, chosen.draws)
    if not chosen.no_times:
        times(deep)
        costs()


if __name__ == "__main__":
    main()
