"""Seconds of a training step on two workers whose gradients are averaged after the backward pass or during
it: python benchmarks/over_workers.py [--recipe deblurgan] [--crop 128] [--rounds 7] [--megabits 1000].

Two processes of one thread each, joined by Gloo, one photo each a step, in memory. Both ways take turns, so
that what else the machine does meets both; the ratio is the median of the rounds' own ratios, by the clock
on the wall, since what is saved is waiting. The perceptual loss runs on VGG weights drawn from a seed.

--megabits: the processes lie in two network namespaces, joined by a link of that many Mbit/s each way, as
between two machines (needs root and iproute2). Otherwise they talk through the machine's own loopback, which
costs processor time that neither way saves.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
from stand_in import stand_ins_for
from torch import Tensor, nn

from components import recipes
from components.train.gradients_over_workers import GradientsOverWorkers
from components.train.step import GanStep
from components.train.step.discriminator_update import DiscriminatorUpdate
from components.train.step.generator_update import GeneratorUpdate
from components.train.worker_group import World


class AfterTheBackwardPass(GradientsOverWorkers):
    """One message a net, waited for."""

    def backward(self, loss: Tensor, *, last: bool = True) -> None:
        """The whole pass, then the messages."""
        loss.backward()  # type: ignore[no-untyped-call]
        for weights in self._weights if last else ():
            self._world.average([weight.grad for weight in weights if weight.grad is not None])


WAYS = {"after the backward pass": AfterTheBackwardPass, "during it": GradientsOverWorkers}


def main() -> None:
    """Start both workers and wait for them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--recipe", default="deblurgan")
    parser.add_argument("--crop", type=int, default=128, help="side of a photo in px")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabits", type=int, help="of a link between the workers, each way")
    parser.add_argument("--worker", nargs=2, metavar=("RANK", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        _work(arguments, int(arguments.worker[0]), Path(arguments.worker[1]))
        return
    with tempfile.TemporaryDirectory() as folder, _places(arguments.megabits) as places:
        workers = [
            subprocess.Popen([*place, sys.executable, *sys.argv, "--worker", str(rank), folder])
            for rank, place in enumerate(places)
        ]
        failed = sum(worker.wait() != 0 for worker in workers)
    if failed:
        sys.exit(f"{failed} of the workers failed, as told above")


@contextmanager
def _places(megabits: int | None) -> Iterator[list[list[str]]]:
    """What stands in front of each worker's command."""
    if megabits is None:
        yield [["env", "GLOO_SOCKET_IFNAME=lo"]] * 2
        return
    spaces = [f"refocus{os.getpid()}-{rank}" for rank in range(2)]
    try:
        for space in spaces:
            _run(f"ip netns add {space}")
        _run(f"ip link add worker0 netns {spaces[0]} type veth peer name worker1 netns {spaces[1]}")
        for rank, space in enumerate(spaces):
            _run(f"ip -n {space} address add 10.0.0.{rank + 1}/24 dev worker{rank}")
            _run(f"ip -n {space} link set worker{rank} up")
            shaped = f"rate {megabits}mbit burst 256kb latency 50ms"
            _run(f"tc -n {space} qdisc add dev worker{rank} root tbf {shaped}")
        yield [
            ["ip", "netns", "exec", space, "env", f"GLOO_SOCKET_IFNAME=worker{rank}"]
            for rank, space in enumerate(spaces)
        ]
    finally:
        for space in spaces:
            subprocess.run(["ip", "netns", "delete", space], check=False)


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True)


def _work(arguments: argparse.Namespace, rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    world = World.of_process_group(torch.device("cpu"))
    config = recipes.load(arguments.recipe).train
    (own := folder / str(rank)).mkdir()
    weights = stand_ins_for(config, own)
    phase = config.phases[-1].model_copy(update={"batch": 2, "crop_px": arguments.crop})
    step = GanStep(config, world, weights)
    taught: list[tuple[GeneratorUpdate | DiscriminatorUpdate, Sequence[nn.Module]]] = [
        (step.update_generator, [one.generator for one in step.mappings]),
        *(
            (one.update_discriminators, one.discriminators.nets)
            for one in step.mappings
            if one.update_discriminators is not None
        ),
    ]
    updates = 1 if config.discriminator_reuse else config.discriminator_updates
    sides = (arguments.crop // config.generator.scale, arguments.crop)
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for turn in range(arguments.rounds + 1):
        for way, kind in WAYS.items():
            for update, its in taught:
                update.over_workers = kind(its, world)
            batches = [_pair(*sides) for _ in range(updates)]
            dist.barrier()
            began = time.perf_counter()
            step(batches, phase, turn * phase.batch, 1.0)
            dist.barrier()
            if turn:  # the first is a warm-up
                times[way].append(time.perf_counter() - began)
    if world.leads:
        sent = [sum(weight.nbytes for net in its for weight in net.parameters()) for _, its in taught]
        _print(arguments, sent, times)
    dist.barrier()  # neither leaves while the other still sends
    dist.destroy_process_group()


def _pair(input_px: int, target_px: int) -> tuple[Tensor, Tensor]:
    """Noise for one photo and its target."""
    return torch.rand(1, 3, input_px, input_px) * 2 - 1, torch.rand(1, 3, target_px, target_px) * 2 - 1


def _print(arguments: argparse.Namespace, sent: list[int], times: dict[str, list[float]]) -> None:
    link = f"{arguments.megabits} Mbit/s" if arguments.megabits else "loopback"
    sizes = ", ".join(f"{size / 1e6:.1f}" for size in sent)
    print(f"{arguments.recipe}: {arguments.crop} px, {arguments.rounds} rounds, {link}")
    print(f"  torch {torch.__version__}; MB of gradients a pass, generators and discriminators: {sizes}")
    ratios = [after / during for after, during in zip(*times.values(), strict=True)]
    for name, found in (times | {"the one over the other": ratios}).items():
        print(f"  {name:<24} {statistics.median(found):7.3f} ({min(found):.3f} to {max(found):.3f})")


if __name__ == "__main__":
    main()
