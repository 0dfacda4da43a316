"""Stage train: `refocus train RECIPE`. Checks everything that can be checked, trains on Ray's
workers, keeps the averaged generator.

The training is named by a content key (settings, data, code). Running again after a kill goes on
from the last state of that key; running again after the end takes the finished state and trains
nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from components.core.errors import DivergenceError, InputError, LineageError, WeightsError
from components.core.files import code_digest, need_free_space, state_folder, write_bytes
from components.core.parts import digest_of
from components.core.progress import Progress
from components.core.quarantine import LATER_FILE as LEFT_OUT
from components.core.records import Checkpoint, PairSet, RecipeRecord
from components.metrics import METRICS
from components.nets.restore import save_generator
from components.services import tracking
from components.services.cluster import MailedProgress, RayStore, run_on_workers
from components.services.storage import is_s3
from components.train.config import TrainConfig
from components.train.data import Data, croppable, refuse_other_scale, refuse_unvalidated
from components.train.loop import Loop, Outcome, longest
from components.train.protocols import Store
from components.train.training_state import read_state
from components.train.validate import Picture
from components.train.worker_group import World

STORAGE_VARIABLE = "REFOCUS_TRAINING_STORAGE"
KEPT_TRAININGS = 3


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
    for name in config.validate_metrics:
        if (reason := METRICS[name].missing()) is not None:
            raise WeightsError(
                f"train.validate_metrics names {name}, which cannot be measured here: {reason}"
            )
    wanted = {index: part.weights() for index, part in enumerate(config.content)}
    return {index: weights.fetch() for index, weights in wanted.items() if weights is not None}


def run(config: TrainConfig, recipe: RecipeRecord, pairset: PairSet, *, out: Path) -> Checkpoint:
    """Train the recipe's generator on the pairs; gives the Checkpoint, written below `out`.

    Raises InputError or WeightsError before training starts, DivergenceError when it ran away (the
    last healthy state is kept).
    """
    weights = preflight(config)
    refuse_other_scale(pairset, config)
    data, left_out = croppable(Data.of(pairset), config)
    refuse_unvalidated(data, config)
    pairset.verify("train", "val")  # test pairs are hashed as they are measured
    if left_out.left_out:
        print(f"train: left out {left_out.words()}; all in {out / LEFT_OUT}", file=sys.stderr)
    tracking.prepare()
    made_by = ("train", "nets") if pairset.on_the_fly is None else ("train", "nets", "optics")
    code = code_digest(*(Path(__file__).parents[1] / part for part in made_by))
    key = digest_of({"config": config.key_digest(), "pairs": pairset.digest, "code": code})
    name = f"{recipe.name}-{key[:20]}"
    storage = os.environ.get(STORAGE_VARIABLE) or str(state_folder() / "training")
    if not is_s3(storage):
        need_free_space(Path(storage), 300, "training")
        _prune(Path(storage), recipe.name, name)
    settings = {
        "config": config.model_dump(mode="json"),
        "recipe": recipe.model_dump(mode="json"),
        "pairs": str(pairset.folder),
        "key": key,
        "weights": {index: str(path) for index, path in weights.items()},
    }
    outcome, state = _train(config, settings, data, name, storage)
    if outcome.diverged is not None:
        kept = f"The last healthy state is kept in {storage}/{name}" if state else "No state was saved before"
        raise DivergenceError(
            f"training {name} diverged: {outcome.diverged}. {kept}."
            " Lower the learning rate (train.generator_optimizer.lr, train.discriminator_optimizer.lr) or"
            " the adversarial weight, and run again"
        )
    if left_out.left_out:
        left_out.save(out, LEFT_OUT)
    else:
        (out / LEFT_OUT).unlink(missing_ok=True)
    return _export(config, pairset, key, code, outcome, state, out)


def _train(
    config: TrainConfig, settings: dict[str, Any], data: Data, name: str, storage: str
) -> tuple[Outcome, bytes]:
    """Run the loop where the recipe wants it; gives how it ended and its last state."""
    total = longest(config, len(data.train))
    if config.workers == 0:
        if is_s3(storage):
            raise InputError(
                f"{STORAGE_VARIABLE}={storage} needs Ray: set train.workers to 1 or more, or name a folder"
            )
        store = FolderStore(Path(storage) / name)
        with Progress("train", total) as bar:
            found = train_on_worker(settings | {"progress": bar, "store": store})
        state = store.load()
    else:
        gpu = config.gpu == "auto" and torch.cuda.is_available()
        with Progress("train", total) as bar:
            found, state = run_on_workers(
                train_on_worker,
                settings,
                name=name,
                storage=storage,
                workers=config.workers,
                gpu=gpu,
                retries=config.retries,
                bar=bar,
            )
    outcome = Outcome(**found)
    if outcome.diverged is None and (
        state is None or read_state(state)["progress"]["phase"] != len(config.phases)
    ):
        raise LineageError(
            f"training {name} ended without a state of its end; delete {storage}/{name} and run again"
        )
    return outcome, state or b""


def train_on_worker(settings: dict[str, Any]) -> dict[str, Any]:
    """What each worker runs: the loop on its share, the leader logging to MLflow."""
    config = TrainConfig.model_validate(settings["config"])
    recipe = RecipeRecord.model_validate(settings["recipe"])
    pairset = PairSet.load(Path(settings["pairs"]))
    if "threads" in settings:
        torch.set_num_threads(settings["threads"])
    world = World.of_process_group(_device(config))
    store: Store = settings.get("store") or RayStore()
    weights = {int(index): Path(path) for index, path in settings["weights"].items()}
    data, _ = croppable(Data.of(pairset), config)
    if not world.leads:
        return vars(Loop(config, data, world, store, _Silent(), weights).run())
    # The run's parameters are the recipe; where it ran is a tag.
    tags = {
        "refocus.stage": "train",
        "workers": str(world.size),
        "device": str(world.device),
    } | _experiment_tags()
    dvc = recipe.about.get("dvc")
    md5 = str(dvc["pairs"]) if isinstance(dvc, dict) and "pairs" in dvc else pairset.digest
    dataset = ("pairs", md5, f"pairs of recipe {recipe.name}, digest {pairset.digest}")
    with tracking.open_training(
        settings["key"], recipe=recipe.name, params=recipe.sections, tags=tags, dataset=dataset
    ) as logged:
        outcome = Loop(config, data, world, store, _Logged(logged, settings["progress"]), weights).run()
        if outcome.diverged is not None:
            logged.close("FAILED")
    return vars(outcome)


def _device(config: TrainConfig) -> torch.device:
    if config.gpu == "never" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def _experiment_tags() -> dict[str, str]:
    """The names DVC gives a stage that runs inside `dvc exp run`."""
    return {
        name.lower().replace("_", ".", 1): os.environ[name]
        for name in ("DVC_EXP_NAME", "DVC_EXP_BASELINE_REV")
        if name in os.environ
    }


class _Silent:
    """Nobody listens to the workers that do not lead."""

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        """Not kept."""

    def picture(self, picture: Picture, images_seen: int) -> None:
        """Not kept."""

    def begin(self, images_seen: int) -> None:
        """Not shown."""

    def advance(self, images: int, note: str) -> None:
        """Not shown."""

    def warn(self, words: str) -> None:
        """Not said: the leader says it."""


class _Logged:
    """The leader's readings go to MLflow, its progress to the bar."""

    def __init__(self, logged: tracking.TrainingRun, bar: Progress | MailedProgress) -> None:
        self._logged, self._bar = logged, bar

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        """Log readings; the step is images seen."""
        self._logged.log_metrics(dict(values), images_seen)

    def picture(self, picture: Picture, images_seen: int) -> None:
        """Log a validation picture: blurred | restored | sharp."""
        self._logged.log_picture("validation", picture, images_seen)

    def begin(self, images_seen: int) -> None:
        """Set the bar where the training goes on."""
        self._bar.begin(images_seen)

    def advance(self, images: int, note: str) -> None:
        """Move the bar."""
        self._bar.advance(images, note)

    def warn(self, words: str) -> None:
        """Say it beside the bar, and in the run's tag `health`, one line a warning."""
        self._bar.warn(words)
        self._logged.add_line("health", words)


