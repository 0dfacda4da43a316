"""Stage train: `refocus train RECIPE`. Checks everything that can be checked, trains on Ray's
workers, keeps the averaged generator.

The training is named by a content key (settings, data, code). Running again after a kill goes on
from the last state of that key, whether one process or Ray's workers kept it; running again after
the end takes the finished state and trains nothing.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from components.core.errors import DivergenceError, InputError, LineageError, RefocusError, WeightsError
from components.core.own_state import set_aside
from components.core.parts import digest_of
from components.core.pixel_code import pixel_code
from components.core.progress import Progress
from components.core.quarantine import LATER_FILE as LEFT_OUT
from components.core.quarantine import Quarantine
from components.core.records import Checkpoint, PairSet, RecipeRecord
from components.core.releases import NAME as RELEASES
from components.core.releases import releases
from components.metrics import METRICS
from components.nets.devices import device_for
from components.nets.restore import save_generator
from components.services import tracking
from components.services.cluster import RayStore, Workers, is_cluster, run_on_workers
from components.services.content import verify_pairs
from components.services.storage import is_s3
from components.train import why_anew
from components.train.config import TrainConfig
from components.train.data import Data
from components.train.fitting import (
    croppable,
    refuse_missing_partners,
    refuse_other_scale,
    refuse_single_photos,
    refuse_unvalidated,
)
from components.train.inputs import Inputs, OnThisMachine, inputs_for
from components.train.loop import Outcome, longest
from components.train.states import FolderStore, InFolder, place_for_states
from components.train.training_state import is_whole, read_state
from components.train.warm_start import Parent, ParentInStore, parent_for_workers, refuse_leak
from components.train.worker import TrainingJob, train_on_worker

CODE = ("train", "nets", "metrics")  # metrics say which state is kept, and when it goes back


def preflight(config: TrainConfig) -> dict[int, Path]:
    """Get the pretrained weights that the content losses need, before any work; gives their files
    by place.

    Raises WeightsError with the remedies when they cannot be had, or when those of a validation
    metric are not there; InputError when the net is to be compiled and there is nothing to compile
    it with.
    """
    compilers = [os.environ.get("CXX") or "g++", "clang++"]
    if config.compile and not any(map(shutil.which, compilers)):
        raise InputError(
            f"train.compile needs a C++ compiler, and neither {' nor '.join(compilers)} was found: install"
            " g++, or set train.compile to false"
        )
    if not _by_ray(config):
        device_for(config.gpu, "train.gpu")
    for name in config.validate_metrics:
        if (reason := METRICS[name].missing()) is not None:
            raise WeightsError(
                f"train.validate_metrics names {name}, which cannot be measured here: {reason}"
            )
    wanted = {index: part.weights() for index, (_, part) in enumerate(config.content_losses())}
    return {index: weights.fetch() for index, weights in wanted.items() if weights is not None}


def run(
    config: TrainConfig,
    recipe: RecipeRecord,
    pairset: PairSet,
    *,
    out: Path,
    parent: Parent | None = None,
) -> Checkpoint:
    """Train the recipe's generator on the pairs; gives the Checkpoint, written below `out`.

    parent: the model to start from, what config.start came to; None starts from scratch.
    Raises InputError or WeightsError before training starts, DivergenceError when it ran away (the
    last healthy state is kept).
    """
    named, config = config, config if parent is None else config.from_known()
    weights = preflight(config)
    data, left_out = _fitting(config, pairset, parent)
    if left_out.left_out:
        print(f"train: left out {left_out.words()}; all in {out / LEFT_OUT}", file=sys.stderr)
    tracking.prepare()
    code = pixel_code(*CODE, *([] if pairset.on_the_fly is None else ["optics"]))
    rests_on = {
        "settings": config.key_digest(),
        "pairs": pairset.digest,
        "code or libraries": code,
        "device": _device_kind(config),
        **({} if parent is None else {"parent": parent.identity}),
    }
    key = digest_of(rests_on)
    name = f"{recipe.name}-{key[:20]}"
    storage = place_for_states(recipe.name, name, by_ray=_by_ray(config))
    why_anew.note(storage, recipe.name, name, rests_on)
    job = functools.partial(TrainingJob, config=config, recipe=recipe, key=key)
    folder = FolderStore(Path(storage) / name)
    for last in (False, True):
        with _told_when_stopped(key), Progress("train", longest(config, data.epoch)) as bar:
            if not _by_ray(config):
                alone = job(
                    inputs=OnThisMachine(pairset.folder, weights), store=folder, bar=bar, parent=parent
                )
                outcome, state = train_on_worker(alone), folder.load()
            else:
                inputs = functools.partial(inputs_for, config, pairset, weights)
                starting = functools.partial(parent_for_workers, parent)
                outcome, state = _on_workers(config, job, inputs, starting, name, storage, bar)
        if last or outcome.diverged is not None or _is_of_the_end(config, state) or is_s3(storage):
            break
        set_aside(Path(storage) / name, "the state of its end is missing, cut or altered")
    end = _healthy_end(config, outcome, state, name, storage)
    why_anew.ended(storage, name)
    if left_out.left_out:
        left_out.save(out, LEFT_OUT)
    else:
        (out / LEFT_OUT).unlink(missing_ok=True)
    return _export(named, pairset, key, code, outcome, end, out, parent)


@contextmanager
def _told_when_stopped(key: str) -> Iterator[None]:
    """A stopped training's run in MLflow ends as KILLED: Ray's workers are gone before they can say so."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        with suppress(RefocusError):
            tracking.end_training(key, "KILLED")
        raise


