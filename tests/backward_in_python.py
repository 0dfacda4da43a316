"""torch's backward pass, node by node: its engine asks the driver for the GPU's stream before it begins, so
that tensors on a GPU that is not there need another. The nodes are torch's own, as is what each does.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

Node = Any  # of torch's graph, whose class it does not name
Arrived = dict[Node, dict[int, Tensor]]  # gradients by the place among what a node made


def run_backward(
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor],
    retain_graph: bool,
    create_graph: bool,
    inputs: Sequence[Any] = (),
    allow_unreachable: bool = False,
    accumulate_grad: bool = False,
) -> tuple[Tensor | None, ...]:
    """What torch.autograd's `_engine_run_backward` does. A node computes all its gradients, where torch
    leaves out those that nobody asked for.
    """
    assert not (inputs and accumulate_grad), "backward(inputs=…) is not ours"
    wanted = [(edge.node, edge.output_nr) for edge in map(get_gradient_edge, inputs)]
    roots = [(edge.node, edge.output_nr) for edge in map(get_gradient_edge, outputs)]
    needed = _needed([node for node, _ in roots], {node for node, _ in wanted} if inputs else None)
    waiting = Counter(next_node for node in needed for next_node, _ in _next(node) if next_node in needed)
    arrived: Arrived = defaultdict(dict)
    for (node, place), gradient in zip(roots, gradients, strict=True):
        _arrive(arrived, node, place, gradient)
    ready = [(-node._sequence_nr(), id(node), node) for node in {node for node, _ in roots}]
    ready = [entry for entry in ready if not waiting[entry[2]]]
    heapq.heapify(ready)
    found: dict[tuple[Node, int], Tensor] = {}
    with torch.set_grad_enabled(create_graph):
        while ready:
            *_, node = heapq.heappop(ready)
            came = arrived.pop(node, {})
            found |= {edge: came[edge[1]] for edge in wanted if edge[0] is node and edge[1] in came}
            leads_on = any(next_node in needed for next_node, _ in _next(node))
            made = _made(node, came) if came and (leads_on or not inputs) else ()
            for (next_node, place), gradient in zip(node.next_functions, made, strict=False):
                if gradient is not None and next_node in needed:
                    _arrive(arrived, next_node, place, gradient)
            for next_node, _ in _next(node):
                if next_node in needed:
                    waiting[next_node] -= 1
                    if not waiting[next_node]:
                        heapq.heappush(ready, (-next_node._sequence_nr(), id(next_node), next_node))
    answer = tuple(found.get(edge) for edge in wanted)
    if not allow_unreachable and any(gradient is None for gradient in answer):
        raise RuntimeError("One of the differentiated Tensors appears to not have been used in the graph")
    return answer


def _next(node: Node) -> Iterator[tuple[Node, int]]:
    return ((next_node, place) for next_node, place in node.next_functions if next_node is not None)


def _needed(roots: Sequence[Node], wanted: set[Node] | None) -> set[Node]:
    """The nodes on the way from the roots to those that are wanted; None: to all."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(root, False) for root in roots]
    while stack:
        node, left = stack.pop()
        if left:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((next_node, False) for next_node, _ in _next(node))
    needed: set[Node] = set()
    for node in order:  # those behind a node come before it
        if wanted is None or node in wanted or any(next_node in needed for next_node, _ in _next(node)):
            needed.add(node)
    return needed


def _arrive(arrived: Arrived, node: Node, place: int, gradient: Tensor) -> None:
    """Add a gradient to what has come, in the shape and type of what it is the gradient of; torch's engine
    does the same between two nodes.
    """
    made = node._input_metadata[place]
    if gradient.device != made.device:
        raise RuntimeError(
            f"{node.name()} made a tensor on {made.device}, its gradient is on {gradient.device}"
        )
    if gradient.shape != torch.Size(made.shape):
        gradient = gradient.sum_to_size(made.shape)
    gradient = gradient.to(made.dtype)
    before = arrived[node].get(place)
    arrived[node][place] = gradient if before is None else before + gradient


def _made(node: Node, came: dict[int, Tensor]) -> tuple[Tensor | None, ...]:
    """What a node makes of the gradients that came."""
    places = range(len(node._input_metadata))
    run = node.apply if isinstance(node, torch.autograd.function.BackwardCFunction) else node
    made = run(*(came.get(place) for place in places))
    return made if isinstance(made, tuple) else (made,)
