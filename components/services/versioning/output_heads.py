"""The first line of a file in outputs of past runs, had from DVC's cache or the default remote without
checking anything out: `python output_heads.py FILE OUTPUT.dir…` in a checkout prints JSON.

A process of its own: DVC brings its threads, and takes a second to import.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

ABSENT = "absent"


def heads_in_outputs(outputs: Iterable[str], name: str, *, root: Path) -> dict[str, str | None]:
    """The first line of the file of that name in each output, named by its DVC hash (MD5.dir); None where
    an output has no such file.

    Raises LineageError when an output is neither in the cache nor in the remote, or the remote does not
    answer.
    """
    from components.core.errors import LineageError
    from components.services.versioning.process import child_environment

    wanted = sorted(set(outputs))
    if not wanted:
        return {}
    done = subprocess.run(
        [sys.executable, "-P", str(Path(__file__).resolve()), name, *wanted],
        cwd=root,
        env=child_environment(),
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["DVC said nothing"])[-1]
        raise LineageError(f"DVC cannot say what past runs have made ({last[:300]})")
    found: dict[str, str | None] = json.loads(done.stdout.strip().splitlines()[-1])
    if lost := sorted(output for output, head in found.items() if head == ABSENT):
        raise LineageError(
            f"{len(lost)} of {len(found)} outputs of past runs are neither in DVC's cache nor in its remote,"
            f" such as {lost[0]}"
        )
    return found


def main(name: str, outputs: list[str]) -> None:
    """Look for each, in the cache first."""
    from dvc.config import NoRemoteError, RemoteNotFoundError
    from dvc.repo import Repo

    with Repo() as repo:
        places = [repo.cache.local]
        with suppress(NoRemoteError, RemoteNotFoundError):
            places.append(repo.cloud.get_remote_odb(None, "fetch"))
        print(json.dumps({output: _head(places, output, name) for output in outputs}))


def _head(places: list[Any], output: str, name: str) -> str | None:
    listed = _read(places, output, whole=True)
    if listed is None:
        return ABSENT
    rows = json.loads(listed)
    found = next((row["md5"] for row in rows if row["relpath"] == name), None)
    if found is None:
        return None
    return _read(places, found, whole=False) or ABSENT


def _read(places: list[Any], oid: str, *, whole: bool) -> str | None:
    for place in places:
        path = place.oid_to_path(oid)
        if place.fs.exists(path):
            with place.fs.open(path, "rb") as stream:
                data: bytes = stream.read() if whole else stream.readline()
            return data.decode()
    return None


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
