"""The colours of a photo as one profile (ICC.1), whichever way its file says them: a profile for
grey, chunks of a PNG (PNG 3, 11.3.2), a camera's mark for Adobe RGB (DCF 2.0). Every format holds
an ICC profile; none but PNG holds the others.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from components.core.errors import PhotoError

Chromaticities = tuple[float, ...]  # x, y of white, red, green, blue

_D65 = (0.3127, 0.3290)
SRGB: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE: Chromaticities = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_OF_CICP: dict[int, Chromaticities] = {  # ITU-T H.273, table 2
    1: SRGB,
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_ADOBE_GAMMA = 563 / 256
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}  # H.273, table 3; 13, and 1, 6, 14, 15 as screens show them: sRGB's curve
_SRGB_CURVES = (1, 6, 13, 14, 15)
_STEPS = 4096
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_EXIF, _INTEROPERABILITY, _COLOUR_SPACE, _INDEX = 0x8769, 0xA005, 0xA001, 1
_UNCALIBRATED = 0xFFFF

Curve = npt.NDArray[np.float64]  # light in [0, 1] at equal steps of the stored value


def profile_of_png(chunks: Mapping[bytes, bytes]) -> bytes | None:
    """What cICP, or without it and sRGB gAMA and cHRM, say. None for plain sRGB, and for light that no
    profile of three curves tells (PQ, HLG).
    """
    if len(mark := chunks.get(b"cICP", b"")) == 4:
        primaries, transfer = _OF_CICP.get(mark[0]), mark[1]
        if primaries is None or mark[2:] != b"\0\1" or not (transfer in _SRGB_CURVES or transfer in _GAMMAS):
            return None
        curve = _srgb() if transfer in _SRGB_CURVES else _power(_GAMMAS[transfer])
        return None if (primaries, transfer in _SRGB_CURVES) == (SRGB, True) else _profile(primaries, curve)
    gamma, points = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    if b"sRGB" in chunks or not (len(gamma) == 4 or len(points) == 32):
        return None
    (stored,) = struct.unpack(">I", gamma) if len(gamma) == 4 else (45_455,)
    seen = tuple(value / 1e5 for value in struct.unpack(">8I", points)) if len(points) == 32 else SRGB
    usual = abs(stored - 45_455) < 500 and max(abs(a - b) for a, b in zip(seen, SRGB, strict=True)) < 0.002
    if usual or not 10_000 <= stored <= 1_000_000:
        return None
    return _profile(seen, _srgb() if abs(stored - 45_455) < 500 else _power(1e5 / stored))


def profile_of_exif(block: bytes | None) -> bytes | None:
    """Adobe RGB, where a camera's EXIF says so and its file has no profile (DCF option file)."""
    if not block:
        return None
    order = "<" if block[:2] == b"II" else ">"
    try:
        inner = _entries(block, _entries(block, block[4:8], order)[_EXIF], order)
        (space,) = struct.unpack_from(order + "H", inner[_COLOUR_SPACE])
        if space == _UNCALIBRATED:
            last = _entries(block, inner[_INTEROPERABILITY], order)
            return _profile(ADOBE, _power(_ADOBE_GAMMA)) if last[_INDEX].startswith(b"R03") else None
    except (struct.error, KeyError):
        return None
    return _profile(ADOBE, _power(_ADOBE_GAMMA)) if space == 2 else None


def profile_for_rgb(icc: bytes) -> bytes:
    """A profile for grey as one for red, green and blue, which a photo here has: the same curve in all
    three. Others, and one that is no matter of a curve, stay as they are.
    """
    if icc[16:20] != b"GRAY":
        return icc
    try:
        (count,) = struct.unpack_from(">I", icc, 128)
        for place in range(132, 132 + 12 * count, 12):
            name, start, size = struct.unpack_from(">4sII", icc, place)
            if name == b"kTRC":
                return _profile(SRGB, _curve(icc[start : start + size])) or icc
    except (struct.error, PhotoError):
        pass
    return icc


