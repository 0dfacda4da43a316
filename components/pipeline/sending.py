"""A stage's work done on the cluster while this machine is outside of it (RAY_ADDRESS=http://HOST:8265).

    here      records and what they name go into the store by content, the code as a package, the rest
              as a task, a small JSON file; then the job's words, and its result into the stage's folder
    there     `python -m components.pipeline.job` does the task (job.py)

The same task is the same job: who sends it again joins it, or takes its result. For whoever called,
DVC too, the stage was an ordinary one. Nothing here needs torch or a GPU.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, JsonValue, ValidationError

from components.core import errors
from components.core.errors import InputError, LineageError, RefocusError, ServiceError
from components.core.files import need_free_space
from components.core.gpu import Gpu
from components.core.parts import Part, digest_of
from components.core.progress import Progress
from components.core.record import Record
from components.core.records import ModelVersion, PairSet, PhotoScore, PhotoSet, Provenance, RecipeRecord
from components.evaluate.config import Conditions, EvaluateConfig
from components.nets.choices import Precision
from components.pipeline.enclosed import Enclosed, enclosed
from components.services import cluster, storage, tracking
from components.services.cluster import code, jobs
from components.services.content import ContentStore

STAGES = ("synthesize", "train", "evaluate")  # what is sent of a run's stages; ingest looks at this machine
OUTCOME, TASK = "outcome.json", "task.json"
ENTRY = "python -m components.pipeline.job"
Kind = TypeVar("Kind", bound=Record)


class Parcel(Part):
    """A record that a task takes: which kind, and under which digest its folder lies in the store."""

    kind: str
    digest: str
    folder: str = Field(description="the digest, or that of the record's tables alone")


class Task(Part):
    """What a job does: a stage's name, the recipe as data, the records it takes, what the recipe names of
    the sender's machine, what else it needs. `has` is the sender's code and libraries.
    """

    stage: str
    recipe: RecipeRecord
    takes: tuple[Parcel, ...]
    enclosed: Enclosed = Enclosed()
    more: dict[str, JsonValue] = Field(default_factory=dict)
    gpu: bool
    has: dict[str, str]

    @property
    def name(self) -> str:
        """The job's name: the same for the same work by the same code."""
        same = self.model_dump(mode="json", exclude={"has", "gpu"}) | {"code": self.has[code.CODE]}
        same["recipe"] = self.recipe.digest
        return f"refocus-{self.stage}-{self.recipe.name}-{digest_of(same)[:16]}"


class Outcome(Part):
    """How a job ended: the digest under which its result lies in the store, or an error of ours."""

    digest: str | None = None
    result: JsonValue = None
    seconds: float = Field(0.0, description="of work, less its preparations")
    error: str | None = Field(None, description="an error's class in core/errors.py")
    words: str = ""


class Asked(Part):
    """A champion that is to be measured: name and version, by which metrics, with what."""

    champion: tuple[str, int]
    metrics: tuple[str, ...]
    tile_px: int
    gpu: Gpu
    precision: Precision

    @property
    def conditions(self) -> Conditions:
        return Conditions(tile_px=self.tile_px, gpu=self.gpu, precision=self.precision)


class Measured(Part):
    """A champion's scores, and the device and precision that they were measured with."""

    scores: tuple[PhotoScore, ...]
    place: str


def is_sent(stage: str) -> bool:
    """Whether a stage's work goes to a cluster that this machine is outside of."""
    return stage in STAGES and cluster.is_outside()


def store() -> ContentStore:
    """The team's store. Raises InputError when none is named, since nothing else is shared."""
    found = ContentStore.of_environment()
    if found is None:
        raise InputError(
            "RAY_ADDRESS names a cluster to which stages are sent, and the data goes there by the team's"
            " store: set REFOCUS_STORE=s3://BUCKET/PREFIX, and the AWS_ variables of that store"
        )
    return found


def make(
    stage: str,
    recipe: RecipeRecord,
    parents: Sequence[Record],
    gives: type[Kind],
    out: Path,
    **more: JsonValue,
) -> Kind:
    """Have a record made on the cluster, and its folder brought to `out`.

    Raises what the stage raises; ServiceError when the cluster or the store does not hold.
    """
    outcome = do(stage, recipe, parents, reuse=True, **more)
    Progress.worked_s += outcome.seconds  # the time of a stage, wherever it was worked
    assert outcome.digest is not None
    fetched = store().fetch_folder(outcome.digest)
    came = gives.load(fetched)
    if came.digest != outcome.digest:
        raise LineageError(
            f"the cluster made {outcome.digest[:12]}…, and what came to {fetched} is {came.digest[:12]}…; run"
            " the same command again"
        )
    megabytes = sum(path.stat().st_size for path in fetched.rglob("*") if path.is_file()) / 1e6
    need_free_space(out.parent, megabytes, stage)  # before what lies there goes
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(fetched, out)
    return gives.load(out)


