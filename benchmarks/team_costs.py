"""What grows with a team, in figures: requests of a registration, records of runs, refs, decisions.

    python benchmarks/team_costs.py              # all of them, about five minutes on a quiet machine
    python benchmarks/team_costs.py register     # one: register, records, refs, decisions, files, run

register   a model into an MLflow server with logins (basic-auth), on SQLite, on this machine: requests
           and seconds, with the code as loose files and as the one zip that is sent
records    sending one run's results to S3 (moto) beside N runs before it: DVC's own `--run-cache`, and ours
refs       a git remote with N runs: a fetch with nothing new, and the push of one
decisions  asking what was decided last, and the whole history, of a model with N decisions
files      DVC asked what is out of date, and sending nothing new, of an output with N files
run        what the second run of the tests' recipe adds, in bytes and files, where it is kept
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mlflow_with_logins import LOGIN, mlflow_server, requests_in

HERE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE / "tests" / "register"), str(HERE / "tests")]


def register() -> None:
    """Requests and seconds of one registration."""
    from chain import make_chain

    from components.register import export
    from components.register.config import RegisterConfig
    from components.register.run import run

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ |= {**LOGIN, "REFOCUS_HOME": str(folder / "home")}
        with mlflow_server(folder) as uri:
            os.environ["MLFLOW_TRACKING_URI"] = uri
            usual = export.build

            def loose(target: Path, **named: Any) -> str:
                listed = usual(target, **named)
                with zipfile.ZipFile(target / "code" / export.CODE) as packed:
                    packed.extractall(target / "code")
                (target / "code" / export.CODE).unlink()
                return listed

            print("registering    files  requests  seconds")
            for seed, (name, build) in enumerate((("first", usual), ("loose", loose), ("zip", usual))):
                chain = make_chain(folder / name, seed=seed)
                export.build = build  # type: ignore[assignment]
                began = time.monotonic()
                before = len(requests_in(folder))
                run(
                    RegisterConfig(name="costs", load_test=False),
                    chain.recipe,
                    chain.photoset,
                    chain.pairset,
                    chain.checkpoint,
                    chain.report,
                    chain.provenance,
                    out=folder / "out",
                )
                made = requests_in(folder)[before:]
                seconds = time.monotonic() - began
                files = sum(each.startswith("PUT") and "/artifacts/" in each for each in made)
                if name != "first":  # which makes the experiment and the model, too
                    print(f"{name:<14} {files:>5}  {len(made):>8}  {seconds:>7.1f}")


def records() -> None:
    """Seconds to send a run beside many."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", **keys}
    import boto3

    from components.services import versioning

    boto3.session.Session().client("s3").create_bucket(Bucket="costs")
    print("runs before    dvc push --run-cache    refocus")
    for count in (10, 100, 1000):
        with tempfile.TemporaryDirectory() as place:
            root = _graph(Path(place), f"s3://costs/{count}")
            versioning.reproduce("one", "make", root=root, say=lambda line: None)
            cache = root / ".dvc" / "cache" / "runs"
            record = next(path for path in cache.rglob("*") if path.is_file())
            for index in range(count):
                key = f"{index:064x}"[::-1]
                (cache / key[:2] / key).mkdir(parents=True)
                shutil.copyfile(record, cache / key[:2] / key / key)
            theirs = seconds_of(partial(_dvc, root, "push", "--run-cache", "make@one"))
            ours = seconds_of(partial(versioning.push, "one", ("make",), root=root))
            print(f"{count:>11}    {theirs:>18.1f} s    {ours:>5.1f} s")
    server.stop()


def _graph(root: Path, remote: str) -> Path:
    os.environ |= {"REFOCUS_HOME": str(root / "state"), "DVC_SITE_CACHE_DIR": str(root / "site")}
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text(
        f"[core]\n    analytics = false\n    remote = far\n['remote \"far\"']\n    url = {remote}\n"
    )
    (root / "code").write_text("1\n")
    (root / "dvc.yaml").write_text(
        'vars:\n  - recipes: [one]\nstages:\n  make:\n    matrix: {recipe: "${recipes}"}\n'
        "    cmd: mkdir -p data/one/pairs && echo a > data/one/pairs/a\n    deps: [code]\n"
        '    outs: ["data/${item.recipe}/pairs"]\n'
    )
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
    return root


def _dvc(root: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, check=True, capture_output=True)