class FolderStore:
    """States in a local folder, for trainings without Ray: the newest two are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _states(self) -> list[Path]:
        return sorted(self._folder.glob("state-*.pt"))

    def load(self) -> bytes | None:
        """The newest state."""
        states = self._states()
        return states[-1].read_bytes() if states else None

    def save(self, state: bytes | None, images_seen: int) -> None:
        """Write the state whole, then drop all but two."""
        assert state is not None, "there is one worker, and it leads"
        write_bytes(self._folder / f"state-{images_seen:012d}.pt", state)
        for old in self._states()[:-2]:
            old.unlink()


def _prune(storage: Path, recipe: str, current: str) -> None:
    """Drop the states of all but the newest trainings of a recipe: each holds both nets and their
    optimisers.
    """
    pattern = re.compile(re.escape(recipe) + r"-[0-9a-f]{20}")
    others = [path for path in storage.iterdir() if pattern.fullmatch(path.name) and path.name != current]
    for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_TRAININGS - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def _export(
    config: TrainConfig, pairset: PairSet, key: str, code: str, outcome: Outcome, state: bytes, out: Path
) -> Checkpoint:
    """Write the averaged generator and its record: of the end, or of the best validation when the
    recipe keeps that.
    """
    plain = read_state(state)
    progress, best = plain["progress"], plain["progress"]["best"]
    weights_sha256, generator_sha256 = save_generator(
        out, config.generator, plain["step"]["average"] if best is None else best["weights"]
    )
    return Checkpoint(
        pairset=pairset.digest,
        config_digest=digest_of(config),
        code_digest=code,
        weights_sha256=weights_sha256,
        generator_sha256=generator_sha256,
        images_seen=outcome.images_seen if best is None else best["images_seen"],
        about={
            "train_key": key,
            "mlflow_run": tracking.find_training(key),
            "phases_stopped_early": progress["stopped_early"],
            "rollbacks": progress["rollbacks"],
        },
    ).save(out)