def do(
    stage: str, recipe: RecipeRecord, parents: Sequence[Record], *, reuse: bool, **more: JsonValue
) -> Outcome:
    """Have a task done on the cluster; gives how it ended well.

    reuse: take the outcome of the same task where it was done before.
    """
    need_shared(recipe)
    place, there = store(), jobs.Cluster()
    task = Task(
        stage=stage,
        recipe=recipe,
        takes=tuple(_sent(place, stage, record) for record in parents),
        enclosed=enclosed(recipe, stage, place),
        more=more,
        gpu=stage in ("evaluate", "measure") and wants_gpu(_gpu_of(recipe), there.gpus()),
        has=dict(code.wanted()),
    )
    folder = storage.join(place.uri, f"jobs/{task.name}")
    known = outcome_at(folder) if reuse else None
    if known is not None and known.error is None and _is_there(place, known):
        return known
    storage.remove(storage.join(folder, OUTCOME))
    storage.put(task.model_dump_json().encode(), storage.join(folder, TASK))
    alone = stage not in ("synthesize", "train")  # whose work is done by workers of their own
    ended = there.run(task.name, f"{ENTRY} {folder}", jobs.Wish(cpus=int(alone), gpu=task.gpu))
    return _outcome(folder, task.name, ended)


def register(
    recipe: RecipeRecord, parents: Sequence[Record], provenance: Provenance, lock: Path, out: Path
) -> ModelVersion:
    """Have a checkpoint registered by the cluster, which has what it takes to try the model out.

    lock: dvc.lock, which goes with the model.
    """
    outcome = do(
        "register",
        recipe,
        parents,
        reuse=False,
        provenance=provenance.model_dump(mode="json"),
        lock=lock.read_text() if lock.is_file() else None,
    )
    return ModelVersion.model_validate(outcome.result).save(out)


class ByCluster:
    """Measures a champion on the cluster; `place` is then the device and precision it had there."""

    def __init__(self, recipe: RecipeRecord, how: Conditions) -> None:
        self._recipe, self._how = recipe, how
        self.place: str | None = None

    def __call__(
        self, champion: tracking.Version, pairset: PairSet, metrics: tuple[str, ...]
    ) -> tuple[PhotoScore, ...]:
        """The champion's scores on these pairs."""
        asked = Asked(champion=(champion.name, champion.number), metrics=metrics, **self._how)
        outcome = do("measure", self._recipe, (pairset,), reuse=True, **asked.model_dump(mode="json"))
        found = Measured.model_validate(outcome.result)
        self.place = found.place
        return found.scores


def _gpu_of(recipe: RecipeRecord) -> Gpu:
    return EvaluateConfig.model_validate(recipe.sections["evaluate"]).gpu


def wants_gpu(gpu: Gpu, there: int) -> bool:
    """Whether a job that measures asks a cluster with so many GPUs for one. Raises InputError where it is
    required and there is none.
    """
    if gpu == "require" and not there:
        raise InputError(
            "evaluate.gpu is require, and the Ray cluster has no GPU; set evaluate.gpu to auto or never to"
            " measure on processors, or send it to a cluster that has one"
        )
    return gpu != "never" and there > 0


def _is_there(place: ContentStore, outcome: Outcome) -> bool:
    return outcome.digest is None or place.has_folder(outcome.digest)


def need_shared(recipe: RecipeRecord) -> None:
    """Raises InputError when what is not in the store would be looked for on this machine's disk."""
    if tracking.is_on_this_machine():
        raise InputError(
            f"stages are sent to a Ray cluster, which cannot reach the tracking file {tracking.shown_uri()};"
            " set MLFLOW_TRACKING_URI to an MLflow server"
        )


def outcome_at(folder: str) -> Outcome | None:
    """How the task at an address of the store ended; None where it has not ended."""
    try:
        return Outcome.model_validate_json(storage.read_object(storage.join(folder, OUTCOME)))
    except (storage.ObjectError, ValidationError):
        return None


def _sent(place: ContentStore, stage: str, record: Record) -> Parcel:
    """A record's folder, in the store; of photos, registering takes the tables alone."""
    kind, digest = type(record).__name__, record.digest
    if stage == "register" and isinstance(record, PhotoSet):
        names = sorted(path.name for path in record.folder.iterdir() if path.is_file())
        place.send_folder(record.folder, f"{digest}-tables", names=names)
        return Parcel(kind=kind, digest=digest, folder=f"{digest}-tables")
    place.send_folder(record.folder, digest)
    return Parcel(kind=kind, digest=digest, folder=digest)


def _outcome(folder: str, name: str, ended: str) -> Outcome:
    found = outcome_at(folder)
    if found is not None and found.error is None:
        return found
    if found is not None and found.error is not None:
        kind: Any = getattr(errors, found.error, RefocusError)
        raise kind(found.words)
    if ended == "STOPPED":
        raise ServiceError(f"the job {name} was stopped on the cluster; run the same command again to go on")
    raise ServiceError(
        f"the job {name} ended on the cluster without a result ({ended}); its words stand above. Run the same"
        " command again to go on from its last state"
    )
