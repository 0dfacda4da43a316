"""Start a training from what is known: a parent's generator, and what its training kept beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from components.core.errors import InputError
from components.core.files import sha256_of_file
from components.core.parts import digest_of
from components.core.records import Checkpoint, Pair, PairSet, SourcePhoto, Split, TargetPhoto
from components.services.cluster import is_cluster
from components.services.content import ContentStore

if TYPE_CHECKING:
    import torch

    from components.train.step import GanStep
    from components.train.step.domain_mapping import DomainMapping

One = TypeVar("One", bound=Pair | SourcePhoto | TargetPhoto)


@dataclass(frozen=True)
class Parent:
    """The model that a training starts from.

    name: what people call it, such as demo:3 or a folder; checkpoint: its record, beside its weights;
    photos: ids of the photos that it learned from, none when they are not known; state: what its
    training kept of discriminators and optimisers, None when that is gone; learned: ids of the photos
    that it and all models it comes from have learned from, as far as they are known.
    """

    name: str
    checkpoint: Checkpoint
    photos: frozenset[str] = frozenset()
    state: Path | None = None
    learned: frozenset[str] = frozenset()

    @property
    def identity(self) -> str:
        """Digest of all that a training takes from it."""
        back = self.checkpoint.back_sha256
        return digest_of(
            {
                "weights": self.checkpoint.weights_sha256,
                "state": sha256_of_file(self.state) if self.state else None,
                "photos": sorted(self.photos),
            }
            | ({} if back is None else {"back": back})
        )

    @property
    def weights(self) -> Path:
        """Its generator's file on this machine."""
        return self.checkpoint.folder / Checkpoint.WEIGHTS

    @property
    def back(self) -> Path | None:
        """The file of a cycle's generator back; None where there is none."""
        if self.checkpoint.back_sha256 is None:
            return None
        return self.checkpoint.folder / Checkpoint.BACK / Checkpoint.WEIGHTS

    def open(self) -> Parent:
        """Itself, on the machine that it lies on."""
        return self


@dataclass(frozen=True)
class ParentInStore:
    """A parent as it crosses to workers on any machine: its files by their digests in the team's store."""

    name: str
    checkpoint: Checkpoint
    photos: frozenset[str]
    state: str | None

    def open(self) -> Parent:
        """The parent, its files fetched to this machine. Raises LineageError when the store has others."""
        store = ContentStore.of_environment()
        assert store is not None, "what was sent by the store comes by it"
        weights, back = self.checkpoint.weights_sha256, self.checkpoint.back_sha256
        state = None if self.state is None else store.fetch_file(self.state)
        return _FetchedParent(
            self.name,
            self.checkpoint,
            self.photos,
            state,
            fetched=store.fetch_file(weights),
            fetched_back=None if back is None else store.fetch_file(back),
        )


@dataclass(frozen=True)
class _FetchedParent(Parent):
    """A parent whose generators lie in this machine's cache."""

    fetched: Path | None = None
    fetched_back: Path | None = None

    @property
    def weights(self) -> Path:
        """Its generator's file on this machine."""
        assert self.fetched is not None
        return self.fetched

    @property
    def back(self) -> Path | None:
        """The file of a cycle's generator back."""
        return self.fetched_back


def parent_for_workers(parent: Parent | None) -> Parent | ParentInStore | None:
    """How the workers of a Ray that has been joined get at a parent: by the team's store where there is
    a cluster with one.
    """
    store = ContentStore.of_environment() if parent is not None and is_cluster() else None
    if parent is None or store is None:
        return parent
    store.send_file(parent.weights)
    if parent.back is not None:
        store.send_file(parent.back)
    state = None if parent.state is None else store.send_file(parent.state)
    return ParentInStore(parent.name, parent.checkpoint, parent.photos, state)


def kept_state(storage: Path, checkpoint: Checkpoint) -> Path | None:
    """The newest whole state that the checkpoint's training left in a local storage, if it is there."""
    from components.train.states import newest_state

    key = checkpoint.about.get("train_key")
    if not isinstance(key, str):
        return None
    kept = (newest_state(folder) for folder in sorted(storage.glob(f"*-{key[:20]}")))
    return next((found[0] for found in kept if found is not None), None)