def _entries(block: bytes, place: bytes, order: str) -> dict[int, bytes]:
    """The four bytes of each tag's value, or of its place, in the directory that stands at `place`."""
    (start,) = struct.unpack(order + "I", place)
    (count,) = struct.unpack_from(order + "H", block, start)
    rows = [struct.unpack_from(order + "H6x4s", block, start + 2 + 12 * number) for number in range(count)]
    return dict(rows)


def _curve(tag: bytes) -> Curve:
    """ICC.1, 10.6 and 10.18: a table, a power, or one of five formulas."""
    values = np.linspace(0, 1, _STEPS)
    kind, count, formula = struct.unpack_from(">4s4xI", tag) + struct.unpack_from(">H", tag, 8)
    if kind == b"curv" and count > 1:
        table = np.array(struct.unpack_from(f">{count}H", tag, 12)) / 65_535
        return np.interp(values, np.linspace(0, 1, count), table)
    if kind == b"curv":
        return _power(struct.unpack_from(">H", tag, 12)[0] / 256 if count else 1.0)
    lengths = (1, 3, 4, 5, 7)
    if kind != b"para" or formula >= len(lengths):
        raise PhotoError("a curve of another kind")
    numbers = [each / 65_536 for each in struct.unpack_from(f">{lengths[formula]}i", tag, 12)]
    g, a, b, c, d, e, f = numbers + [1.0, 0.0, 0.0, 0.0, 0.0, 0.0][len(numbers) - 1 :]
    if formula in (1, 2):
        d, e, f, c = -b / a if a else 0.0, c, c, 0.0
    above = np.power(np.maximum(a * values + b, 0), g) + e
    found: Curve = np.clip(np.where(values >= d, above, c * values + f) if formula else above, 0, 1)
    return found


def _power(gamma: float) -> Curve:
    return np.linspace(0, 1, _STEPS) ** gamma


def _srgb() -> Curve:
    values = np.linspace(0, 1, _STEPS)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _profile(points: Chromaticities, curve: Curve) -> bytes | None:
    """A display profile of version 2 with three primaries and one curve (ICC.1:2001-04, 6.3.2)."""
    corners = np.array(points, np.float64).reshape(4, 2)
    if not (corners[:, 1] > 0).all():
        return None
    white, *primaries = (np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in corners)
    matrix = np.stack(primaries, axis=1)
    if abs(np.linalg.det(matrix)) < 1e-6:
        return None
    cones = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    matrix = np.linalg.inv(_BRADFORD) @ cones @ _BRADFORD @ (matrix * np.linalg.solve(matrix, white))
    table = struct.pack(f">4s4xI{_STEPS}H", b"curv", _STEPS, *np.rint(curve * 65_535).astype(int).tolist())
    words = b"colours of the original"
    tags = {
        b"desc": struct.pack(">4s4xI", b"desc", len(words) + 1) + words + bytes(1 + 8 + 3 + 67),
        b"cprt": struct.pack(">4s4x", b"text") + b"no copyright, use freely\0",
        b"wtpt": _xyz(_D50),
        b"rXYZ": _xyz(matrix[:, 0]),
        b"gXYZ": _xyz(matrix[:, 1]),
        b"bXYZ": _xyz(matrix[:, 2]),
    }
    return _put_together(tags, table)


def _xyz(value: npt.NDArray[np.float64]) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *np.rint(value * 65_536).astype(int).tolist())


def _put_together(tags: dict[bytes, bytes], curve: bytes) -> bytes:
    """The file of the tags; its three curves are one."""
    names = [*tags, b"rTRC", b"gTRC", b"bTRC"]
    place = 128 + 4 + 12 * len(names)
    rows, bodies = b"", b""
    for name in names:
        body = tags.get(name, curve)
        if name not in (b"gTRC", b"bTRC"):
            start = place + len(bodies)
            bodies += body + bytes(-len(body) % 4)
        rows += struct.pack(">4sII", name, start, len(body))
    head = struct.pack(
        ">I4sI4s4s4s12x4s4s28x3i",
        place + len(bodies),
        bytes(4),
        0x02400000,
        b"mntr",
        b"RGB ",
        b"XYZ ",
        b"acsp",
        bytes(4),
        *np.rint(_D50 * 65_536).astype(int).tolist(),
    )
    return head.ljust(128, b"\0") + struct.pack(">I", len(names)) + rows + bodies
