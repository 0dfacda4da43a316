"""What one of several processes does: its part of three steps of a training on clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from small_training import config

from components.core.records import PairSet
from components.train.config import TrainConfig
from components.train.data import PairDataset, load_steps, to_net
from components.train.step import GanStep
from components.train.step.weight_average import LastSteps
from components.train.worker_group import World

STEPS = 3
NETS: dict[str, dict[str, Any]] = {
    "video_3d": {"kind": "video_3d", "width": 4, "depth": 1, "frames": 3},
    "video_flow": {
        "kind": "video_flow",
        "width": 4,
        "depth": 1,
        "flow_width": 4,
        "flow_levels": 2,
        "flow_shrink": 2,
    },
}


# What a case says beside its net; "all frames" restores three of a clip and shows them together.
CASES: dict[str, dict[str, Any]] = {
    "video_3d": {},
    "video_flow": {},
    "all frames": {
        "target_frames": 3,
        "history": None,
        "discriminators": [
            {"kind": "temporal_patchgan", "layers": 1, "width": 4, "neighbours": "restored"},
            {"kind": "patchgan", "layers": 1, "width": 4, "conditional": True},
        ],
    },
}


def training(case: str, **changes: Any) -> TrainConfig:
    """Pixels, a temporal discriminator and, where frames are moved, what trains their flow."""
    kind = "video_3d" if case == "all frames" else case
    flow = [{"kind": "photometric"}] if kind == "video_flow" else []
    told = {
        "generator": NETS[kind],
        "discriminators": [
            {"kind": "temporal_patchgan", "layers": 1, "width": 4},
            {"kind": "patchgan", "layers": 1, "width": 4, "conditional": True},
        ],
        "adversarial": {"kind": "least_squares", "weight": 0.01},
        "history": {"size": 4},
        "content": [{"kind": "l1"}, *flow],
        "augment": {"flip": 0.5, "swap_channels": 1.0, "reverse_time": 0.5},
    }
    return config(**(told | CASES[case] | changes))


def weights_after(case: str, pairset: PairSet, world: World) -> list[torch.Tensor]:
    part = training(case, discriminator_updates=1)
    step, phase = GanStep(part, world, {}), part.phases[0]
    loaded = load_steps(
        PairDataset(pairset.folder, pairset.pairs("train"), part, phase.crop_px),
        start=0,
        stop=STEPS * phase.batch,
        batch=phase.batch,
        updates=1,
        rank=world.rank,
        size=world.size,
        processes=0,
        pin=False,
    )
    for number, batch in enumerate(loaded):
        input, target = (to_net(picture, world.device) for picture in batch)
        last = LastSteps(number, STEPS - 1) if number else None  # of a plain mean behind the first step
        step([(input, target)], phase, number * phase.batch, 1.0, last=last)
    nets = (step.generator, step.average)
    return [weight.detach().clone() for net in nets for weight in net.parameters()]


def work(rank: int, folder: str, pairs: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    world = World.of_process_group(torch.device("cpu"))
    found = {kind: weights_after(kind, PairSet.load(Path(pairs)), world) for kind in CASES}
    torch.save(found, Path(folder) / f"{rank}.pt")
    torch.distributed.barrier()  # neither leaves while the other still sends
    torch.distributed.destroy_process_group()