def start_from(step: GanStep, parent: Parent) -> tuple[str, ...]:
    """Put the parent's weights into the generator and its average, those of a cycle's generator back into
    that of another cycle, and what fits of its discriminators and optimisers into theirs; gives what was
    taken, in words. A training on pairs takes of a cycle the generator that restores.

    Raises InputError when the generator is another net.
    """
    from safetensors.torch import load_file

    from components.train.training_state import read_state

    weights = load_file(parent.weights)
    if not _fits(step.generator.state_dict(), weights):
        raise InputError(
            f"train.start: {parent.name} has another net than train.generator builds, so its weights do not"
            " fit: make train.generator the same as in its recipe (refocus lineage shows it), or set"
            " train.start to scratch"
        )
    step.generator.load_state_dict(weights)
    step.average.load_state_dict(weights)
    taken = ["generator"]
    for mapping in step.mappings[1:]:
        if parent.back is not None and _fits(mapping.generator.state_dict(), back := load_file(parent.back)):
            mapping.generator.load_state_dict(back)
            mapping.average.load_state_dict(back)
            taken.append("the generator back")
    if parent.state is None:
        return tuple(taken)
    kept = read_state(parent.state.read_bytes())["step"]
    if _take_optimizer(step.update_generator.optimizer, kept["generator_optimizer"]):
        taken.append("its moments")
    taken += _take_discriminators(step.restoring, kept)
    for mapping, theirs in zip(step.mappings[1:], kept.get("further", ()), strict=False):
        taken += [f"{what} back" for what in _take_discriminators(mapping, theirs)]
    return tuple(taken)


def _take_discriminators(mapping: DomainMapping, kept: Mapping[str, Any]) -> list[str]:
    """Take what fits of a mapping's discriminators; gives what was taken, in words."""
    update, nets, theirs = mapping.update_discriminators, mapping.discriminators.nets, kept["discriminators"]
    same = len(nets) == len(theirs) and all(map(_fits, (net.state_dict() for net in nets), theirs))
    if update is None or not same:
        return []
    for net, own in zip(nets, theirs, strict=True):
        net.load_state_dict(own)
    moments = _take_optimizer(update.optimizer, kept["discriminator_optimizer"])
    return ["discriminators", *(["their moments"] if moments else [])]


def _fits(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> bool:
    return {name: one.shape for name, one in ours.items()} == {
        name: one.shape for name, one in theirs.items()
    }


def _take_optimizer(optimizer: torch.optim.Optimizer, kept: Mapping[str, Any] | None) -> bool:
    """Take the moments alone: rates and decays are the new recipe's."""
    ours = optimizer.state_dict()
    if kept is None or not kept["state"]:
        return False
    shapes = [weight.shape for group in optimizer.param_groups for weight in group["params"]]
    theirs = [kept["state"][place]["exp_avg"].shape for place in sorted(kept["state"])]
    if shapes != theirs:
        return False
    optimizer.load_state_dict({"state": kept["state"], "param_groups": ours["param_groups"]})
    return True


def refuse_leak(parent: Parent | None, pairset: PairSet) -> None:
    """Raises InputError when the model to start from, or one that it comes from, has learned from photos that
    are validated or tested on here: figures on them would be too good.
    """
    if parent is None:
        return
    splits: tuple[tuple[Split, str], ...] = (("test", "tested on"), ("val", "validated on"))
    for split, words in splits:
        measured = {row.photo for row in pairset.pairs(split)} | {row.photo for row in pairset.targets(split)}
        if known := sorted(measured & (parent.photos | parent.learned)):
            who = "" if parent.photos.intersection(known) else ", by a model that it comes from,"
            raise InputError(
                f"train.start: {parent.name} has{who} learned from {len(known)} of the photos that are"
                f" {words} here, such as {known[0][:16]}, so figures on them would show what it remembers:"
                " set train.start to scratch or to a model that has not seen them, or leave them out"
            )


def replayed(pairs: Sequence[One], known: frozenset[str], replay: float) -> tuple[One, ...]:
    """The pairs as a fine-tuning goes through them: those of photos the parent knows make up about
    `replay` of an epoch, the new ones the rest, each group whole, the smaller repeated.

    As they are when all are known, or none.
    """
    old = [pair for pair in pairs if pair.photo in known]
    new = [pair for pair in pairs if pair.photo not in known]
    if not old or not new:
        return tuple(pairs)
    if replay in (0.0, 1.0):
        return tuple(old if replay else new)
    ratio = replay / (1 - replay) * len(new) / len(old)  # how often an old pair comes for each new one
    times_old, times_new = (round(ratio), 1) if ratio >= 1 else (1, round(1 / ratio))
    return (*(old * times_old), *(new * times_new))
