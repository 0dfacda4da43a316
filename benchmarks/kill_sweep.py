"""Stop a step before each change that it makes to the disk, take it again, and compare with a run that was
never stopped: `python benchmarks/kill_sweep.py [--stages ingest …] [--every N | --points N]`.

Each point is a process of its own, ended without any clean-up (as `kill -9` ends it) before its k-th change:
a file opened for writing, moved, linked, removed, a folder made, something committed to the tracking
database. Then the same step is taken once more, and what it leaves must be the undisturbed run's: the same
files, no more, with the same bytes, and the same versions, aliases, tags and decisions in the registry, but
for times and the names of MLflow's runs. At no moment may a version be in the registry without its files.
Prints points and failures a step; exits with 1 when there was one.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process that is about to fork has one thread

import numpy as np
import yaml
from registry_left import registry_left
from sqlalchemy import Engine, event

from components import recipes
from components.core.images import write_png
from components.core.records import EvalReport, ModelVersion, PairSet, Provenance
from components.pipeline.project import Project, Run
from components.pipeline.stages import STAGES, prepared, register
from components.registry import promotion
from components.services import tracking

NAME = "tiny"
STAGE_NAMES = (*(stage.name for stage in STAGES), "register", "promote")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
PROVENANCE = Provenance(git_commit="0" * 40, dvc={})
TIMES = ("about", "seconds", "seconds_per_megapixel", "table_sha256", "report")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", nargs="+", default=STAGE_NAMES, choices=STAGE_NAMES)
    parser.add_argument("--every", type=int, default=1, help="try every N-th point alone")
    parser.add_argument("--points", type=int, help="try so many points of each step, spread over it")
    arguments = parser.parse_args()

    def chosen(changes: int) -> list[int]:
        points = arguments.points
        if points:
            return sorted({1 + changes * (2 * each + 1) // (2 * points) for each in range(points)})
        return list(range(1, changes + 1, arguments.every))

    failures = 0
    with tempfile.TemporaryDirectory(prefix="refocus-sweep-") as folder:
        home = Path(folder).resolve()
        world(home / "project")
        for name in STAGE_NAMES:
            if name in arguments.stages:
                points, wrong = sweep(name, home, chosen)
                failures += len(wrong)
                print(f"{name:<12} {points:>5} points, {len(wrong)} not as undisturbed", flush=True)
                for words in wrong[:5]:
                    print(f"  {words}", flush=True)
            else:
                done = stopped(home, partial(take, name, home / "project"), None)
                assert done == 0, (home / "log").read_text()
    return 1 if failures else 0


def sweep(name: str, home: Path, chosen: Callable[[int], Iterable[int]]) -> tuple[int, list[str]]:
    """Number of points that were tried, and what was wrong, in words.

    chosen: of so many changes as the undisturbed step makes, those to stop before.
    """
    before, after, project = home / "before", home / "after", home / "project"
    shutil.copytree(project, before, symlinks=True)
    assert stopped(home, lambda: take(name, project), 0) == 0, (home / "log").read_text()
    import_too((home / "modules").read_text().split())
    wanted, changes = left_by(project), int((home / "changes").read_text())
    shutil.copytree(project, after, symlinks=True)
    wrong, tried = [], 0
    for point in chosen(changes):
        _put_back(before, project)
        if stopped(home, lambda: take(name, project), point) == 0:
            continue  # it made fewer changes this time
        tried += 1
        halfway = registry_left(project)["without files"]
        again = stopped(home, lambda: take(name, project), None)
        found = left_by(project)
        if again != 0 or found != wanted or halfway:
            names = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
            names += [f"meanwhile without files: {halfway}"] if halfway else []
            wrong.append(f"before change {point}: exit {again}, other: {', '.join(names[:4])}")
    _put_back(after, project)
    shutil.rmtree(before)
    shutil.rmtree(after)
    return tried, wrong


def take(name: str, root: Path) -> None:
    """One stage, as its own process would take it."""
    os.chdir(root)
    os.environ["REFOCUS_HOME"] = str(root / ".refocus")
    run = Run.of(Project.at(root), NAME)
    if name == "register":
        register(run, PROVENANCE)
    elif name == "promote":
        version = ModelVersion.load(root / ".refocus" / "registered" / NAME)
        pairset, report = run.load(PairSet), flattering(run, root.parent / "report")
        assert promotion.promote(run.recipe.register_, pairset, report, version).promoted
    else:
        with prepared(name, run) as work:
            work()


def flattering(run: Run, folder: Path) -> EvalReport:
    """The run's report, every photo 3 dB better than doing nothing: eight pictures train no champion."""
    report = run.load(EvalReport)
    scores = tuple(
        score.model_copy(update={"restored": {name: value + 3 for name, value in score.do_nothing.items()}})
        for score in report.scores()
    )
    table = EvalReport.write_table(folder, scores)
    return report.model_copy(update={"table_sha256": table}).save(folder)


