"""What a verdict on a recipe rested on, kept with the version in the registry, so that a run with
nothing new knows it, on whatever machine.
"""

from __future__ import annotations

from components.core.files import code_digest
from components.core.parts import digest_of
from components.pipeline.project import Run
from components.services import tracking, versioning

SETTLED, SETTLED_BY = "refocus.settled", "refocus.settled_by"
DECIDING = ("core", "metrics", "nets", "evaluate", "register", "registry")


def champion_of(run: Run) -> int | None:
    """The version that serves now."""
    champion = tracking.at_alias(run.recipe.register_.name, tracking.CHAMPION)
    return None if champion is None else champion.number


def is_settled(run: Run, champion: int | None) -> bool:
    """Whether there was a verdict on just this: settings, code, data as dvc.lock names them, and the
    champion that serves.
    """
    return _known(run, SETTLED, _all(run, champion))


def may_be_settled(run: Run) -> bool:
    """Whether there was a verdict with these settings and this code: then only photos, data and champion
    can tell if there is anything to do.
    """
    return _known(run, SETTLED_BY, _settings(run))


def keep_settled(run: Run, version: int) -> None:
    """Note on the version what the verdict just given rested on."""
    tags = {SETTLED: _all(run, champion_of(run)), SETTLED_BY: _settings(run)}
    tracking.add_tags(run.recipe.register_.name, version, tags)


def _known(run: Run, tag: str, digest: str) -> bool:
    return tracking.find_version(run.recipe.register_.name, tag, digest) is not None


def _all(run: Run, champion: int | None) -> str:
    return digest_of([_settings(run), champion, versioning.hashes(run.name, root=run.root)])


def _settings(run: Run) -> str:
    sections = run.record.sections
    # Where the photos lay is left out: what they are stands in their digest.
    kept = {name: section for name, section in sections.items() if name != "ingest"}
    code = code_digest(*(run.root / "components" / name for name in DECIDING))
    return digest_of([run.name, kept, code])
