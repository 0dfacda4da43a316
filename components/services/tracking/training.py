"""One training's run in MLflow: the resolved recipe, the data it saw, losses, pictures and the
machine's load.

A training that was killed and goes on keeps its run: the run is found again by the training's
content key.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from components.core.files import state_folder
from components.core.locks import locked
from components.core.surroundings import account
from components.services.tracking import store

TRAIN_KEY = "refocus.train_key"
Status = Literal["FINISHED", "FAILED", "KILLED"]
_DIGEST_LIMIT, _VALUE_LIMIT, _BATCH = 36, 6000, 100
_SAMPLING_S = 10
_UNSENT_LIMIT, _SILENCE_S = 10_000, 60.0
_SILENCE_FOLD = 10  # so that a dead server takes a tenth of a training's time at most


def flatten(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names and texts, as MLflow's parameters want them.

    >>> dict(flatten({"train": {"lr": 0.1, "phases": [{"images": 8}], "ema": None}}))
    {'train.lr': '0.1', 'train.phases.0.images': '8', 'train.ema': 'None'}
    """
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and any(
        isinstance(inner, Mapping | list | tuple) for inner in value
    ):
        for index, inner in enumerate(value):
            yield from flatten(inner, f"{name}.{index}" if name else str(index))
    elif name:
        yield name, str(value)[:_VALUE_LIMIT]


def open_training(
    key: str,
    *,
    recipe: str,
    params: Mapping[str, object],
    tags: Mapping[str, str],
    dataset: tuple[str, str, str],
) -> TrainingRun:
    """Begin the run of a training, or go on with it when this key has one.

    key: content key of the training (settings, data, code); params: the resolved recipe, nested as
    it is;
    dataset: name, full digest (SHA-256 or DVC's md5) and source of the pairs.
    Raises ServiceError when the tracking store does not answer.
    """
    client = store.client()
    lock = state_folder() / "locks" / f"training-{key[:16]}.lock"
    with store.asking("open the training's run"), locked(lock, patience_s=120):
        run_id = find_training(key)
        if run_id is None:
            created = client.create_run(
                _experiment(),
                run_name=f"{recipe}-{key[:8]}",
                tags={"refocus.recipe_name": recipe, **_origin(recipe), **tags, TRAIN_KEY: key},
            )
            run_id = str(created.info.run_id)
        else:
            client.update_run(run_id, status="RUNNING")
        _log_params(client, run_id, params)
        _log_dataset(client, run_id, dataset)
    return TrainingRun(run_id)


def _origin(recipe: str) -> dict[str, str]:
    """What MLflow's page shows as a run's user and source."""
    return {
        "mlflow.user": store.named_actor() or store.login() or account(),
        "mlflow.source.name": f"refocus run {recipe}",
        "mlflow.source.type": "LOCAL",
    }


def find_training(key: str) -> str | None:
    """The id of the run of the training with this key, or None. The oldest one, should there be
    two.
    """
    client = store.client()
    with store.asking("be searched"):
        found = client.search_runs(
            [_experiment()],
            filter_string=f"tags.`{TRAIN_KEY}` = '{key}'",
            order_by=["attributes.start_time ASC"],
            max_results=1,
        )
    return str(found[0].info.run_id) if found else None


def end_training(key: str, status: Status) -> None:
    """End the run of the training with this key, from outside of it; nothing where it has none."""
    if (run_id := find_training(key)) is not None:
        client = store.client()
        with store.asking("take the end of the run"):
            client.set_terminated(run_id, status)


def has_run(run_id: str) -> bool:
    """Whether the store knows this run."""
    client = store.client()
    with store.asking("be read"):
        try:
            return bool(client.get_run(run_id).info.lifecycle_stage == "active")
        except store.mlflow().MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return False
            raise


def log_results(
    run_id: str, *, metrics: Mapping[str, float], step: int, files: tuple[Path, ...] = ()
) -> None:
    """Add figures and files to a finished run, such as the scores on the test photos and the
    report. A run that somebody deleted takes none: the version and its card hold them too.
    """
    client = store.client()
    if not has_run(run_id):
        return
    now = int(time.time() * 1000)
    metric = store.mlflow().entities.Metric
    with store.asking("take the results"):
        client.log_batch(run_id, metrics=[metric(name, value, now, step) for name, value in metrics.items()])
        for path in files:
            client.log_artifact(run_id, str(path))


