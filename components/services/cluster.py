"""The door of Ray: start it, map a function over many items, run the training function on N
workers.

A laptop starts its own Ray inside the stage's process and ends it there; with RAY_ADDRESS set, the
stage joins that cluster. Workers get the environment they need explicitly: a variable set in the
driver does not reach a running cluster.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from components.core.errors import RefocusError, ServiceError
from components.core.files import STATE_VARIABLE, state_folder
from components.core.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")
OBJECT_STORE_BYTES = 256 * 1024 * 1024
IN_FLIGHT_MB = 1000.0  # a worker
UNCOLLECTED = 4  # results of an item that may wait to be collected
PASSED_ON = ("REFOCUS_", "AWS_", "MLFLOW_", "TORCH_HOME", "RAY_TRAIN_")


def worker_environment() -> dict[str, str]:
    """The variables every worker gets: the code's place, the services' addresses, one thread pool a
    worker.
    """
    chosen = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    chosen[STATE_VARIABLE] = str(state_folder())  # a worker may start in another folder
    root = str(Path(__file__).resolve().parents[2])
    chosen["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    chosen["PYTHONWARNINGS"] = os.environ.get("PYTHONWARNINGS", "ignore::FutureWarning")
    return chosen


@contextmanager
def ray_started(cpus: int) -> Iterator[Any]:
    """Ray for the length of a block: joined at RAY_ADDRESS, else started on this machine and ended
    with the block.

    cpus: processor slots a local Ray offers; a cluster knows its own.
    Raises ServiceError when RAY_ADDRESS does not answer.
    """
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    # Ray's workers talk much to say little; errors and progress come back by other ways. --debug
    # lets everything through.
    aloud = "REFOCUS_DEBUG" in os.environ
    address = os.environ.get("RAY_ADDRESS", "local")
    local: dict[str, Any] = (
        {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES, "dashboard_host": "127.0.0.1"}
        if address == "local"
        else {}
    )
    try:
        ray.init(
            address=address,
            runtime_env={"env_vars": worker_environment()},
            logging_level=logging.ERROR,
            log_to_driver=aloud,
            **local,
        )
    except ConnectionError as error:
        raise ServiceError(
            f"no Ray cluster answers at RAY_ADDRESS={address}: {error}; start it, or unset RAY_ADDRESS to"
            " work on this machine"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def map_in_order(
    function: Callable[[Item], Iterable[Result]],
    items: Iterable[Item],
    *,
    megabytes: Sequence[float],
    workers: int,
    title: str,
    unit: str = "photos",
) -> Iterator[Result]:
    """Apply a function that gives any number of results to every item; all results in the items'
    order, behind a progress bar.

    megabytes: of each item and its results; their number is that of the items. Items are asked for
    when their turn comes.
    workers: Ray workers; 0 works in this process without Ray. The results are the same whatever it
    is.
    Memory does not grow with the set: at most four items a worker are under way, and no more than
    IN_FLIGHT_MB a worker (one item at the least); a worker waits when results of its item lie
    uncollected.
    """
    with Progress(title, len(megabytes), unit=unit) as bar:
        if workers == 0 or not megabytes:
            for item in items:
                yield from function(item)
                bar.advance(1)
            return
        with ray_started(min(workers, len(megabytes))) as ray:
            bar.begin()

            def streamed(item: Item) -> Iterator[Result]:  # Ray asks for a function that yields
                yield from function(item)

            remote = ray.remote(
                num_cpus=1, num_returns="streaming", _generator_backpressure_num_objects=UNCOLLECTED
            )(streamed)
            waiting: deque[tuple[Any, float]] = deque()
            for item, size in zip(items, megabytes, strict=True):
                while waiting and (
                    len(waiting) >= 4 * workers
                    or size + sum(each for _, each in waiting) > IN_FLIGHT_MB * workers
                ):
                    yield from _results(ray, waiting.popleft()[0])
                    bar.advance(1)
                waiting.append((remote.remote(item), size))
            while waiting:
                yield from _results(ray, waiting.popleft()[0])
                bar.advance(1)


def _results(ray: Any, references: Iterable[Any]) -> Iterator[Any]:
    """The results of one item, as they come; an error of ours comes back as itself, without Ray's
    wrapping.
    """
    for reference in references:
        yield _result(ray, reference)


def _result(ray: Any, reference: Any) -> Any:
    """One task's result; an error of ours comes back as itself, without Ray's wrapping."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, RefocusError):
            raise error.cause from None
        raise


class StateStore(Protocol):
    """Where a training keeps what it needs to go on. Every rank calls `save` at the same moment."""

    def load(self) -> bytes | None:
        """The newest state saved, or None at the start."""
        ...

    def save(self, state: bytes | None, images_seen: int) -> None:
        """Keep a state (None on every rank but 0) as the newest one."""
        ...


