"""The files of a model in the store: which are there, and whether they are all that was sent."""

from __future__ import annotations

from pathlib import Path

from components.core.errors import ServiceError
from components.services.tracking import store


def files_of(name: str, number: int) -> dict[str, int | None]:
    """The files of version `number` of a model by their name below its folder, and their bytes where the
    store tells them. None at all where they were deleted: who deletes a run on MLflow's page and collects
    the garbage takes the files of its models along.
    """
    client = store.client()
    with store.asking(f"list the files of {name} version {number}"):
        place = client.get_model_version_download_uri(name, str(number))
        try:
            return _below(place)
        except (OSError, store.mlflow().MlflowException):
            return {}


def need_whole(model_id: str, folder: Path) -> None:
    """Raises ServiceError when the store does not hold every file of a folder that was just sent to
    it, each with all its bytes: no version may point to less.
    """
    with store.asking("list the files of the model"):
        there = _below(store.client().get_logged_model(model_id).artifact_location)
    sent = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file()
    }
    short = sorted(name for name, size in sent.items() if there.get(name, -1) not in (size, None))
    if short:
        raise ServiceError(
            f"the tracking store at {store.shown_uri()} took {len(sent) - len(short)} of {len(sent)} files of"
            f" the model ({short[0]} is not whole there), so no version was made; look at its disk or bucket,"
            " then run the same command again"
        )


def _below(place: str) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        for entry in store.mlflow().artifacts.list_artifacts(
            artifact_uri=f"{place}/{folder}" if folder else place
        ):
            name = f"{folder}/{Path(entry.path).name}" if folder else Path(entry.path).name
            if entry.is_dir:
                folders.append(name)
            else:
                found[name] = entry.file_size
    return found
