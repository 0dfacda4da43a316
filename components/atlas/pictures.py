"""The atlas's pictures, as data addresses that need no other file: kernels as light on black,
photos small, crops pixel by pixel.
"""

from __future__ import annotations

import base64

import cv2
import numpy as np

from components.atlas.draws import Example, Kind
from components.atlas.photo import Scene
from components.core.images import Bytes8, Floats, png_bytes
from components.core.levels import at_bits
from components.optics.blurs.drawn_blur import Effect, Kernel

WIDE, HIGH = 5, 3  # kernels over a photo, where they differ; also the shape of every picture of kernels
PHOTO_PX = 560  # width of a whole photo on the page: twice its column, for fine screens
QUALITY = 88  # of whole photos on the page
LEAST_PX = 9  # of the square around a kernel, lest a small one look large
FRAME = (255, 196, 0)


def kernels_of(kind: Kind, scene: Scene) -> tuple[list[str], int]:
    """One picture of light on black for each example shown, all at one scale; and the side of the
    square around a kernel, px.

    A blur that is the same everywhere: what any point becomes. Others: what points at 5 × 3 places
    of the photo become.
    """
    uniform = [isinstance(example.plan.effect, Kernel) for example in kind.shown]
    sheets = [
        [[example.plan.effect.psf]] if alike else _over_photo(example.plan.effect, scene)
        for alike, example in zip(uniform, kind.shown, strict=True)
    ]
    side = max(LEAST_PX, *(_reach(psf) for sheet in sheets for row in sheet for psf in row))
    return [_glowing(_tiled(sheet, side)) for sheet in sheets], side


def whole(
    pixels: Bytes8, scale: int = 1, crop: tuple[int, int, int] | None = None, width_px: int = PHOTO_PX
) -> str:
    """A photo, `width_px` wide at most, its crop framed; a small one `scale` times as large, pixel
    by pixel. JPEG.
    """
    large = np.ascontiguousarray(pixels.repeat(scale, axis=0).repeat(scale, axis=1))
    if crop is not None:
        top, left, side = crop
        thick = max(2, large.shape[1] // 200)
        cv2.rectangle(large, (left, top), (left + side - 1, top + side - 1), FRAME, thick)
    if large.shape[1] > width_px:
        height = max(1, round(large.shape[0] * width_px / large.shape[1]))
        large = np.asarray(
            cv2.resize(large, (width_px, height), interpolation=cv2.INTER_AREA), dtype=np.uint8
        )
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(large, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    assert done, "OpenCV could not encode .jpg"
    return _address("jpeg", bytes(data))


def cropped(pixels: Bytes8, crop: tuple[int, int, int], scale: int = 1) -> str:
    """The crop of a photo, or of one that is `scale` times smaller, exact. PNG."""
    top, left, side = (place // scale for place in crop)
    return _address("png", png_bytes(np.ascontiguousarray(pixels[top : top + side, left : left + side])))


def blurred(example: Example, scene: Scene) -> Bytes8:
    """What the net is given of this scene, in 8 bits."""
    return np.asarray(at_bits(example.plan.blurred(scene.light), 8), np.uint8)


def _over_photo(effect: Effect, scene: Scene) -> list[list[Floats]]:
    """What bright points at the middles of 5 × 3 equal parts of the photo become, each around its
    own place.
    """
    height, width = scene.light.shape[:2]
    rows, columns = (
        [int((number + 0.5) * side / count) for number in range(count)]
        for side, count in ((height, HIGH), (width, WIDE))
    )
    points = np.zeros((height, width), np.float32)
    points[np.ix_(rows, columns)] = 1.0
    seen = np.maximum(effect.apply(points), 0)
    # No further than halfway to the next point.
    reach = min(height // HIGH, width // WIDE) // 2 - 1
    return [
        [seen[row - reach : row + reach + 1, column - reach : column + reach + 1] for column in columns]
        for row in rows
    ]


def _reach(psf: Floats) -> int:
    """Side of the smallest square around the middle that holds what can be seen of a kernel, with a
    pixel to spare.
    """
    middle = np.array([[side // 2] for side in psf.shape])
    seen = np.array(np.nonzero(psf >= 0.004 * psf.max()))
    return 2 * int(np.abs(seen - middle).max()) + 3


def _tiled(sheet: list[list[Floats]], side: int) -> Floats:
    """Kernels in their places, each with its brightest pixel at 1; a single one stands in the
    middle of as wide a picture.
    """
    rows = [np.concatenate([_square(psf, side) for psf in row], axis=1) for row in sheet]
    tiled = np.concatenate(rows, axis=0)
    if len(sheet) == 1:
        # The nearest odd width: the kernel keeps to the middle pixel.
        wide = side * WIDE // HIGH | 1
        tiled = np.pad(tiled, ((0, 0), ((wide - side) // 2,) * 2))
    return tiled


def _square(psf: Floats, side: int) -> Floats:
    """The middle of a kernel, black around it as needed."""
    margin = max(0, (side - min(psf.shape)) // 2 + 1)
    padded = np.pad(psf, margin)
    top, left = ((length - side) // 2 for length in padded.shape)
    cut: Floats = padded[top : top + side, left : left + side] / psf.max()
    return cut


def _glowing(light: Floats) -> str:
    """Light as colours from black over red to white; the square root shows the faint parts too.
    PNG, one pixel a pixel.
    """
    shades = np.rint(255 * np.sqrt(np.clip(light, 0, 1))).astype(np.uint8)
    coloured = cv2.cvtColor(cv2.applyColorMap(shades, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return _address("png", png_bytes(np.asarray(coloured, dtype=np.uint8)))


def _address(encoding: str, data: bytes) -> str:
    return f"data:image/{encoding};base64,{base64.b64encode(data).decode()}"