class RayStore:
    """A StateStore in Ray's own storage (a folder or s3:// URI), so that a restarted worker or run
    finds it.
    """

    FILE = "state.pt"

    def load(self) -> bytes | None:
        """The newest state reported, also by an earlier run of the same name."""
        import ray.train

        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            return None
        with checkpoint.as_directory() as folder:
            return (Path(folder) / self.FILE).read_bytes()

    def save(self, state: bytes | None, images_seen: int) -> None:
        """Report the state; a barrier for all ranks."""
        import ray.train

        with tempfile.TemporaryDirectory() as folder:
            checkpoint = None
            if state is not None:
                (Path(folder) / self.FILE).write_bytes(state)
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"images_seen": images_seen}, checkpoint=checkpoint)


class ProgressMail:
    """Carries progress from the first worker to the driver's bar: an actor, so that it works across
    machines.
    """

    def __init__(self) -> None:
        self._count, self._note = 0, ""
        self._begun: int | None = None
        self._warnings: list[str] = []

    def begin(self, done: int) -> None:
        """Note that the work starts now, with so much done before."""
        self._begun, self._count = done, 0

    def put(self, count: int, note: str) -> None:
        """Note how many more are done."""
        self._count, self._note = self._count + count, note or self._note

    def warn(self, words: str) -> None:
        """Note a warning."""
        self._warnings.append(words)

    def take(self) -> tuple[int | None, int, str, list[str]]:
        """What came since the last look: a beginning, a count, a note, warnings."""
        taken = self._begun, self._count, self._note, self._warnings
        self._begun, self._count, self._warnings = None, 0, []
        return taken


class MailedProgress:
    """Looks like a Progress to the training loop; sends what it is told to the driver."""

    def __init__(self, mail: Any) -> None:
        self._mail = mail

    def begin(self, done: int = 0) -> None:
        """Send that the work starts now."""
        self._mail.begin.remote(done)

    def advance(self, count: int, note: str = "") -> None:
        """Send and go on; nothing is waited for."""
        self._mail.put.remote(count, note)

    def warn(self, words: str) -> None:
        """Send a warning."""
        self._mail.warn.remote(words)


@contextmanager
def _mailed_bar(ray: Any, bar: Progress) -> Iterator[Any]:
    """A mail actor whose content a thread shows on the bar every half second, for the length of a
    block.
    """
    mail = ray.remote(num_cpus=0)(ProgressMail).remote()
    over = threading.Event()

    def show() -> None:
        last = False
        while not last:
            last = over.wait(0.5)  # once more after the end: the last warnings may be on their way
            try:
                begun, count, note, warnings = ray.get(mail.take.remote(), timeout=30)
            except ray.exceptions.RayError:  # Ray is ending; the trainer's own error tells more
                return
            if begun is not None:
                bar.begin(begun)
            if count:
                bar.advance(count, note)
            for words in warnings:
                bar.warn(words)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield mail
    finally:
        over.set()
        thread.join(timeout=5)


def run_on_workers(
    function: Callable[[dict[str, Any]], Any],
    settings: dict[str, Any],
    *,
    name: str,
    storage: str,
    workers: int,
    gpu: bool,
    retries: int,
    bar: Progress,
) -> tuple[Any, bytes | None]:
    """Run a training function on Ray Train workers until it ends; gives what rank 0 returned and
    the last state it saved.

    settings: handed to the function, with "threads" (per worker) and "progress" (see
    MailedProgress) added.
    name: a content key. A run of the same name goes on where it stopped, so the name must change
    with anything that matters.
    storage: folder or s3:// URI that every worker reaches.
    retries: restarts after a worker died.
    """
    from ray.exceptions import RayError

    threads = 1 if "RAY_ADDRESS" in os.environ else max(1, (os.cpu_count() or workers) // workers)
    with ray_started(cpus=workers * threads + 1) as ray, _mailed_bar(ray, bar) as mail:
        from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
        from ray.train.torch import TorchTrainer

        trainer = TorchTrainer(
            function,
            train_loop_config=settings | {"threads": threads, "progress": MailedProgress(mail)},
            scaling_config=ScalingConfig(
                num_workers=workers,
                use_gpu=gpu,
                resources_per_worker={"CPU": threads} | ({"GPU": 1} if gpu else {}),
            ),
            run_config=RunConfig(
                name=name,
                storage_path=storage,
                failure_config=FailureConfig(max_failures=retries),
                checkpoint_config=CheckpointConfig(num_to_keep=2),
                worker_runtime_env={"env_vars": worker_environment()},
            ),
        )
        try:
            result = trainer.fit()
        except TrainingFailedError as error:
            raise _own_error(error) from error
        except RayError as error:
            raise ServiceError(
                f"Ray could not run the training: {error}; see the words above, and run the same command"
                " again to go on from the last checkpoint"
            ) from error
        if result.checkpoint is None:
            return result.return_value, None
        with result.checkpoint.as_directory() as folder:
            return result.return_value, (Path(folder) / RayStore.FILE).read_bytes()


def _own_error(error: BaseException) -> BaseException:
    """The RefocusError a worker raised, however deep Ray wrapped it; else the error as it came."""
    for failure in getattr(error, "worker_failures", {}).values():
        cause: BaseException | None = failure
        while cause is not None:
            if isinstance(cause, RefocusError):
                return cause
            cause = getattr(cause, "_base_exc", None) or getattr(cause, "cause", None) or cause.__cause__
    return error
