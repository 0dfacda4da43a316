"""How a TIFF page's pixels lie in the file: their kind, and the strips or tiles that hold them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.core.decoding.picture import damaged, truncated, unusual
from components.core.decoding.tiff.directory import Directory, Tag

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
OTHERS = {
    4: "a mask",
    8: "CIE L*a*b*",
    9: "ICC L*a*b*",
    10: "ITU L*a*b*",
    32803: "a raw colour filter array",
    32844: "LogL",
    32845: "LogLuv",
    34892: "linear raw",
}
NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA, ZSTD = 1, 5, 7, 8, 32946, 32773, 34925, 50000
READ = {
    NONE: "none",
    LZW: "LZW",
    JPEG: "JPEG",
    DEFLATE: "Deflate",
    OLD_DEFLATE: "Deflate",
    PACKBITS: "PackBits",
    LZMA: "LZMA",
    ZSTD: "Zstandard",
}
TOGETHER, SEPARATE = 1, 2
_UNSIGNED, _FLOAT = 1, 3
_ASSOCIATED = 1  # ExtraSamples: colour multiplied by alpha
_WHOLE = 2**32 - 1  # RowsPerStrip: all in one
_HEAD_BYTES = 8
_LEAST_TILE, _WIDEST_TILE = 16, 1024  # px; TIFF 6.0: multiples of 16


@dataclass(frozen=True)
class Layout:
    """What a page says about its pixels, held against itself and the file's size."""

    width: int  # px, as stored
    height: int
    samples: int  # channels stored, alpha and others among them
    bits: int  # 1, 2, 4, 8 or 16 a sample
    photometric: int
    compression: int
    separate: bool  # one plane after the other
    predictor: int
    premultiplied: bool
    tiled: bool
    piece_width: int  # px of a strip or tile
    piece_height: int
    offsets: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]

    @property
    def planes(self) -> int:
        return self.samples if self.separate else 1

    @property
    def samples_a_plane(self) -> int:
        return 1 if self.separate else self.samples

    @property
    def across(self) -> int:
        return -(-self.width // self.piece_width)

    @property
    def down(self) -> int:
        return -(-self.height // self.piece_height)

    def row_bytes(self) -> int:
        return -(-self.piece_width * self.samples_a_plane * self.bits // 8)


def layout_of(page: Directory, size: int) -> Layout:
    """Read a page's layout. Raises PhotoError where it contradicts itself or the file's `size`,
    or is of a kind not read here.
    """
    width, height = page.number(Tag.WIDTH), page.number(Tag.HEIGHT)
    if width < 1 or height < 1:
        damaged(f"it claims {width} × {height} px")
    photometric, compression = page.number(Tag.PHOTOMETRIC), page.number(Tag.COMPRESSION, NONE)
    samples = page.number(Tag.SAMPLES, 1)
    bits = _bits(page, samples)
    _refuse_other_kinds(page, photometric, compression, samples, bits)
    tiled = Tag.TILE_WIDTH in page.entries
    piece_width = page.number(Tag.TILE_WIDTH) if tiled else width
    rows = page.number(Tag.TILE_HEIGHT) if tiled else page.number(Tag.ROWS_PER_STRIP, _WHOLE)
    piece_height = rows if tiled else min(rows, height)
    least = _LEAST_TILE if tiled else 1
    # Nothing but their size in the file bounds what a few bytes may unpack to.
    if not least <= piece_width <= width + _WIDEST_TILE or not least <= piece_height <= height + _WIDEST_TILE:
        damaged(f"its tiles or strips claim {piece_width} × {piece_height} px")
    offsets, sizes = (
        np.array(page.numbers(tag) or (), np.int64)
        if not _huge(page, tag)
        else damaged(f"its tag {tag.name} lies outside of the file")
        for tag in ((Tag.TILE_OFFSETS, Tag.TILE_BYTES) if tiled else (Tag.STRIP_OFFSETS, Tag.STRIP_BYTES))
    )
    extra = page.numbers(Tag.EXTRA_SAMPLES) or ()
    layout = Layout(
        width,
        height,
        samples,
        bits,
        photometric,
        compression,
        page.number(Tag.PLANAR, TOGETHER) == SEPARATE and samples > 1,
        page.number(Tag.PREDICTOR, 1),
        samples == CHANNELS[photometric] + 1 and extra[:1] == (_ASSOCIATED,),
        tiled,
        piece_width,
        piece_height,
        offsets,
        sizes,
    )
    _hold_against_file(layout, page, size)
    return layout


def _bits(page: Directory, samples: int) -> int:
    formats = set(page.numbers(Tag.SAMPLE_FORMAT) or (_UNSIGNED,))
    bits = page.numbers(Tag.BITS) or (1,)
    if formats != {_UNSIGNED}:
        unusual(
            f"{max(bits)} bits a channel as"
            f" {'floats' if formats == {_FLOAT} else 'signed or mixed numbers'}; save it with 8 or 16 bits,"
            " unsigned"
        )
    if len(bits) not in (1, samples):
        damaged(f"it has {samples} channels and the bits of {len(bits)}")
    if len(set(bits)) != 1 or bits[0] not in (1, 2, 4, 8, 16):
        unusual(f"{max(bits)} bits a channel, 8 and 16 are read; save it with one of them")
    return bits[0]


def _refuse_other_kinds(page: Directory, photometric: int, compression: int, samples: int, bits: int) -> None:
    if photometric not in CHANNELS:
        unusual(
            f"a TIFF whose pixels are {OTHERS.get(photometric, f'of an unknown kind ({photometric})')};"
            " save it as RGB or grey"
        )
    if compression not in READ:
        unusual(f"a TIFF packed by method {compression}; save it with LZW, Deflate or none")
    if not CHANNELS[photometric] <= samples <= CHANNELS[photometric] + 4:
        damaged(f"it has {samples} channels, its kind of pixels {CHANNELS[photometric]}")
    if photometric == YCBCR and compression != JPEG:
        unusual("a TIFF of YCbCr pixels that are not JPEG; save it as RGB")
    if compression == JPEG and (
        bits != 8 or photometric in (PALETTE, CMYK) or samples != CHANNELS[photometric]
    ):
        unusual(
            "a TIFF of JPEG pixels that are neither grey nor colour of 8 bits; save it with LZW or Deflate"
        )
    if photometric == CMYK and page.number(Tag.INK_SET, 1) != 1:
        unusual("a TIFF of other inks than cyan, magenta, yellow and black; save it as RGB")
    if bits < 8 and (photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, PALETTE) or samples > 1):
        unusual(f"{bits} bits a channel, 8 and 16 are read; save it with one of them")
    if photometric == PALETTE and (bits > 8 or len(page.numbers(Tag.COLOUR_MAP) or ()) != 3 * 2**bits):
        damaged("its palette does not fit its bits")
    if page.number(Tag.PREDICTOR, 1) not in (1, 2) or page.number(Tag.PLANAR, TOGETHER) not in (
        TOGETHER,
        SEPARATE,
    ):
        unusual(
            "a TIFF whose pixels are predicted or ordered in a way that is not read here; save it with"
            " LZW, Deflate or none"
        )
    if page.number(Tag.PREDICTOR, 1) == 2 and (bits < 8 or compression in (NONE, JPEG, PACKBITS)):
        damaged("its pixels are said to be differences, which do not go with its bits or packing")
    if page.number(Tag.FILL_ORDER, 1) != 1:
        unusual("a TIFF with its bits in reverse order; save it again")


def _huge(page: Directory, tag: Tag) -> bool:
    return any(number >= 2**62 for number in page.numbers(tag) or ())


def _hold_against_file(layout: Layout, page: Directory, size: int) -> None:
    """Every strip or tile is there, inside of the file, and none lies in another or in the
    directory.
    """
    count = layout.across * layout.down * layout.planes
    if len(layout.offsets) != count or len(layout.sizes) != count:
        damaged(
            f"it needs {count} strips or tiles and names {len(layout.offsets)} places and"
            f" {len(layout.sizes)} sizes"
        )
    if int(layout.sizes.min()) < 1 or int(layout.offsets.min()) < _HEAD_BYTES:
        damaged("a strip or tile has no bytes")
    if int((layout.offsets + layout.sizes).max()) > size:
        truncated()
    # One tile may stand for several, as those of one colour.
    pieces = np.unique(np.stack([layout.offsets, layout.sizes], axis=1), axis=0)
    pieces = np.vstack([pieces, [[page.start, page.end - page.start]]])
    pieces = pieces[np.argsort(pieces[:, 0], kind="stable")]
    if (pieces[:-1].sum(axis=1) > pieces[1:, 0]).any():
        damaged("its strips, tiles or directory lie in one another")
