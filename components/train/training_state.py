"""The state of a training: taken up from the store, kept there, and gone back to when it diverges."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
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
        self._healthy, self._best = _done(b""), _done(b"")
        self._kept_at_s = time.monotonic()
        self._writer = ThreadPoolExecutor(1) if store.in_background else None
        self._writing: Future[None] | None = None

    def resume(self) -> bool:
        """Go on from the store's newest state; False when there is none."""
        kept = self._store.load()
        if kept is not None:
            plain = self._take(kept)
            self._best, self._healthy = _done(_bytes_of(plain["best"])), _done(_bytes_of(plain["healthy"]))
        return kept is not None

    def age_s(self) -> float:
        """Seconds since a state was kept, or since the beginning."""
        return time.monotonic() - self._kept_at_s

    def finish(self) -> None:
        """Wait until what was to be kept is kept. Raises what went wrong with it."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def need_kept(self) -> None:
        """Raise what went wrong with the newest state, once that is known; nothing is waited for."""
        if self._writing is not None and self._writing.done():
            self.finish()

    def mark_healthy(self) -> None:
        """Remember the beginning as what a rollback goes back to, where no state has brought another."""
        if self._config.rollback is not None and not self._healthy.result():
            self._healthy = self._written(self._whole())

    def keep(self) -> None:
        """Keep the state as the newest, beside that of the best validation: only healthy ones come here.

        While a sign that may roll back is beyond its limit, no state is kept: it would be ill
        already. The end is kept as it is.
        """
        settings, progress = self._config.rollback, self._progress
        if settings is not None and progress.watch.doubts(settings.on) and progress.current is not None:
            return
        if progress.is_at_peak or settings is None:
            self._best = _done(b"")
        elif not self._best.result():
            self._best = self._healthy
        wanted = self._world.leads or settings is not None
        self._healthy = self._written(self._whole()) if wanted else _done(b"")
        self._save(self._healthy)

    def keep_between(self) -> None:
        """Keep the state as the newest between two validations: to go on from, with what a rollback would
        go back to beside it. Whether it is healthy is the next validation's to say.
        """
        healthy = self._healthy.result()
        self._save(self._written(self._whole(healthy)) if self._world.leads else _done(b""))

    def roll_back(self, trouble: str, *, to_best: bool = False) -> bool:
        """Go back to the newest healthy state, or to the best one, with lower learning rates; False when
        that is switched off or was done too often. It is kept at once, so that a kill forgets no rollback.
        """
        settings, progress, earlier = self._config.rollback, self._progress, self._progress.rollbacks
        if settings is None or earlier >= settings.most:
            return False
        at = progress.images_seen
        self._take((self._best.result() if to_best else b"") or self._healthy.result())
        self._best = _done(b"") if to_best else self._best
        progress.rollbacks = earlier + 1
        self._healthy = self._written(self._whole())
        self._save(self._healthy)
        if self._world.leads:
            self._observer.begin(progress.images_seen)
            self._observer.warn(
                f"at image {at}: {trouble}; back to image {progress.images_seen} with"
                f" the learning rates times {progress.lr_multiplier:.3g}"
                f" (rollback {earlier + 1} of {settings.most})"
            )
        return True

    def _save(self, state: Future[bytes]) -> None:
        seen, leads = self._progress.images_seen, self._world.leads
        self._kept_at_s = time.monotonic()

        def save() -> None:
            self._store.save(state.result() if leads else None, seen)

        if self._writer is None:
            save()
        else:
            self.finish()
            self._writing = self._writer.submit(save)  # behind the state's own writing

    def _written(self, state: dict[str, Any]) -> Future[bytes]:
        """The state as bytes; of a copy and by another thread, where the store lets it. One at a time: a
        disk that is slower than the states come holds the training up.
        """
        if self._writer is None:
            return _done(write_state(state))
        self.finish()
        return self._writer.submit(write_state, copied(state))

    def _whole(self, healthy: bytes = b"") -> dict[str, Any]:
        return {
            "progress": self._progress.state(),
            "step": self._step.state(),
            "best": _tensor_of(self._best.result()),
            "healthy": _tensor_of(healthy),
        }

    def _take(self, state: bytes) -> dict[str, Any]:
        plain = read_state(state)
        self._step.load_state(plain["step"])
        self._progress.load_state(plain["progress"])
        return plain


def _done(data: bytes) -> Future[bytes]:
    there: Future[bytes] = Future()
    there.set_result(data)
    return there


def _bytes_of(kept: torch.Tensor | None) -> bytes:
    return b"" if kept is None else kept.numpy().tobytes()


def _tensor_of(data: bytes) -> torch.Tensor | None:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else None


def copied(state: Any) -> Any:
    """The same dictionaries, lists and numbers with copies of the tensors, on the processor; from a GPU in
    pinned memory, all tensors without a wait between them.
    """
    left: set[torch.device] = set()
    kept = _copied(state, left)
    for device in left:
        torch.cuda.current_stream(device).synchronize()
    return kept


def _copied(state: Any, left: set[torch.device]) -> Any:
    """left: gets the devices whose copies may still be on their way."""
    if isinstance(state, torch.Tensor):
        there = state.detach()
        if there.device.type == "cpu":
            return there.clone()
        left.add(there.device)
        return torch.empty_like(there, device="cpu", pin_memory=True).copy_(there, non_blocking=True)
    if isinstance(state, Mapping):
        return {name: _copied(value, left) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_copied(value, left) for value in state)
    return state


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
