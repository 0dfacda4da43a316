"""Photos that a recipe cannot use, which are left out: too small for its blur, too large for its
codecs, of no use to its translation, or without the map that a blur takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from components.core.quarantine import LeftOut, Quarantine, Unfit, leave_out
from components.core.records import Photo
from components.synthesize.config import SynthesizeConfig
from components.synthesize.maps import unmapped


def usable(config: SynthesizeConfig, photos: Sequence[Photo]) -> tuple[Photo, ...]:
    """The photos that pairs can be made of. Raises PhotoError, with what to do, when more are of no
    use than the recipe allows.
    """
    return _fit(config, photos, photos, _unusable(config, photos))


def writable(
    config: SynthesizeConfig, ingested: Sequence[Photo], photos: Sequence[Photo]
) -> tuple[Photo, ...]:
    """Those of the usable photos that a codec of the recipe can write. ingested: all there were.
    Raises PhotoError as `usable` does.
    """
    return _fit(config, ingested, photos, _large(config, photos))


def without(config: SynthesizeConfig, ingested: Sequence[Photo], broken: Sequence[LeftOut]) -> Quarantine:
    """The list of what was left out. broken: what could not be read in the end, by id. Raises
    PhotoError as `usable` does.
    """
    causes = [*_unusable(config, ingested), *_large(config, ingested), *_broken(ingested, broken)]
    return leave_out("synthesize", causes, _splits(ingested), most=config.max_left_out)


def _fit(
    config: SynthesizeConfig, ingested: Sequence[Photo], photos: Sequence[Photo], causes: Iterable[Unfit]
) -> tuple[Photo, ...]:
    causes = list(causes)
    leave_out("synthesize", causes, _splits(ingested), most=config.max_left_out)
    unfit = {photo for cause in causes for photo in cause.items}
    return tuple(photo for photo in photos if photo.id not in unfit)


def _splits(photos: Sequence[Photo]) -> dict[str, str]:
    return {photo.id: photo.split for photo in photos}


def _unusable(config: SynthesizeConfig, photos: Sequence[Photo]) -> Iterator[Unfit]:
    yield from _useless(config, photos)
    yield from unmapped(config, photos)
    yield from _small(config, photos)


def _useless(config: SynthesizeConfig, photos: Sequence[Photo]) -> Iterator[Unfit]:
    """A translation needs photos in which input and target can be found."""
    if config.translate is None:
        return
    refused = [(photo, why) for photo in photos if (why := config.translate.refusal(photo)) is not None]
    if refused:
        photo, why = refused[0]
        yield Unfit(
            {each.id: (each.name, f"no use: {reason}") for each, reason in refused},
            f"{len(refused)} of {len(photos)} photos cannot be used: {photo.name}: {why}. Take them out of"
            " the folder that is ingested",
        )


def _small(config: SynthesizeConfig, photos: Sequence[Photo]) -> Iterator[Unfit]:
    """Reflection cannot fill the border of a photo that is smaller than the blur; of a tiny one
    nothing is left to learn.
    """
    needed = config.smallest_px
    small = [
        photo
        for photo in photos
        if not (photo.inputs or photo.domain) and min(config.target_size(photo)) < needed
    ]
    if small:
        blur = needed == config.largest_blur_px
        than = "the largest blur" if blur else "the least that can be used"
        yield Unfit(
            {
                photo.id: (photo.name, f"too small: {_size(config, photo)}, {than} needs {needed} px")
                for photo in small
            },
            f"{len(small)} of {len(photos)} photos are smaller than {than}, {needed} px: {small[0].name} is"
            f" {_size(config, small[0])}. Leave out photos below {needed} px a side when"
            f" ingesting{f', or make {config.largest_blur} smaller' if blur else ''}",
        )


def _large(config: SynthesizeConfig, photos: Sequence[Photo]) -> Iterator[Unfit]:
    """A codec's file has no room for longer sides."""
    longest = None if config.camera.largest_px is None else config.camera.largest_px * config.scale
    large = [] if longest is None else [photo for photo in photos if max(config.target_size(photo)) > longest]
    if large:
        codecs = f"camera.{' or camera.'.join(config.camera.codecs)}"
        yield Unfit(
            {
                photo.id: (photo.name, f"too large: {_size(config, photo)}, {codecs} writes {longest} px")
                for photo in large
            },
            f"{len(large)} of {len(photos)} photos are larger than {codecs} can write, {longest} px a side:"
            f" {large[0].name} is {large[0].width} × {large[0].height} px. Set synthesize.max_side_px to"
            f" {longest} or less, or leave them out",
        )


def _broken(photos: Sequence[Photo], broken: Sequence[LeftOut]) -> Iterator[Unfit]:
    if broken:
        names = {photo.id: photo.name for photo in photos}
        first = broken[0]
        yield Unfit(
            {each.name: (names[each.name], each.reason) for each in broken},
            f"{len(broken)} of {len(photos)} photos cannot be read: {names[first.name]}: {first.reason}. Run"
            " ingest again",
        )


def _size(config: SynthesizeConfig, photo: Photo) -> str:
    width, height = config.target_size(photo)
    target = "" if (width, height) == (photo.width, photo.height) else f", its target {width} × {height} px"
    return f"{photo.width} × {photo.height} px{target}"
