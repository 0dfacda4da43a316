"""Files of models that no version names: a registering that was killed between sending them and making
the version leaves them behind.
"""

from __future__ import annotations

import shutil
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.services.tracking import registry, sqlite_registry, store


@dataclass(frozen=True)
class UnnamedModel:
    """A model that was sent and never became a version. folder: its files, where they lie on this
    machine; at_s: when it was begun (seconds since 1970).
    """

    id: str
    at_s: float
    folder: Path | None


def is_used() -> bool:
    """Whether anything was ever tracked here, or tracking goes to a server."""
    place = sqlite_registry.file_of(store.tracking_uri())
    return place is None or place.is_file()


def models_without_version() -> Iterator[UnnamedModel]:
    """Models of ours in the store that no version names, oldest first."""
    client = store.client()
    with store.asking("be searched"):
        versions = list(_all(client.search_model_versions, max_results=200))
        named = {each.model_id for each in versions} | {
            str(each.source).removeprefix("models:/") for each in versions
        }
        experiment = store.experiment(store.tracking_uri(), store.experiment_name())
        found = list(_all(client.search_logged_models, experiment_ids=[experiment]))
    for each in sorted(found, key=lambda each: each.creation_timestamp):
        if each.model_id not in named and registry.CHECKPOINT in dict(each.tags):
            yield UnnamedModel(each.model_id, each.creation_timestamp / 1000, _folder(each.artifact_location))


def forget_model(model: UnnamedModel) -> None:
    """Delete it in the store, and its files where they lie on this machine."""
    client = store.client()
    with store.asking("delete a model"):
        client.delete_logged_model(model.id)
    if model.folder is not None:
        shutil.rmtree(model.folder, ignore_errors=True)


def _all(ask: Callable[..., Any], **words: object) -> Iterator[Any]:
    token = None
    while True:
        page = ask(**words, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _folder(address: str) -> Path | None:
    parts = urllib.parse.urlsplit(address)
    path = Path(urllib.parse.unquote(parts.path))
    if parts.scheme not in ("", "file") or path.name != "artifacts":
        return None
    return path.parent
