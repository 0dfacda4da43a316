"""A function over many items, on Ray's workers or in this process, results in the items' order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from components.core.errors import RefocusError
from components.core.progress import Progress
from components.services.cluster import nodes
from components.services.cluster.start import ray_started

Item = TypeVar("Item")
Result = TypeVar("Result")
IN_FLIGHT_MB = 1000.0  # a worker
UNCOLLECTED = 4  # results of an item that may wait to be collected


def map_in_order(
    function: Callable[[Item], Iterable[Result]],
    items: Iterable[Item],
    *,
    megabytes: Sequence[float],
    workers: int,
    title: str,
    unit: str = "photos",
) -> Iterator[Result]:
    """Apply a function that gives any number of results to every item; all results in the items'
    order, behind a progress bar.

    megabytes: of each item and its results; their number is that of the items. Items are asked for
    when their turn comes.
    workers: Ray workers; 0 works in this process without Ray. The results are the same whatever it
    is.
    Memory does not grow with the set: at most four items a worker are under way, and no more than
    IN_FLIGHT_MB a worker (one item at the least); a worker waits when results of its item lie
    uncollected.
    """
    with Progress(title, len(megabytes), unit=unit) as bar:
        if workers == 0 or not megabytes:
            for item in items:
                yield from function(item)
                bar.advance(1)
            return
        with ray_started(min(workers, len(megabytes))) as ray:
            bar.begin()
            wished = nodes.wished()

            def streamed(item: Item) -> Iterator[Result]:  # Ray asks for a function that yields
                nodes.need_same(wished)
                yield from function(item)

            remote = ray.remote(
                num_cpus=1, num_returns="streaming", _generator_backpressure_num_objects=UNCOLLECTED
            )(streamed)
            waiting: deque[tuple[Any, float]] = deque()
            for item, size in zip(items, megabytes, strict=True):
                while waiting and (
                    len(waiting) >= 4 * workers
                    or size + sum(each for _, each in waiting) > IN_FLIGHT_MB * workers
                ):
                    yield from _results(ray, waiting.popleft()[0])
                    bar.advance(1)
                waiting.append((remote.remote(item), size))
            while waiting:
                yield from _results(ray, waiting.popleft()[0])
                bar.advance(1)


def _results(ray: Any, references: Iterable[Any]) -> Iterator[Any]:
    """The results of one item, as they come; an error of ours comes back as itself, without Ray's
    wrapping.
    """
    for reference in references:
        yield result_of(ray, reference)


def result_of(ray: Any, reference: Any) -> Any:
    """One task's result; an error of ours comes back as itself, without Ray's wrapping."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, RefocusError):
            raise error.cause from None
        raise
