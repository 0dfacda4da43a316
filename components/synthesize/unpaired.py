"""Pictures of two domains that have no partner: each becomes a picture of the set as it is."""

from __future__ import annotations

from collections.abc import Iterator

from components.core.records import UNPAIRED, Pair, TargetPhoto
from components.synthesize.imported import decoded_8
from components.synthesize.made_pairs import File, Made, Work, encoded


def unpaired_picture(work: Work) -> Iterator[File | Made]:
    """A photo of one domain as 8-bit PNG, and its row: of an input, which is held against itself, or of a
    target.
    """
    photo, pixels = work.photo, decoded_8(work.data)
    assert photo.domain is not None, "photos of a set without pairs have a domain"
    file, digest = encoded(photo.split, photo.domain, photo.id[:16], pixels)
    yield file
    height, width = pixels.shape[:2]
    row = (
        Pair(
            id=photo.id[:16],
            split=photo.split,
            photo=photo.id,
            group=photo.group,
            input=file.name,
            target=file.name,
            input_sha256=digest,
            target_sha256=digest,
            width=width,
            height=height,
            blur_kind=UNPAIRED,
            drawn={},
            severity=0.0,
            severity_class="mild",
            seed=0,
        )
        if photo.domain == "input"
        else TargetPhoto(
            id=photo.id[:16],
            split=photo.split,
            photo=photo.id,
            group=photo.group,
            target=file.name,
            target_sha256=digest,
            width=width,
            height=height,
        )
    )
    yield work.made([row])
