"""What a team's run costs beside its work: `python benchmarks/team.py [--images N]`.

Starts the services of `make team` in a new folder, and a clone of this checkout with the recipe `tiny`, whose
photos and DVC remote lie in the store; then measures, as Prefect tells of them:
a run's length and orchestration's share of it, a run with nothing to do, and the time from an upload to the
start of the run that it causes. Prints a line each, with the machine's load, as all of it is on one machine.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "team"))

from infra.team.stack import Stack, free_ports

WATCH = """
watch: {every_s: 5, settled_s: 5}
recipes:
  tiny: {watch: true}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=48_000, help="training images: how long the run works")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tb-", dir="/tmp"))
    folder.chmod(0o755)
    stack = Stack(folder, free_ports())
    began = time.monotonic()
    try:
        for name in stack.start(stack.mlflow, stack.prefect, *stack.nodes):
            print(f"{time.monotonic() - began:6.1f} s  {name} answers", flush=True)
        os.environ |= stack.client_variables()
        measure(stack, folder, arguments.images)
    finally:
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def measure(stack: Stack, folder: Path, images: int) -> None:
    from night import night, photos_to_store

    photos_to_store(folder / "photos" / "tiny")
    made = night(folder / "clone", stack, images=images)
    try:
        for what in ("a run from photos to a verdict", "a run with nothing to do"):
            asked = time.monotonic()
            run = made.run()
            state = run.to_its_end(3600)
            waited_s = time.monotonic() - asked
            took_s = made.ask(f"/flow_runs/{run.id}")["total_run_time"]
            run.says(r"% of it orchestration|nothing to do", 20)  # the last lines come after the end
            told = re.search(r"[^\n]*% of it orchestration", run.words)
            words = told[0] if told else "no work"
            print(
                f"{took_s:6.1f} s  {what} ({state['type']}); {waited_s:.1f} s after it was asked for{load()}"
                f"\n{'':10}{words}",
                flush=True,
            )
        print(f"{from_upload_to_start(made, folder):6.1f} s  from an upload to the start of its run{load()}")
    finally:
        made.worker.stop()


def from_upload_to_start(made: object, folder: Path) -> float:
    """Seconds between the end of an upload and the start of the run that it causes, the watcher looking
    every 5 s and taking photos as settled after 5 s.
    """
    import boto3
    from night import Night

    assert isinstance(made, Night)
    (made.clone.root / "infra" / "schedule.yaml").write_text(WATCH)
    made.clone.git("commit", "-qam", "watched")
    made.clone.refocus("deploy", "tiny")
    time.sleep(20)  # the watcher's first look, with which the next are compared
    before = {run["id"] for run in runs(made)}
    photo = next((folder / "photos" / "tiny").rglob("*.png"))
    boto3.session.Session().client("s3").upload_file(str(photo), "photos", "tiny/train/another.png")
    uploaded = time.time()
    while True:
        for run in runs(made):
            if run["id"] not in before and run["start_time"]:
                return datetime.fromisoformat(run["start_time"]).timestamp() - uploaded
        time.sleep(0.5)


def runs(made: object) -> list[dict[str, str]]:
    """All runs of the flow `retrain`."""
    return list(made.ask("/flow_runs/filter", {"flows": {"name": {"any_": ["retrain"]}}}))  # type: ignore[attr-defined]


def load() -> str:
    return f"  [load {os.getloadavg()[0]:.1f}]"


if __name__ == "__main__":
    sys.exit(main())
