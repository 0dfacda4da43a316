"""What ends a training that is not our own error, in a sentence: the cluster or the store did not
hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from components.core.addresses import shown
from components.core.errors import RefocusError, ServiceError

GO_ON = "run the same command again to go on from the last state"
NO_GPU = "ProcessGroupNCCL is only supported with GPUs"
OF_STORE = ("AWS Error", "S3", "CURL", "curlCode", "NETWORK_CONNECTION")


@contextmanager
def in_words(storage: str) -> Iterator[None]:
    """Turn what Ray Train raises into the error of ours that lies within, or into a ServiceError.

    storage: where the states are kept.
    """
    from ray.exceptions import RayError
    from ray.train import TrainingFailedError

    try:
        yield
    except TrainingFailedError as error:
        raise _told(error, storage) from error
    except RayError as error:
        raise ServiceError(
            f"Ray could not run the training: {error}; see the words above, and {GO_ON}"
        ) from error
    except OSError as error:  # the driver's own look at the states
        if not _is_of_store(error, storage):
            raise
        raise _store_gone(error, storage) from error


def _told(error: BaseException, storage: str) -> BaseException:
    from ray.exceptions import RayActorError
    from ray.train.v2._internal.exceptions import WorkerGroupStartupTimeoutError

    causes = list(_within(error))
    for cause in causes:
        if isinstance(cause, RefocusError):
            return cause
    for cause in causes:
        if isinstance(cause, WorkerGroupStartupTimeoutError):
            return ServiceError(
                f"the Ray cluster had no room for the training's workers for half an hour; see which nodes"
                f" are left, or set train.workers lower; then {GO_ON}"
            )
        if NO_GPU in str(cause):
            return ServiceError(
                "Ray reserved a GPU for a worker, and torch finds none there: see that the nodes' torch is"
                " one for CUDA and their driver works, or set train.gpu to never"
            )
        if isinstance(cause, OSError) and _is_of_store(cause, storage):
            return _store_gone(cause, storage)
    for cause in causes:
        if isinstance(cause, RayActorError):
            return ServiceError(
                f"the training's workers died more often than train.retries allows"
                f" ({' '.join(str(cause).split())[:300]}); look at the cluster's nodes, and {GO_ON}"
            )
    return error


def _within(error: BaseException) -> Iterator[BaseException]:
    """Every error that Ray wrapped, from the outside in."""
    failures = list(getattr(error, "worker_failures", {}).values())
    failures.append(getattr(error, "controller_failure", None))
    for failure in failures:
        cause: BaseException | None = failure
        while cause is not None:
            yield cause
            cause = getattr(cause, "_base_exc", None) or getattr(cause, "cause", None) or cause.__cause__


def _is_of_store(error: OSError, storage: str) -> bool:
    return "://" in storage and any(word in str(error) for word in OF_STORE)


def _store_gone(error: OSError, storage: str) -> ServiceError:
    return ServiceError(
        f"the store of the training's states, {shown(storage)}, did not answer for minutes"
        f" ({' '.join(str(error).split())[:200]}); see that it runs, and {GO_ON}"
    )
