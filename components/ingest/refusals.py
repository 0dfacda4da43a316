"""What ingest refuses: a source without a usable photo, and one with too few for three splits."""

from __future__ import annotations

from pathlib import Path

from components.core.errors import PhotoError
from components.core.photo_names import SHOWN
from components.core.quarantine import Quarantine
from components.core.records import SPLITS, Photo
from components.ingest.account import refused_words
from components.ingest.config import ByFolder, IngestConfig
from components.ingest.source import Source


def nothing_words(config: IngestConfig, source: Source, quarantine: Quarantine, out: Path) -> str:
    """What a person is told where no photo can be used."""
    words = refused_words(quarantine, out)
    if not source.seen:
        return (
            f"no photo at {config.photos}: nothing at all lies there; is its disk mounted, or its prefix"
            " spelt as the bucket has it? Else give ingest.photos, or --photos, a folder or s3://bucket/prefix"
            " of sharp photos"
        )
    if not source.found:
        maps = f", but for masks and depth maps ({len(source.maps)})" if source.maps else ""
        return (
            f"no photo at {config.photos}: no file there ends in {SHOWN}{maps}"
            f" ({words}); give ingest.photos, or --photos, a folder or s3://bucket/prefix of"
            " sharp photos"
        )
    return (
        f"no usable photo at {config.photos}: all {len(source.found)} files were left out"
        f" ({words}); give at least 3 whole photos (JPEG, PNG, WebP, TIFF, AVIF, or HEIC)"
        f" of {config.min_px} px or more"
    )


def refuse_empty_split(
    rows: tuple[Photo, ...], config: IngestConfig, quarantine: Quarantine, out: Path
) -> None:
    """Raises PhotoError when a split has no photo, with what to do."""
    empty = [split for split in SPLITS if not any(row.split == split for row in rows)]
    if not empty:
        return
    words = refused_words(quarantine, out)
    if isinstance(config.split, ByFolder):
        raise PhotoError(
            f"no usable photo for {' and '.join(empty)} at {config.photos} ({words}); put some"
            f" into the folders {', '.join(f'{split}/' for split in empty)}, or set ingest.split to {{kind:"
            " by_content}"
        )
    different = len({row.group for row in rows})
    raise PhotoError(
        f"train, val and test need at least 3 different photos, {config.photos} has {different} usable "
        f"({words}; near duplicates count as one); add photos there"
    )
