"""What a file is that is none of the photos read here: what people find under a photo's name."""

from __future__ import annotations

_AS_PHOTO = "save it as PNG, TIFF or JPEG"
# First bytes, what they are those of, and what to do.
_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a pointer of Git LFS in the photo's place", "fetch it with `git lfs pull`"),
    (b"\x89PNG\n", "a PNG whose line ends were changed as if it were text", "copy it again, as binary"),
    (b"GIF8", "a GIF", _AS_PHOTO),
    (b"BM", "a BMP", _AS_PHOTO),
    (b"8BPS", "a Photoshop document", _AS_PHOTO),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000", _AS_PHOTO),
    (b"\xff\x4f\xff\x51", "a JPEG 2000", _AS_PHOTO),
    (b"\0\0\0\x0cJXL ", "a JPEG XL", _AS_PHOTO),
    (b"\xff\x0a", "a JPEG XL", _AS_PHOTO),
    (b"v/1\x01", "an OpenEXR picture", _AS_PHOTO),
    (b"IIRO", "a camera's raw file", "develop it first"),
    (b"IIU\0", "a camera's raw file", "develop it first"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file", "develop it first"),
    (b"%PDF", "a PDF", _AS_PHOTO),
    (b"PK\x03\x04", "a ZIP archive", "unpack it first"),
)
_PAGE = (b"<!doctype html", b"<html", b"<?xml", b"<svg")


def what_else(data: bytes) -> str:
    """What its first bytes tell of a file that is no photo, with the remedy."""
    if not data:
        return "the file is empty"
    if not any(data[:4096]):
        return "it begins with zeros: its copying broke off, or its disk lost it; copy it again"
    for start, what, remedy in _STARTS:
        if data.startswith(start):
            return f"{what}; {remedy}"
    if data[4:12] == b"ftypcrx ":
        return "a camera's raw file (CR3); develop it first"
    if data[:512].lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith(_PAGE):
        return "a web page or drawing, as a server sends with its regrets; fetch the photo again"
    return "no JPEG, PNG, WebP, TIFF, AVIF or HEIC in it"