class TrainingRun:
    """An open run. Use it as a context, or call `close`; a store that stops answering in between
    never stops the training.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._client = store.client()
        self._unsent: list[Any] = []
        self._warned = False
        self._silent_until_s = 0.0
        monitors = store.mlflow().system_metrics.system_metrics_monitor
        with store.asking("watch the machine's load"):
            self._monitor = monitors.SystemMetricsMonitor(
                run_id, sampling_interval=_SAMPLING_S, resume_logging=True, tracking_uri=store.tracking_uri()
            )
            self._monitor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.close("KILLED" if issubclass(kind, KeyboardInterrupt | SystemExit) else "FAILED")

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log numbers at a step (images seen). What the store cannot take now is kept and sent with
        the next ones.
        """
        now = int(time.time() * 1000)
        metric = store.mlflow().entities.Metric
        self._unsent += [metric(name, float(value), now, step) for name, value in metrics.items()]
        self._try("metrics", self._send)

    def log_picture(self, name: str, picture: np.ndarray[Any, np.dtype[np.uint8]], step: int) -> None:
        """Log a picture, (H, W, 3) uint8, at a step."""
        self._try("a picture", lambda: self._client.log_image(self.run_id, picture, key=name, step=step))

    def add_line(self, tag: str, words: str) -> None:
        """Add a line to a tag of the run, up to what MLflow lets a tag hold."""

        def add() -> None:
            known = self._client.get_run(self.run_id).data.tags.get(tag, "")
            self._client.set_tag(self.run_id, tag, f"{known}\n{words}".strip()[:_VALUE_LIMIT])

        self._try(f"the tag {tag}", add)

    def log_file(self, path: Path) -> None:
        """Log a file."""
        self._try(path.name, lambda: self._client.log_artifact(self.run_id, str(path)))

    def close(self, status: Status = "FINISHED") -> None:
        """End the run with its verdict; says on stderr when figures could not be sent."""
        self._monitor.finish()
        self._try("the last metrics", self._send, now=True)
        if self._unsent:
            print(
                f"warning: {len(self._unsent)} figures of run {self.run_id} never reached"
                f" {store.shown_uri()}; the training itself is whole",
                file=sys.stderr,
            )
        self._try("the end of the run", lambda: self._client.set_terminated(self.run_id, status), now=True)

    def _send(self) -> None:
        while self._unsent:
            self._client.log_batch(self.run_id, metrics=self._unsent[:1000])
            del self._unsent[:1000]

    def _try(self, what: str, action: Callable[[], object], *, now: bool = False) -> None:
        """Do it, or say once that it cannot be done. Hours of training must not end, nor crawl,
        because a server was restarted.
        """
        began = time.monotonic()
        if not now and began < self._silent_until_s:
            return
        try:
            with store.asking(f"take {what}"):
                action()
        except Exception as error:
            del self._unsent[:-_UNSENT_LIMIT]
            now_s = time.monotonic()
            self._silent_until_s = now_s + max(_SILENCE_S, _SILENCE_FOLD * (now_s - began))
            if not self._warned:
                self._warned = True
                print(
                    f"warning: {error}. Training goes on; figures are kept and sent later, pictures of that"
                    " time are lost",
                    file=sys.stderr,
                )


def _experiment() -> str:
    return store.experiment(store.tracking_uri(), store.experiment_name())


def _log_params(client: Any, run_id: str, params: Mapping[str, object]) -> None:
    # A run's parameter can be written once: on a resumed run they stand there already.
    known = client.get_run(run_id).data.params
    fresh = [(name[:250], text) for name, text in flatten(params) if name[:250] not in known]
    param = store.mlflow().entities.Param
    for start in range(0, len(fresh), _BATCH):
        client.log_batch(run_id, params=[param(name, text) for name, text in fresh[start : start + _BATCH]])


def _log_dataset(client: Any, run_id: str, dataset: tuple[str, str, str]) -> None:
    name, digest, source = dataset
    entities = store.mlflow().entities
    described = entities.Dataset(
        name=name,
        digest=digest[:_DIGEST_LIMIT],
        source_type="dvc",
        source=json.dumps({"uri": source, "digest": digest}),
        profile=json.dumps({"digest": digest}),
    )
    tags = [entities.InputTag("mlflow.data.context", "training"), entities.InputTag("refocus.digest", digest)]
    client.log_inputs(run_id, [entities.DatasetInput(described, tags)])
