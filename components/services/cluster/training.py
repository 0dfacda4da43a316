"""The training function on Ray Train's workers, and where its states are kept."""

from __future__ import annotations

import functools
import os
import posixpath
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from components.core.errors import RefocusError, ServiceError
from components.core.progress import Progress
from components.services.cluster.progress import MailedProgress, mailed_bar
from components.services.cluster.start import ADDRESS_VARIABLE, open_environment, ray_started

Job = TypeVar("Job")
Result = TypeVar("Result")


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

    def __init__(self, is_whole: Callable[[bytes], bool]) -> None:
        """is_whole: whether a state's bytes are all there and as they were written."""
        self._is_whole = is_whole

    def load(self) -> bytes | None:
        """The newest whole state reported, also by an earlier run of the same name."""
        import ray.train

        return self.newest_whole(ray.train.get_checkpoint())

    def newest_whole(self, checkpoint: Any) -> bytes | None:
        """The state of a checkpoint, or of the nearest kept before it that is whole; a line for each that
        is not.
        """
        if checkpoint is None:
            return None
        from pyarrow.fs import FileSelector

        files, place = checkpoint.filesystem, checkpoint.path
        beside = files.get_file_info(FileSelector(posixpath.dirname(place)))
        kept = sorted(
            info.path for info in beside if info.base_name.startswith("checkpoint_") and info.path <= place
        )
        for path in reversed(kept or [place]):
            try:
                with files.open_input_stream(f"{path}/{self.FILE}") as stream:
                    state = bytes(stream.read())
            except OSError:
                state = b""
            if self._is_whole(state):
                return state
            print(
                f"refocus: the training state at {path} cannot be read; the one before it is taken",
                file=sys.stderr,
            )
        return None

    def save(self, state: bytes | None, images_seen: int) -> None:
        """Report the state; a barrier for all ranks."""
        import ray.train

        with tempfile.TemporaryDirectory() as folder:
            checkpoint = None
            if state is not None:
                (Path(folder) / self.FILE).write_bytes(state)
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"images_seen": images_seen}, checkpoint=checkpoint)


def run_on_workers(
    function: Callable[[Job], Result],
    job: Callable[[int, MailedProgress], Job],
    *,
    store: RayStore,
    name: str,
    storage: str,
    workers: int,
    gpu: bool,
    retries: int,
    bar: Progress,
) -> tuple[Result, bytes | None]:
    """Run a training function on Ray Train workers until it ends; gives what rank 0 returned and
    the last state it saved.

    job: makes the record that the function is called with on every worker, from the threads a
    worker has and from the progress that moves `bar`; it is pickled.
    store: where the workers keep their states.
    name: a content key. A run of the same name goes on where it stopped, so the name must change
    with anything that matters.
    storage: folder or s3:// URI that every worker reaches.
    retries: restarts after a worker died.
    """
    from ray.exceptions import RayError

    threads = 1 if os.environ.get(ADDRESS_VARIABLE) else max(1, (os.cpu_count() or workers) // workers)
    with ray_started(cpus=workers * threads + 1) as ray, mailed_bar(ray, bar) as mail:
        from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
        from ray.train.torch import TorchTrainer

        trainer = TorchTrainer(
            functools.partial(function, job(threads, MailedProgress(mail))),
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
                worker_runtime_env={"env_vars": open_environment()},
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
        return result.return_value, store.newest_whole(result.checkpoint)


def _own_error(error: BaseException) -> BaseException:
    """The RefocusError a worker raised, however deep Ray wrapped it; else the error as it came."""
    for failure in getattr(error, "worker_failures", {}).values():
        cause: BaseException | None = failure
        while cause is not None:
            if isinstance(cause, RefocusError):
                return cause
            cause = getattr(cause, "_base_exc", None) or getattr(cause, "cause", None) or cause.__cause__
    return error