def refs() -> None:
    """Seconds of git with many runs."""
    from components.services import versioning

    print("runs           a fetch with nothing new    the push of one")
    for count in (1_000, 10_000, 100_000):
        with tempfile.TemporaryDirectory() as place:
            far, near = Path(place, "far"), Path(place, "near")
            subprocess.run(["git", "init", "-q", "--bare", str(far)], check=True)
            near.mkdir()
            _graph(near, str(Path(place, "dvc")))
            head = subprocess.run(
                ["git", "rev-parse", "HEAD"], cwd=near, check=True, capture_output=True, text=True
            ).stdout.strip()
            subprocess.run(["git", "push", "-q", str(far), "HEAD:refs/heads/main"], cwd=near, check=True)
            names = "".join(f"{head} refs/refocus/runs/one-{index:09d}\n" for index in range(count))
            for folder in (near / ".git", far):
                (folder / "packed-refs").write_text("# pack-refs with: peeled fully-peeled sorted \n" + names)
            subprocess.run(["git", "remote", "add", "origin", str(far)], cwd=near, check=True)
            fetch = seconds_of(partial(versioning.fetch_runs, "one", root=near))
            (near / "dvc.yaml").write_text((near / "dvc.yaml").read_text() + "\n# edited\n")
            versioning.snapshot("one", "a run", root=near)
            push = seconds_of(partial(versioning.push_runs, root=near))
            print(f"{count:>7}        {fetch:>22.2f} s    {push:>13.2f} s")


def decisions() -> None:
    """Seconds of questions to a long ledger."""
    from components.registry import history, turns
    from components.registry.decision import Decision
    from components.services import tracking
    from components.services.tracking import ledger, store

    with tempfile.TemporaryDirectory() as place:
        os.environ |= {"REFOCUS_HOME": place}
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        tracking.prepare()
        client = store.client()
        client.create_registered_model("costs")
        client.create_model_version("costs", "s3://nowhere/model", None)
        intent = Decision(
            name="costs",
            version=1,
            promoted=True,
            against=None,
            words="better",
            question="q",
            about={"by": "a"},
        ).model_dump_json()
        print("decisions      what was decided last    the whole history")
        done = 0
        for count in (100, 1_000):
            for _ in range(count - done):
                columns = {
                    turns.STATE: turns.DONE,
                    turns.INTENT: intent,
                    turns.OWNER: "a",
                    turns.SINCE: "then",
                }
                number = ledger.add_row("costs", 1, columns, "better")
                ledger.note("costs", number, {ledger.OPEN: "false"})
            done = count
            last = seconds_of(lambda: history.last_done("costs"))
            whole = seconds_of(lambda: history.history("costs"))
            print(f"{count:>9}      {last:>19.2f} s    {whole:>15.2f} s")


def files() -> None:
    """Seconds of DVC with many files in one output."""
    from components.services import versioning

    print("files          making    what is out of date    sending nothing new")
    for count in (1_000, 10_000):
        with tempfile.TemporaryDirectory() as place:
            root = Path(place, "root")
            root.mkdir()
            _graph(root, str(Path(place, "dvc")))
            graph = (root / "dvc.yaml").read_text()
            many = f"for i in $(seq {count}); do echo $i > data/one/pairs/$i; done"
            (root / "dvc.yaml").write_text(graph.replace("echo a > data/one/pairs/a", many))
            made = seconds_of(partial(versioning.reproduce, "one", "make", root=root, say=lambda line: None))
            versioning.push("one", ("make",), root=root)
            look = seconds_of(partial(versioning.out_of_date, "one", ("make",), root=root))
            push = seconds_of(partial(versioning.push, "one", ("make",), root=root))
            print(f"{count:>6}      {made:>7.1f} s    {look:>17.1f} s    {push:>17.1f} s")


def run() -> None:
    """What one more run adds."""
    sys.path.insert(0, str(HERE / "tests" / "flows"))
    from tiny_clone import TINY, clone_into

    with tempfile.TemporaryDirectory() as place:
        clone = clone_into(Path(place) / "clone")
        clone.refocus("run", "tiny", "--no-prefect")
        state = clone.root / ".refocus"
        places = {
            "MLflow's database": state / "mlflow.db",
            "MLflow's files": state / "mlartifacts",
            "DVC remote": state / "dvc-remote",
            "git objects": clone.root / ".git" / "objects",
            "states of trainings (three are kept)": state / "training",
        }
        before = {name: _size(path) for name, path in places.items()}
        recipe = clone.root / "components" / "recipes" / "tiny.yaml"
        recipe.write_text(TINY.replace("train:\n  seed: 1", "train:\n  seed: 2"))
        clone.refocus("run", "tiny", "--no-prefect")
        print(f"{'one more run adds':<40} {'kB':>8} {'files':>7}")
        for name, path in places.items():
            kilobytes, count = (now - then for now, then in zip(_size(path), before[name], strict=True))
            print(f"{name:<40} {kilobytes / 1e3:>8.0f} {count:>7}")


def _size(path: Path) -> tuple[int, int]:
    found = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in found), len(found)


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def main() -> None:
    """Measure what is asked for."""
    parts = {
        "register": register,
        "records": records,
        "refs": refs,
        "decisions": decisions,
        "files": files,
        "run": run,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(parts), metavar="PART", help=", ".join(parts))
    for name in parser.parse_args().parts:
        parts[name]()
        print(flush=True)


if __name__ == "__main__":
    main()
