"""The model registry: versions, their aliases, tags and files.

Aliases: `challenger` was registered last, `champion` serves, `previous` served before it. Every
version carries the tag validation_status (pending, passed or failed) and the digests of what it
rests on.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.core.errors import LineageError, ServiceError
from components.services.tracking import model_files, server_registry, sqlite_registry, store

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
STATUS = "validation_status"
CHECKPOINT, REPORT, RECIPE, PAIRSET, PHOTOSET = (
    "refocus.checkpoint",
    "refocus.report",
    "refocus.recipe",
    "refocus.pairset",
    "refocus.photoset",
)
WEIGHTS_SHA256, GENERATOR_SHA256, FILES_SHA256 = (
    "refocus.weights_sha256",
    "refocus.generator_sha256",
    "refocus.files_sha256",
)
RECIPE_NAME = "refocus.recipe_name"
PARENT, PARENT_NAME = "refocus.parent", "refocus.parent_name"
GIT_COMMIT, DVC_PREFIX = "git.commit", "dvc."
MADE_OF = "models:/"
MOST_NUMBER = 2**31 - 1  # a version's, as databases count
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class Version:
    """One version as the registry holds it now."""

    name: str
    number: int
    run_id: str | None
    created_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The version as people write it: NAME version 3."""
        return f"{self.name} version {self.number}"


def get_version(name: str, number: int) -> Version:
    """A version by its number. Raises LineageError when the registry has none."""
    found = maybe_version(name, number)
    if found is None:
        raise LineageError(
            f"the registry at {store.shown_uri()} has no {name} version {number}; refocus run RECIPE"
            " registers one"
        )
    return found


def maybe_version(name: str, number: int) -> Version | None:
    """A version by its number, None where the registry has none (any more)."""
    if not 1 <= number <= MOST_NUMBER:
        return None
    row = sqlite_registry.asked(store.tracking_uri(), sqlite_registry.version(name, number))
    if row is None:
        row = server_registry.version(store.tracking_uri(), name, number)
    if row is not None:
        return Version(*row) if row else None
    found = _maybe(lambda client: client.get_model_version(name, str(number)))
    return None if found is None else _version(found)


def at_alias(name: str, alias: str) -> Version | None:
    """The version an alias points to, or None."""
    if store.is_unused():
        return None
    number = sqlite_registry.asked(store.tracking_uri(), sqlite_registry.at_alias(name, alias))
    if number is None and (told := server_registry.model(store.tracking_uri(), name)) is not None:
        number = told[1].get(alias, 0)
    if number is None:
        found = _maybe(lambda client: client.get_model_version_by_alias(name, alias))
        number = 0 if found is None else int(found.version)
    return get_version(name, number) if number else None


def newest_versions(name: str) -> tuple[Version, ...]:
    """All versions of a model, newest first; none when there is no such model."""
    return search(f"name = '{name}'")


def find_version(name: str, tag: str, value: str) -> Version | None:
    """The newest version whose tag has this value, or None."""
    if store.is_unused():
        return None
    number = sqlite_registry.asked(store.tracking_uri(), sqlite_registry.newest_tagged(name, tag, value))
    if number is not None:
        return get_version(name, number) if number else None
    found = search(f"name = '{name}' and tags.`{tag}` = '{value}'")
    return get_version(name, found[0].number) if found else None


def set_alias(name: str, alias: str, number: int) -> None:
    """Point an alias to a version: one row, in one step."""
    client = store.client()
    with store.asking(f"set the alias {alias}"):
        store.write_again(client.set_registered_model_alias, name, alias, str(number))


def add_tags(name: str, number: int, tags: Mapping[str, str]) -> None:
    """Write tags on a version; a tag that exists is replaced."""
    client = store.client()
    with store.asking("write tags"):
        for key, value in tags.items():
            store.write_again(client.set_model_version_tag, name, str(number), key, value)


def model_tags(name: str) -> dict[str, str]:
    """The tags of the model as a whole; none when there is no such model."""
    known = sqlite_registry.asked(store.tracking_uri(), sqlite_registry.model_tags(name))
    if known is None and (told := server_registry.model(store.tracking_uri(), name)) is not None:
        known = told[0]
    if known is not None:
        return known
    found = _maybe(lambda client: client.get_registered_model(name))
    return {} if found is None else dict(found.tags)


def add_model_tags(name: str, tags: Mapping[str, str]) -> None:
    """Write tags on the model as a whole."""
    client = store.client()
    with store.asking("write tags"):
        for key, value in tags.items():
            store.write_again(client.set_registered_model_tag, name, key, value)


