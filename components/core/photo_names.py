"""What a file's name tells: which format its extension claims, and one way to write a name that
systems write in two.

macOS and what was copied from it spell ü as u and two dots (NFD, Unicode Standard Annex 15),
others as one letter (NFC). The two look alike and are other bytes, so names that are compared go
through `composed` first.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import PurePosixPath

# Every format that components.core.images may decode; where a library for it is missing, decoding
# says which.
FORMAT_OF = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    ".png": "PNG",
    ".webp": "WEBP",
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIC"),
    ".avif": "AVIF",
}
# What a photo's bytes are called once they are kept.
EXTENSION_OF = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "HEIC": "heic", "AVIF": "avif"}
# A picture's name as a regular expression.
PICTURE = r"[^/]+\.(?:" + "|".join(re.escape(extension[1:]) for extension in FORMAT_OF) + ")"
SHOWN = ".jpg, .png, .webp, .tif, .heic or .avif"


def extension_of(name: str) -> str:
    """The extension in small letters with its dot; empty where there is none."""
    return PurePosixPath(name).suffix.lower()


def readable(name: str) -> str:
    """A name as text, also where its bytes are none: those are written as \\xff.

    >>> readable("b\\udcff.png")
    'b\\\\xff.png'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def composed(name: str) -> str:
    """A name with each letter as one character (NFC), whatever system wrote it.

    >>> len("u\\u0308ber"), len(composed("u\\u0308ber"))
    (5, 4)
    """
    return unicodedata.normalize("NFC", name)
