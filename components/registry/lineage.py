"""From a model that serves back to the photos: `refocus lineage NAME@champion [--photos]
[--verify]`.

alias → version → checkpoint → recipe → pairs → photos → git commit → DVC objects. Everything but
the last two is read from the registry
alone: each version carries the records of its whole chain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from components.core.errors import InputError, LineageError, RefocusError, nearest
from components.core.files import sha256_of_file
from components.core.record import Record
from components.core.records import Checkpoint, EvalReport, PairSet, Photo, PhotoSet, Provenance, RecipeRecord
from components.register.export import FILES, RECORDS
from components.services import tracking, versioning
from components.services.content import shard_problems
from components.services.tracking import registry

_LINKS: tuple[tuple[str, str, type[Record]], ...] = (
    ("checkpoint", registry.CHECKPOINT, Checkpoint),
    ("report", registry.REPORT, EvalReport),
    ("recipe", registry.RECIPE, RecipeRecord),
    ("pairs", registry.PAIRSET, PairSet),
    ("photos", registry.PHOTOSET, PhotoSet),
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_REFERENCE = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*)(?:@(?P<alias>[A-Za-z][A-Za-z0-9_-]*)|[:/]v?(?P<number>[0-9]+))?"
)


@dataclass(frozen=True)
class Link:
    """One step of the way: what it is and its digest, md5, commit or number."""

    what: str
    identity: str
    note: str = ""


@dataclass(frozen=True)
class Chain:
    """The whole way from a version back to its photos."""

    version: tracking.Version
    links: tuple[Link, ...]

    def __str__(self) -> str:
        """One line a step, as the command prints it."""
        width = max(len(link.what) for link in self.links)
        return "\n".join(
            f"{'→ ' if index else '  '}{link.what:<{width}} "
            f" {link.identity}{'  ' + link.note if link.note else ''}"
            for index, link in enumerate(self.links)
        )


def resolve(reference: str, *, perhaps: Iterable[str] = ()) -> tracking.Version:
    """The version that NAME@ALIAS, NAME:3 or NAME (its champion) means. Raises InputError, or LineageError
    when there is none, with the nearest name of the registry or of those that it perhaps meant.
    """
    name, alias, number = parts_of(reference)
    if number is not None:
        return tracking.get_version(name, number)
    version = tracking.at_alias(name, alias)
    if version is None:
        known = ", ".join(str(one.number) for one in tracking.newest_versions(name)) or "none"
        hint = nearest(name, (*tracking.ledger.models(), *perhaps)) if known == "none" else ""
        raise LineageError(
            f"{name} has no {alias} in the registry (versions: {known}); refocus run RECIPE"
            f" registers and promotes one.{hint}"
        )
    return version


def need_name(name: str) -> None:
    """Raises InputError for what is no model's name, such as a version of one, where a name is asked for."""
    if _NAME.fullmatch(name) is None:
        alone = _NAME.match(name)
        raise InputError(
            f"{name!r} is no model's name; here it stands alone, without a version or an alias"
            + (f": {alone[0]}" if alone else ", as in `refocus history demo`")
        )