def _on_workers(
    config: TrainConfig,
    job: Callable[..., TrainingJob],
    inputs: Callable[[], Inputs],
    starting: Callable[[], Parent | ParentInStore | None],
    name: str,
    storage: str,
    bar: Progress,
) -> tuple[Outcome, bytes | None]:
    """Train on Ray's workers; gives how it ended and the last state it kept, if that is whole."""
    store = RayStore(is_whole, None if is_s3(storage) else InFolder(Path(storage) / name))
    return run_on_workers(
        train_on_worker,
        lambda threads, mailed: job(
            inputs=inputs(), store=store, bar=mailed, threads=threads, parent=starting()
        ),
        store=store,
        name=name,
        storage=storage,
        workers=_workers(config),
        retries=config.retries,
        bar=bar,
    )


def _device_kind(config: TrainConfig) -> str:
    """What it will be computed on, for the training's key: a GPU's bits are not a processor's. On a
    cluster that is the cluster's to say, and stands in the record.
    """
    if config.gpu == "never":
        return "cpu"
    if is_cluster():
        return "cuda" if config.gpu == "require" else "auto"
    return "cuda" if torch.cuda.is_available() else "cpu"


def _by_ray(config: TrainConfig) -> bool:
    """Whether Ray's workers train: also one instead of none on a cluster, whose GPUs others use too."""
    return config.most_workers() > 0 or is_cluster()


def _workers(config: TrainConfig) -> Workers:
    """What the recipe asks of the machines."""
    return Workers(
        least=max(1, config.least_workers()),
        most=max(1, config.most_workers()),
        gpu=config.gpu,
        cpus=config.worker_cpus or 1 + (config.loader_processes or 0),
        placement=config.placement,
        counts=config.worker_counts(),
    )


def _is_of_the_end(config: TrainConfig, state: bytes | None) -> bool:
    return state is not None and read_state(state)["progress"]["phase"] == len(config.phases)


def _fitting(config: TrainConfig, pairset: PairSet, parent: Parent | None) -> tuple[Data, Quarantine]:
    """The pairs, once it is known that this training can use them, and what it leaves out."""
    refuse_leak(parent, pairset)
    refuse_other_scale(pairset, config)
    refuse_missing_partners(pairset, config)
    refuse_single_photos(pairset, config)
    data, left_out = croppable(Data.of(pairset), config)
    refuse_unvalidated(data, config)
    verify_pairs(pairset, "train", "val")  # test pairs are hashed as they are measured
    return data, left_out


def _healthy_end(
    config: TrainConfig, outcome: Outcome, state: bytes | None, name: str, storage: str
) -> bytes:
    """The state of a training that came to its end; raises what is to be said of any other."""
    if outcome.diverged is not None:
        kept = f"The last healthy state is kept in {storage}/{name}" if state else "No state was saved before"
        raise DivergenceError(
            f"training {name} diverged: {outcome.diverged}. {kept}."
            " Lower the learning rate (train.generator_optimizer.lr, train.discriminator_optimizer.lr) or"
            " the adversarial weight, and run again"
        )
    if state is None or not _is_of_the_end(config, state):
        raise LineageError(
            f"training {name} ended without a state of its end; delete {storage}/{name} and run again"
        )
    return state


def _export(
    config: TrainConfig,
    pairset: PairSet,
    key: str,
    code: str,
    outcome: Outcome,
    state: bytes,
    out: Path,
    parent: Parent | None = None,
) -> Checkpoint:
    """Write the averaged generator and its record: of the end, or of the best validation when the
    recipe keeps that.
    """
    plain = read_state(state)
    progress, best = plain["progress"], plain["progress"]["best"]
    weights_sha256, generator_sha256 = save_generator(
        out, config.generator, plain["step"]["average"] if best is None else best["weights"]
    )
    shutil.rmtree(out / Checkpoint.BACK, ignore_errors=True)
    back_sha256 = None
    for direction, state_of in zip(config.directions()[1:], plain["step"]["further"], strict=True):
        weights = state_of["average"] if best is None else best["further"][0]
        back_sha256, _ = save_generator(out / Checkpoint.BACK, direction.generator, weights)
    return Checkpoint(
        pairset=pairset.digest,
        config_digest=digest_of(config),
        code_digest=code,
        weights_sha256=weights_sha256,
        generator_sha256=generator_sha256,
        images_seen=outcome.images_seen if best is None else best["images_seen"],
        parent=None if parent is None else parent.checkpoint.digest,
        back_sha256=back_sha256,
        about={
            **({} if parent is None else {"parent": parent.name}),
            "train_key": key,
            "mlflow_run": tracking.find_training(key),
            "phases_stopped_early": progress["stopped_early"],
            "rollbacks": progress["rollbacks"],
            **({"computed": dict(outcome.computed)} if outcome.computed else {}),
            RELEASES: dict(releases()),
        },
    ).save(out)
