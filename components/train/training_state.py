"""The state of a training: taken up from the store, kept there, and gone back to when it diverges."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import torch

from components.core.errors import LineageError
from components.train.config import TrainConfig
from components.train.protocols import Observer, Store
from components.train.step import GanStep
from components.train.training_progress import TrainingProgress
from components.train.worker_group import World

DIGEST_BYTES = 32


class TrainingState:
    """A step's nets and optimisers with the training's progress, as bytes in a store."""

    def __init__(
        self,
        config: TrainConfig,
        step: GanStep,
        progress: TrainingProgress,
        world: World,
        store: Store,
        observer: Observer,
    ) -> None:
        self._config, self._step, self._progress = config, step, progress
        self._world, self._store, self._observer = world, store, observer
        # What a rollback goes back to: the newest state, and that of the phase's best validation where
        # it is another. Every worker holds the same nets, so each keeps its own.
        self._healthy, self._best = b"", b""

    def resume(self) -> bool:
        """Go on from the store's newest state; False when there is none."""
        kept = self._store.load()
        if kept is not None:
            self._best = _best_beside(self._take(kept))
        return kept is not None

    def mark_healthy(self) -> None:
        """Remember the beginning as what a rollback goes back to."""
        if self._config.rollback is not None:
            self._healthy = self._written()

    def keep(self) -> None:
        """Keep the state as the newest, beside that of the best validation: only healthy ones come here.

        While a sign that may roll back is beyond its limit, no state is kept: it would be ill
        already. The end is kept as it is.
        """
        settings, progress = self._config.rollback, self._progress
        if settings is not None and progress.watch.doubts(settings.on) and progress.current is not None:
            return
        if progress.is_at_peak or settings is None:
            self._best = b""
        elif not self._best:
            self._best = self._healthy
        self._healthy = self._written() if self._world.leads or settings is not None else b""
        self._save()

    def roll_back(self, trouble: str, *, to_best: bool = False) -> bool:
        """Go back to the newest healthy state, or to the best one, with lower learning rates; False when
        that is switched off or was done too often. It is kept at once, so that a kill forgets no rollback.
        """
        settings, progress, earlier = self._config.rollback, self._progress, self._progress.rollbacks
        if settings is None or earlier >= settings.most:
            return False
        at = progress.images_seen
        self._take((self._best if to_best else b"") or self._healthy)
        self._best = b"" if to_best else self._best
        progress.rollbacks = earlier + 1
        self._healthy = self._written()
        self._save()
        if self._world.leads:
            self._observer.begin(progress.images_seen)
            self._observer.warn(
                f"at image {at}: {trouble}; back to image {progress.images_seen} with"
                f" the learning rates times {progress.lr_multiplier:.3g}"
                f" (rollback {earlier + 1} of {settings.most})"
            )
        return True

    def _save(self) -> None:
        self._store.save(self._healthy if self._world.leads else None, self._progress.images_seen)

    def _written(self) -> bytes:
        best = torch.frombuffer(bytearray(self._best), dtype=torch.uint8) if self._best else None
        return write_state({"progress": self._progress.state(), "step": self._step.state(), "best": best})

    def _take(self, state: bytes) -> dict[str, Any]:
        plain = read_state(state)
        self._step.load_state(plain["step"])
        self._progress.load_state(plain["progress"])
        return plain


def _best_beside(plain: Mapping[str, Any]) -> bytes:
    best: torch.Tensor | None = plain["best"]
    return b"" if best is None else best.numpy().tobytes()


def write_state(state: Mapping[str, Any]) -> bytes:
    """A state as bytes that `read_state` opens without pickle's powers: its SHA-256, then the state."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    body = buffer.getvalue()
    return hashlib.sha256(body).digest() + body


def read_state(data: bytes) -> dict[str, Any]:
    """What `write_state` wrote; weights_only, so nothing in it can run.

    Raises LineageError when a byte of it is missing or another.
    """
    if not is_whole(data):
        raise LineageError(f"a training state of {len(data)} bytes was cut or altered")
    body = io.BytesIO(data[DIGEST_BYTES:])
    state: dict[str, Any] = torch.load(body, map_location="cpu", weights_only=True)
    return state


def is_whole(data: bytes) -> bool:
    """Whether these are all the bytes that `write_state` wrote."""
    return hashlib.sha256(data[DIGEST_BYTES:]).digest() == data[:DIGEST_BYTES]