def parts_of(reference: str) -> tuple[str, str, int | None]:
    """The model's name, the alias (champion where none is named), and the number where one is.
    Raises InputError when it names no version.

    >>> parts_of("demo@challenger"), parts_of("demo"), parts_of("demo:3")
    (('demo', 'challenger', None), ('demo', 'champion', None), ('demo', 'champion', 3))
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise InputError(
            f"{reference!r} names no version; write NAME@champion, NAME@challenger, NAME@previous or NAME:3"
        )
    number = int(found["number"]) if found["number"] else None
    return found["name"], found["alias"] or tracking.CHAMPION, number


def trace(reference: str) -> Chain:
    """Walk from a version back to its photos, by the digests in the registry."""
    version = resolve(reference)
    tags = version.tags
    first = [Link("model", version.name), *(Link("alias", alias) for alias in sorted(version.aliases))]
    status = f"gate: {tags.get(tracking.STATUS, 'never asked')}" + (
        ", rolled back" if tags.get("rolled_back") == "true" else ""
    )
    first.append(Link("version", str(version.number), status))
    names = {"recipe": tags.get(registry.RECIPE_NAME, "")}
    middle = [Link(what, tags.get(tag, "unknown"), names.get(what, "")) for what, tag, _ in _LINKS]
    if parent := tags.get(registry.PARENT):
        middle.insert(1, Link("started from", parent, tags.get(registry.PARENT_NAME, "")))
    middle.insert(1, Link("weights", tags.get(registry.WEIGHTS_SHA256, "unknown")))
    last = [Link("git commit", tags.get(registry.GIT_COMMIT, "unknown"))]
    last += [Link(f"DVC {output}", md5) for output, md5 in _dvc(version)]
    return Chain(version, (*first, *middle, *last))


def photos_of(reference: str) -> tuple[Photo, ...]:
    """The photos that a version was made from and measured on, as they stood in its PhotoSet; read
    from the registry alone.
    """
    return photos_told(reference)[1]


def photos_told(reference: str) -> tuple[str, tuple[Photo, ...]]:
    """The same, with the settings of ingest that made the set in front, in words."""
    with tracking.fetch(resolve(reference), RECORDS) as folder:
        photoset = PhotoSet.load(folder)
        return photoset.settings, photoset.photos()


def verify(reference: str, *, root: Path) -> list[str]:
    """Check every object and hash of a version's lineage again; gives what is wrong, in words,
    nothing when all is well.

    root: the checkout whose git history and DVC cache should hold the version's code and data.
    """
    version = resolve(reference)
    problems: list[str] = []
    with tracking.fetch(version, "") as folder:
        problems += _files(version, folder)
        problems += _records(version, folder / RECORDS)
        problems += _shards(folder / RECORDS)
    commit = version.tags.get(registry.GIT_COMMIT, "")
    recipe = version.tags.get(registry.RECIPE_NAME, "")
    if not commit or not versioning.has_commit(commit, recipe, root=root):
        problems.append(
            f"the git commit {commit or '(none)'} is not in {root}, nor among the runs of its git remote;"
            " fetch it from where the model was trained"
        )
    objects = _dvc(version)
    if not objects:
        problems.append(f"{version.words} names no DVC object")
    for output, md5 in objects:
        try:
            problems += [f"{output}: {words}" for words in versioning.check_objects(md5, root=root)]
        except RefocusError as error:
            problems.append(f"{output}: {error}")
    return problems


def _shards(folder: Path) -> list[str]:
    """The shards in the store, where the pairs' pictures lie in such."""
    try:
        return [f"pairs: {words}" for words in shard_problems(PairSet.load(folder))]
    except RefocusError as error:
        return [f"pairs: {error}"]


def _dvc(version: tracking.Version) -> list[tuple[str, str]]:
    return [
        (key.removeprefix(registry.DVC_PREFIX), md5)
        for key, md5 in sorted(version.tags.items())
        if key.startswith(registry.DVC_PREFIX)
    ]


def _files(version: tracking.Version, folder: Path) -> Iterator[str]:
    """Every file of the version against the list of digests, the list against its tag, the weights
    against theirs.
    """
    listed = folder / FILES
    if not listed.is_file() or sha256_of_file(listed) != version.tags.get(registry.FILES_SHA256):
        yield f"{FILES} of {version.words} is missing or was altered"
        return
    digests: dict[str, str] = json.loads(listed.read_text())
    for name, wanted in digests.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} of {version.words} is missing"
        elif sha256_of_file(path) != wanted:
            yield f"{name} of {version.words} was altered"
    for tag, name in (
        (registry.WEIGHTS_SHA256, Checkpoint.WEIGHTS),
        (registry.GENERATOR_SHA256, Checkpoint.CONFIG),
    ):
        if version.tags.get(tag) not in {digest for place, digest in digests.items() if place.endswith(name)}:
            yield f"{name} of {version.words} is not the one that was registered"


def _records(version: tracking.Version, folder: Path) -> Iterator[str]:
    """Every record against its tag, its table against the record, and the chain from report to
    photos.
    """
    found: dict[str, Record] = {}
    for what, tag, kind in _LINKS:
        try:
            record = kind.load(folder)
            for table in ("photos", "pairs", "source_photos", "targets", "scores"):
                getattr(record, table, tuple)()
        except (LineageError, ValidationError) as error:
            yield f"{what}: {error}"
            continue
        found[what] = record
        if record.digest != version.tags.get(tag):
            yield (
                f"{what}: the record's digest is {record.digest[:12]}…, the version names"
                f" {version.tags.get(tag, 'none')[:12]}…"
            )
    for child, field, parent in (
        ("report", "checkpoint", "checkpoint"),
        ("report", "pairset", "pairs"),
        ("checkpoint", "pairset", "pairs"),
        ("pairs", "photoset", "photos"),
    ):
        if child in found and parent in found and getattr(found[child], field) != found[parent].digest:
            yield (
                f"the {child} rests on other {parent} ({getattr(found[child], field)[:12]}…) than the"
                f" version's ({found[parent].digest[:12]}…)"
            )
    try:
        provenance = Provenance.load(folder)
    except LineageError as error:
        yield f"provenance: {error}"
        return
    if provenance.git_commit != version.tags.get(registry.GIT_COMMIT) or provenance.dvc != dict(
        _dvc(version)
    ):
        yield f"provenance: the record and the tags of {version.words} name other commits or DVC objects"