def stopped(home: Path, work: Callable[[], None], point: int | None) -> int:
    """Do the work in a forked process that ends before its `point`-th change; gives its exit code. With 0 it
    only counts them, into HOME/changes, and names what it imported in HOME/modules.
    """
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        log = os.open(home / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            ends = None
            if point is not None:
                ends = _Ends(point, str(home / "project"))
                sys.addaudithook(ends)
                event.listen(Engine, "commit", lambda _: ends.one_more())
            work()
            if ends is not None and point == 0:
                (home / "changes").write_text(str(ends.seen))
                (home / "modules").write_text(" ".join(sys.modules))
        except BaseException:
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def import_too(names: Iterable[str]) -> None:
    """Import here what a step imports, so that its forks need not: it is most of their time."""
    for name in names:
        if name not in sys.modules:
            with suppress(Exception):  # made while the step ran, or not meant to be imported by its name
                importlib.import_module(name)


class _Ends:
    """Ends this process before its `point`-th change below a folder."""

    def __init__(self, point: int, folder: str) -> None:
        self.seen, self._point, self._folder = 0, point, folder

    def __call__(self, event: str, values: tuple[Any, ...]) -> None:
        changes = event in CHANGES or (event == "open" and isinstance(values[2], int) and values[2] & WRITES)
        if not changes:
            return
        paths = [os.fsdecode(value) for value in values[:2] if isinstance(value, str | bytes | os.PathLike)]
        if not any(os.path.abspath(path).startswith(self._folder) for path in paths):  # noqa: PTH100
            return
        self.one_more()

    def one_more(self) -> None:
        """Count a change that is about to be made."""
        self.seen += 1
        if self.seen == self._point:
            os._exit(9)


def left_by(root: Path) -> dict[str, str]:
    """Every file of the outputs, and its content but for what differs from run to run."""
    found = {}
    for folder in (root / "data", root / ".refocus" / "registered"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != "report.html":
                found[str(path.relative_to(root))] = _content(path)
            elif path.name == "report.html":
                found[str(path.relative_to(root))] = "a page"
    temporaries = [path for path in root.rglob(".refocus-*") if path.is_file()]
    return found | {str(path): "left over" for path in temporaries} | registry_left(root)


def _content(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix not in (".json", ".jsonl"):
        return data.hex()
    try:
        lines = [json.loads(line) for line in ([data] if path.suffix == ".json" else data.splitlines())]
    except ValueError:
        return f"not JSON: {data.hex()}"
    return json.dumps([{key: value for key, value in line.items() if key not in TIMES} for line in lines])


def _put_back(before: Path, project: Path) -> None:
    shutil.rmtree(project)
    shutil.copytree(before, project, symlinks=True)


def world(root: Path) -> None:
    """A project with six small photos and a recipe that takes seconds."""
    for folder in (".dvc", "components/recipes", "photos"):
        (root / folder).mkdir(parents=True)
    (root / "dvc.yaml").touch()
    random = np.random.default_rng(1)
    for index in range(6):
        coarse = random.integers(0, 256, (12, 12, 3))
        photo = np.kron(coarse, np.ones((6, 6, 1), np.int64)).astype(np.uint8)
        write_png(root / "photos" / f"{index}.png", photo)
    plain = recipes.load("demo").plain()
    plain |= {"name": NAME}
    plain["ingest"] |= {"photos": str(root / "photos"), "min_px": 16}
    plain["synthesize"] |= {
        "blurs": [{"kind": "gaussian"}],
        "pairs_per_photo": 1,
        "pairs_per_eval_photo": 1,
        "workers": 0,
    }
    phase = {"name": "joint", "images": 8, "batch": 2, "crop_px": 32, "adversarial": False}
    plain["train"] |= {
        "generator": {"kind": "unet", "width": 4, "depth": 1, "widest": 4},
        "discriminators": [],
        "adversarial": None,
        "phases": [phase],
        "workers": 0,
        "validate_every": 4,
        "precision": "fp32",
    }
    plain["register"] |= {"name": NAME, "load_test": False}
    (root / "components" / "recipes" / f"{NAME}.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
    os.environ["REFOCUS_HOME"] = str(root / ".refocus")
    os.chdir(root)
    # SQLite's file is MLflow's; its first use is tested elsewhere. In a fork, so that no process inherits
    # a connection to a file that is put back later.
    assert stopped(root.parent, tracking.prepare, None) == 0, (root.parent / "log").read_text()
    import components.evaluate.run
    import components.ingest.run
    import components.register.run
    import components.synthesize.run
    import components.train.run  # noqa: F401 - once, so that every fork has them


if __name__ == "__main__":
    sys.exit(main())
