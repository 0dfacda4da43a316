"""Photo files by independent writers: Pillow, OpenCV, tifffile and, where none of them writes a
kind, by hand from its standard.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image

Pixels = np.ndarray[Any, Any]
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def scene(height: int, width: int, bits: int = 8, seed: int = 0) -> Pixels:
    """Something like a photo, (H, W, 3): soft shapes, an edge and noise."""
    draw = np.random.default_rng(seed)
    soft = cv2.resize(draw.uniform(0.1, 0.9, (4, 5, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    soft[:, width // 3 : width // 2] *= 0.5
    highest = 2**bits - 1
    found = np.clip(soft + draw.normal(0, 0.01, soft.shape), 0, 1) * highest
    return found.astype(np.uint8 if bits == 8 else np.uint16)


def by_pillow(pixels: Pixels | Image.Image, kind: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(stream, kind, **settings)
    return stream.getvalue()


def by_opencv(pixels: Pixels, ending: str, settings: tuple[int, ...] = ()) -> bytes:
    turned = pixels if pixels.ndim == 2 else np.dstack([pixels[:, :, 2::-1], pixels[:, :, 3:]])
    done, data = cv2.imencode(ending, np.ascontiguousarray(turned), settings)
    assert done
    return bytes(data)


def by_tifffile(pixels: Pixels, **settings: object) -> bytes:
    """(H, W, C) or (H, W), written with channels together or, with planarconfig="separate", one
    after the other.
    """
    stream = io.BytesIO()
    separate = settings.get("planarconfig") == "separate"
    tifffile.imwrite(stream, np.moveaxis(pixels, 2, 0) if separate else pixels, **settings)
    return stream.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_by_hand(samples: Pixels, colours: int, depth: int, *, interlaced: bool, more: bytes = b"") -> bytes:
    """samples: (H, W, C), below 2 ** depth; colours: PNG's colour type; more: whole chunks before
    the pixels.
    """
    height, width = samples.shape[:2]
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    raw = b""
    for left, top, across, down in passes:
        for row in samples[top::down, left::across]:
            if row.size:
                raw += b"\0" + _packed(row.reshape(-1), depth)
    head = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, int(interlaced))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + more
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def _packed(values: Pixels, depth: int) -> bytes:
    if depth == 16:
        return values.astype(">u2").tobytes()
    bits = (values[:, None].astype(np.uint8) >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def damaged(data: bytes, how: str, seed: int) -> bytes:
    """The file with one damage: "flip", "flips", "zero", "zeros", "half", "cut" or "insert"."""
    draw = np.random.default_rng(seed)
    at = int(draw.integers(len(data)))
    if how == "cut":
        return data[:at]
    if how == "insert":
        return data[:at] + draw.bytes(int(draw.choice([1, 4, 64]))) + data[at:]
    found = np.frombuffer(data, np.uint8).copy()
    if how in ("flip", "flips"):
        places = draw.integers(len(data), size=1 if how == "flip" else 8)
        found[places] ^= (1 << draw.integers(8, size=len(places))).astype(np.uint8)
    elif how == "half":
        found[len(data) // 2 : len(data) - 2 * int(draw.integers(2))] = 0
    else:
        found[at : at + (1 if how == "zero" else 200)] = 0
    return found.tobytes()


DAMAGES = ("flip", "flips", "zero", "zeros", "half", "cut", "insert")

# Every kind by which a photo of 8 or 16 bits is written without loss: the file of a scene of those bits.
LOSSLESS: dict[str, tuple[int, Callable[[Pixels], bytes]]] = {
    "PNG 8, Pillow": (8, lambda p: by_pillow(p, "PNG")),
    "PNG 8, OpenCV": (8, lambda p: by_opencv(p, ".png")),
    "PNG 16, OpenCV": (16, lambda p: by_opencv(p, ".png")),
    "PNG 8, interlaced": (8, lambda p: png_by_hand(p, 2, 8, interlaced=True)),
    "PNG 16, interlaced": (16, lambda p: png_by_hand(p, 2, 16, interlaced=True)),
    "WebP lossless": (8, lambda p: by_pillow(p, "WEBP", lossless=True)),
    "TIFF 8, Pillow": (8, lambda p: by_pillow(p, "TIFF")),
    "TIFF 8, LZW": (8, lambda p: by_pillow(p, "TIFF", compression="tiff_lzw")),
    "TIFF 8, Deflate": (8, lambda p: by_pillow(p, "TIFF", compression="tiff_adobe_deflate")),
    "TIFF 8, PackBits": (8, lambda p: by_pillow(p, "TIFF", compression="packbits")),
    "TIFF 16, OpenCV": (16, lambda p: by_opencv(p, ".tiff")),
    "TIFF 16, planes": (16, lambda p: by_tifffile(p, photometric="rgb", planarconfig="separate")),
    "TIFF 16, Deflate tiles": (
        16,
        lambda p: by_tifffile(p, photometric="rgb", tile=(32, 16), compression="zlib", predictor=True),
    ),
    "TIFF 16, Zstandard": (16, lambda p: by_tifffile(p, photometric="rgb", compression="zstd")),
}
CHECKED = tuple(
    name for name in LOSSLESS if name.startswith("PNG") or "Deflate" in name
)  # their files carry a checksum of the pixels
LOSSY: dict[str, Callable[[Pixels], bytes]] = {
    "JPEG 4:2:0": lambda p: by_pillow(p, "JPEG", quality=85),
    "JPEG 4:4:4": lambda p: by_pillow(p, "JPEG", quality=95, subsampling=0),
    "JPEG progressive": lambda p: by_pillow(p, "JPEG", progressive=True),
    "JPEG restarts": lambda p: by_opencv(p, ".jpg", (cv2.IMWRITE_JPEG_RST_INTERVAL, 3)),
    "WebP": lambda p: by_pillow(p, "WEBP", quality=80),
    "TIFF JPEG": lambda p: by_pillow(p, "TIFF", compression="jpeg", quality=90),
}
