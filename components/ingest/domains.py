"""Two domains of photos that have no partner: which photo belongs to which, and what stands in both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from components.core.errors import PhotoError
from components.core.records import SPLITS, Domain, Photo
from components.ingest.config import ByContent, Domains, IngestConfig
from components.ingest.pairs.two_folders import TwoFolders
from components.ingest.source import Source
from components.ingest.split import Verdict, fill_empty

DOMAINS: tuple[Domain, ...] = ("input", "target")


def parted(source: Source, config: IngestConfig) -> Source:
    """The source with the photos of both domains, each with its own; those in neither are strays, or of
    the paired test set where the recipe has one. Raises PhotoError when a domain has none.
    """
    domains = config.domains
    assert domains is not None, "photos of one domain are not parted"
    placed = [replace(each, domain=_domain(each.name, domains)) for each in source.found]
    for domain in DOMAINS:
        if not any(each.domain == domain for each in placed):
            raise PhotoError(
                f"no photo lies in {domains.folder(domain)}/, which ingest.domains.{domain} names; put photos"
                " there, or correct the name"
            )
    within = tuple(each for each in placed if each.domain is not None)
    outside = [each for each in placed if each.domain is None]
    names = [each.name for each in outside]
    of_pairs = config.pairs.within(names) if isinstance(config.pairs, TwoFolders) else frozenset[str]()
    strays = tuple(
        (each.name, f"no domain: it lies in neither {domains.input}/ nor {domains.target}/")
        for each in outside
        if each.name not in of_pairs
    )
    return replace(
        source,
        found=within,
        strays=strays,
        of_pairs=tuple(each for each in outside if each.name in of_pairs),
    )


def _domain(name: str, domains: Domains) -> Domain | None:
    within = PurePosixPath(name).parts
    for domain in DOMAINS:
        folder = PurePosixPath(domains.folder(domain)).parts
        if len(within) > len(folder) and within[: len(folder)] == folder:
            return domain
    return None


def filled(verdict: Verdict, domains: Mapping[str, Domain], splitting: ByContent) -> Verdict:
    """The verdict where each domain of a small set has every split, as far as it has photos for it; what
    stands in both domains stays where it is. domains: of each photo, by id.
    """
    groups: dict[str, list[str]] = {}
    for photo, first in verdict.groups.items():
        groups.setdefault(first, []).append(photo)
    splits = dict(verdict.splits)
    for domain in DOMAINS:
        present = {splits[photo] for photo in splits if domains[photo] == domain}
        own = [tuple(one) for one in groups.values() if {domains[photo] for photo in one} == {domain}]
        sides = [splits[one[0]] for one in own]
        if present != set(SPLITS):
            fill_empty(own, sides, splitting)
        for one, side in zip(own, sides, strict=True):
            splits |= dict.fromkeys(one, side)
    return replace(verdict, splits=splits)


def in_both(rows: Sequence[Photo]) -> Iterator[tuple[str, str]]:
    """Scenes that stand in both domains: a name in each, one pair of names a scene."""
    groups: dict[str, dict[str, str]] = {}
    for row in rows:
        if row.domain is not None:
            groups.setdefault(row.group, {}).setdefault(row.domain, row.name)
    for names in groups.values():
        if len(names) == len(DOMAINS):
            yield names["input"], names["target"]


def words_of(rows: Sequence[Photo]) -> str:
    """How many photos each domain has, and which scenes stand in both, in words."""
    counts = ", ".join(f"{sum(row.domain == domain for row in rows)} {domain}" for domain in DOMAINS)
    shared = list(in_both(rows))
    if not shared:
        return f"{counts}; no scene stands in both domains"
    scenes = "1 scene stands" if len(shared) == 1 else f"{len(shared)} scenes stand"
    return f"{counts}; {scenes} in both domains, each in one split: {shared[0][0]} and {shared[0][1]}" + (
        ", and others" if len(shared) > 1 else ""
    )


def refuse_empty(rows: Sequence[Photo], place: str) -> None:
    """Raises PhotoError when a domain has too few different photos for three splits."""
    for domain in DOMAINS:
        own = [row for row in rows if row.domain == domain]
        if {row.split for row in own} != set(SPLITS):
            raise PhotoError(
                f"train, val and test need at least 3 different photos of each domain, {place} has"
                f" {len({row.group for row in own})} usable of the domain {domain} (near duplicates count as"
                " one); add photos there"
            )