def add_version(
    name: str, folder: Path, *, run_id: str | None, tags: Mapping[str, str], description: str
) -> Version:
    """Upload a model folder and make it the next version, in this order: a version never points to
    files that are not there.

    folder: as `save_pyfunc` made it; run_id: the training's run, when the store has it; tags:
    written with the version in one step.
    """
    client = store.client()
    package = store.mlflow()
    with store.asking("register the model"):
        try:
            client.create_registered_model(
                name,
                description="Restores photos; made by refocus. What each version does stands on its card.",
            )
        except package.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        model = client.create_logged_model(
            store.experiment(store.tracking_uri(), store.experiment_name()),
            name=name,
            source_run_id=run_id,
            tags=dict(tags),
        )
        client.log_model_artifacts(model.model_id, str(folder))
        model_files.need_whole(model.model_id, folder)
        client.finalize_logged_model(model.model_id, "READY")
        if run_id is not None:
            client.log_outputs(run_id, [package.entities.LoggedModelOutput(model.model_id, step=0)])
        made = client.create_model_version(
            name,
            f"{MADE_OF}{model.model_id}",
            run_id,
            tags=dict(tags),
            description=description,
            model_id=model.model_id,
        )
    return get_version(name, int(made.version))


def has_file(version: Version, path: str) -> bool:
    """Whether a version has a file of that path; asked by a list, which is an answer and no refusal."""
    client = store.client()
    folder, _, name = path.rpartition("/")
    with store.asking(f"list the files of {version.words}"):
        place = client.get_model_version_download_uri(version.name, str(version.number))
        try:
            listed = store.mlflow().artifacts.list_artifacts(artifact_uri=f"{place}/{folder}")
        except (OSError, store.mlflow().MlflowException):
            return False
    return any(each.path.rpartition("/")[2] == name for each in listed)


def add_file(version: Version, path: Path, place: str) -> bool:
    """Put a file into a folder beside a version's own, which no list of digests names; whether the
    registry took it.
    """
    client = store.client()
    try:
        with store.asking(f"take {path.name}"), tempfile.TemporaryDirectory(prefix="refocus-") as folder:
            source = client.get_model_version(version.name, str(version.number)).source
            if not source.startswith(MADE_OF):
                return False
            beside = Path(folder) / place
            beside.mkdir()
            shutil.copyfile(path, beside / path.name)
            client.log_model_artifacts(source.removeprefix(MADE_OF), folder)
    except ServiceError:
        return False  # what it holds can be made again
    return True


@contextmanager
def fetch(version: Version, path: str) -> Iterator[Path]:
    """A version's file or folder (all of them for ""), fetched for as long as the block lasts.

    Raises LineageError when the version has no such file.
    """
    client = store.client()
    with tempfile.TemporaryDirectory(prefix="refocus-") as folder:
        # Going through the version's own place, not models:/NAME/N, leaves the registry's folder as
        # it is.
        with store.asking(f"give {path or 'the files'} of {version.words}"):
            place = client.get_model_version_download_uri(version.name, str(version.number))
            try:
                found = Path(
                    store.mlflow().artifacts.download_artifacts(
                        artifact_uri=f"{place}/{path}" if path else place, dst_path=folder
                    )
                )
            except (OSError, store.mlflow().MlflowException) as error:
                raise LineageError(
                    f"{version.words} has no {path} in the registry at {store.shown_uri()}:"
                    f" {str(error).splitlines()[0][:200]}; register the model again"
                ) from error
        if not found.exists():
            raise LineageError(
                f"{version.words} has no {path} in the registry at {store.shown_uri()}; register the model"
                " again"
            )
        yield found


def _maybe(question: Any) -> Any:
    client = store.client()
    with store.asking("be read"):
        try:
            return question(client)
        except store.mlflow().MlflowException as error:
            if error.error_code in _ABSENT:
                return None
            raise


def search(words: str) -> tuple[Version, ...]:
    """All versions that fit MLflow's search words, newest first."""
    return tuple(searched(words))


def searched(words: str) -> Iterator[Version]:
    """The same one by one: who stops early has asked for no more pages than that took."""
    client = store.client()
    token = None
    while True:
        with store.asking("be searched"):
            page = client.search_model_versions(
                words, max_results=200, order_by=["version_number DESC"], page_token=token
            )
        yield from (_version(entity) for entity in page)
        token = page.token
        if not token:
            return


def _version(entity: Any) -> Version:
    return Version(
        name=str(entity.name),
        number=int(entity.version),
        run_id=entity.run_id or None,
        created_ms=int(entity.creation_timestamp or 0),
        tags=dict(entity.tags),
        aliases=tuple(entity.aliases or ()),
    )
