"""Where pairs are made before they are a set: what is finished survives a kill, and is not made
again.

DVC deletes a stage's outputs before it runs the stage, so unfinished work lies in the state folder.
(DVC's `persist` would keep the outputs, but takes the stage out of DVC's run cache: every scheduled
run, which starts in an empty worktree, would make all pairs again.)

A bench belongs to one digest of settings, code and the libraries that touch pixels; another digest
is another bench, so nothing of other settings or code is ever reused. Its journal has a line a
photo, written after the photo's pictures, and is trusted only where every picture's SHA-256 is the
one it names. Pictures become part of a set by a second name (a hard link), which takes no room;
where the set lies on another disk they are copied, and the bench is emptied at the end.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from components.core.files import (
    atomic_path,
    make_folder,
    need_free_space,
    sha256_of_file,
    state_folder,
    write_bytes,
)
from components.core.locks import Shared
from components.core.parts import canonical_json, digest_of
from components.core.pixel_code import pixel_code
from components.core.records import Photo
from components.synthesize.config import SynthesizeConfig
from components.synthesize.made_pairs import File, Made, photo_key

KEPT_DAYS = 7.0  # a bench that was not used for so long is removed
CODE = ("core", "optics", "synthesize")


class Workbench:
    """The finished pictures and rows of one digest of settings and code."""

    def __init__(self, config: SynthesizeConfig) -> None:
        benches = state_folder() / "synthesize"
        self.folder = benches / _key(config)[:32]
        make_folder(self.folder)
        self._use = Shared(self.folder)
        self._journal = self.folder / "finished.jsonl"
        self._journal.touch()
        _remove_unused(benches)
        self._finished = _read(self._journal)
        self._config = config
        self._linked = True

    def need_space(self, megabytes: float, out: Path) -> None:
        """Refuse, before work starts, when a set of that size has no room here, or below `out`
        where that is another disk.
        """
        there = sum(path.stat().st_size for path in self.folder.rglob("*.png")) / 1e6
        need_free_space(self.folder, megabytes - there, "synthesize")
        make_folder(out)
        if out.stat().st_dev != self.folder.stat().st_dev:
            need_free_space(out, megabytes, "synthesize")

    def finished(self, photo: Photo) -> Made | None:
        """What became of a photo in an earlier run, if all that its pairs depend on is the same, and
        its pictures are there as they were written.
        """
        made = self._finished.get(photo.id)
        if made is None or made.key != photo_key(self._config, photo):
            return None
        intact = all(
            (self.folder / name).is_file() and sha256_of_file(self.folder / name) == sha256
            for name, sha256 in made.files.items()
        )
        return made if intact else None

    def write(self, file: File) -> None:
        """Keep one picture."""
        write_bytes(self.folder / file.name, file.data)

    def note(self, made: Made) -> None:
        """Write down that a photo is finished; its pictures have been written."""
        line = canonical_json(made.model_dump(mode="json")) + "\n"
        # One write at the end of the file: another run on the same bench does not get between.
        with self._journal.open("ab", buffering=0) as stream:
            stream.write(line.encode())

    def deliver(self, names: Iterable[str], out: Path) -> None:
        """Give pictures their place below `out`, each in one step."""
        for name in names:
            with atomic_path(out / name) as temporary:
                self._linked = self._linked and _link(self.folder / name, temporary)
                if not self._linked:
                    shutil.copyfile(self.folder / name, temporary)

    def close(self) -> None:
        """The set is complete: a bench of copies has served, unless another recipe of the same settings is
        at work on it.
        """
        if not self._linked:
            self._use.take_away()


def _key(config: SynthesizeConfig) -> str:
    return digest_of({"settings": config.identity, "code": pixel_code(*CODE)})


def _read(journal: Path) -> dict[str, Made]:
    """The journal's rows by photo; the last one counts, and a line that a kill cut off does not."""
    data = journal.read_bytes()
    if data and not data.endswith(b"\n"):
        with journal.open("ab") as stream:
            stream.write(b"\n")
    found: dict[str, Made] = {}
    for line in data.splitlines():
        try:
            made = Made.model_validate_json(line)
        except ValidationError:
            continue
        found[made.photo] = made
    return found


def _remove_unused(benches: Path) -> None:
    for journal in benches.glob("*/finished.jsonl"):
        if time.time() - journal.stat().st_mtime > KEPT_DAYS * 86400:
            Shared(journal.parent).take_away()


def _link(source: Path, target: Path) -> bool:
    """Give a file a second name; False where the file system cannot."""
    target.unlink()
    try:
        os.link(source, target)
    except OSError:
        return False
    return True
