"""The training function on Ray Train's workers, and where its states are kept."""

from __future__ import annotations

import functools
import posixpath
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from components.core.progress import Progress
from components.services.cluster import given, nodes, resources, trouble
from components.services.cluster.ending import ended_in_order
from components.services.cluster.progress import MailedProgress, mailed_bar
from components.services.cluster.resources import Workers
from components.services.cluster.start import ray_started
from components.services.storage import SCHEME, is_s3

Job = TypeVar("Job")
Result = TypeVar("Result")
STARTS = 30  # of a minute each, for workers that find no room any more


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
    in_background = True

    def __init__(
        self, is_whole: Callable[[bytes], bool], furthest: Callable[[], bytes | None] | None = None
    ) -> None:
        """is_whole: whether a state's bytes are all there and as they were written; furthest: looks where
        the states lie for the one to go on from, which may be none of Ray's; without it, or where it
        finds none, that is the newest that Ray knows of.
        """
        self._is_whole, self._furthest = is_whole, furthest

    def load(self) -> bytes | None:
        """The state to go on from, also of an earlier run of the same name."""
        import ray.train

        return self.newest(ray.train.get_checkpoint())

    def newest(self, checkpoint: Any) -> bytes | None:
        """The state to go on from. checkpoint: the newest that Ray knows of."""
        found = None if self._furthest is None else self._furthest()
        return found if found is not None else self.newest_whole(checkpoint)

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
        """Report the state: waits for all ranks, and for Ray's next look at them."""
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
    workers: Workers,
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
    Raises InputError before work when the workers find no room, ServiceError when the cluster or the
    store does not hold.
    """
    with ray_started(cpus=resources.local_cpus(workers)) as ray:
        share = resources.share(ray, workers)
        watched = functools.partial(resources.waiting, ray, workers, share)
        with mailed_bar(ray, bar, watched) as mail:
            trainer = _trainer(
                _checked(function, job(share.cpus, MailedProgress(mail))),
                workers=workers,
                share=share,
                name=name,
                storage=storage,
                retries=retries,
            )
            with ended_in_order(ray, mail, trainer.abort), trouble.in_words(storage):
                result = trainer.fit()
                return result.return_value, store.newest(result.checkpoint)


def _checked(function: Callable[[Job], Result], job: Job) -> Callable[[], Result]:
    """The function with its job, on a node that has the run's code."""
    wished = nodes.wished()

    def checked() -> Result:
        nodes.need_same(wished)
        return function(job)

    return checked


def _trainer(
    function: Callable[[], object],
    *,
    workers: Workers,
    share: resources.Share,
    name: str,
    storage: str,
    retries: int,
) -> Any:
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig

    from components.services.cluster.elastic import EvenTrainer

    trainer = EvenTrainer(
        function,
        scaling_config=ScalingConfig(
            num_workers=(workers.least, workers.most) if workers.elastic else workers.most,
            use_gpu=share.gpu,
            resources_per_worker=dict(share.words),
            placement_strategy=resources.PLACEMENTS[workers.placement],
        ),
        run_config=RunConfig(
            name=name,
            failure_config=FailureConfig(max_failures=retries, controller_failure_limit=STARTS),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
            worker_runtime_env={"env_vars": given.open_environment()},
            **_kept_at(storage),
        ),
    )
    trainer.counts = workers.counts or tuple(range(workers.least, workers.most + 1))
    return trainer


def _kept_at(storage: str) -> dict[str, Any]:
    """Ray's words for a place of states. A store of objects is asked again for two minutes: it may be
    restarted in the middle of a training.
    """
    if not is_s3(storage):
        return {"storage_path": storage}
    from components.services.cluster.patient_store import PatientS3

    return {"storage_path": storage.removeprefix(SCHEME), "storage_filesystem": PatientS3()}


def assigned_device() -> str:
    """The device that Ray reserved for the worker that asks: `cpu`, or `cuda:N`."""
    import ray
    import ray.train.torch

    return str(ray.train.torch.get_device()) if ray.get_gpu_ids() else "cpu"
