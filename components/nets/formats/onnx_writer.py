"""A generator as an ONNX file that says what it is: torch's exporter, then names and metadata."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from components.core.parts import canonical_json
from components.nets.reach import looking, reach_of

if TYPE_CHECKING:
    from components.nets.restore import Restorer

INPUT, OUTPUT = "photo", "restored"
AXES = {0: "photos", 2: "height", 3: "width"}


class UnitRange(nn.Module):
    """A generator of [-1, 1] as a net of [0, 1], clipped as a saved picture is."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.training = False  # the net's own modes are chosen by for_use

    def forward(self, photo: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to (N, 3, scale · H, scale · W) in [0, 1]."""
        restored: Tensor = self.net(photo * 2 - 1)
        # The bits of (restored + 1) / 2. A number added to what a convolution gives is what torchao's
        # quantiser stumbles over.
        return (restored * 0.5 + 0.5).clamp(0, 1)


def example_for(restorer: Restorer) -> Tensor:
    """An input (2, 3 · window, H, W) that lets every size stay free: more than one photo, not square."""
    side = restorer.stride * -(-max(64, restorer.smallest_px) // restorer.stride)
    return torch.full((2, 3 * restorer.window, side, side + max(restorer.stride, 8)), 0.5)


def free_sizes() -> tuple[dict[int, Any]]:
    """What torch.export is told of the one argument's axes."""
    return (dict.fromkeys(AXES, torch.export.Dim.DYNAMIC),)


def write_onnx(
    restorer: Restorer, path: Path, *, about: dict[str, str], net: nn.Module | None = None
) -> None:
    """Write a restorer's generator.

    net: takes its place, a graph that maps [0, 1] to [0, 1]. The metadata hold what a user of the
    file must know: generator, scale, stride, smallest side, range, colour order, opset, versions.
    """
    import onnx

    restorer.net.cpu()
    exported = net if net is not None else UnitRange(restorer.net)
    with quiet():
        program = torch.onnx.export(
            exported,
            (example_for(restorer),),
            dynamo=True,
            dynamic_shapes=free_sizes(),
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for value in (*model.graph.input, *model.graph.output):
        for axis, name in AXES.items():
            enlarged = f"{restorer.scale}*{name}" if restorer.scale > 1 and axis else name
            place = value.type.tensor_type.shape.dim[axis]
            place.Clear()
            place.dim_param = enlarged if value.name == OUTPUT else name
    opset = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    reach = reach_of(restorer.part)
    facts = {
        "generator": canonical_json(restorer.part.model_dump(mode="json")),
        "scale": str(restorer.scale),
        "stride": str(restorer.stride),
        "smallest_px": str(restorer.smallest_px),
        # A net is run tile by tile as it is: what looks over the whole photo sees a tile alone.
        "tiles": "per_tile" if looking(restorer.net) else "overlapping" if reach is None else "exact",
        "reach_px": str(reach or 0),
        "window": str(restorer.window),
        "value_range": "0 to 1, sRGB",
        "colour_order": "RGB",
        "layout": "NCHW",
        "opset": str(opset),
        "torch": torch.__version__,
        "onnx": onnx.__version__,
    }
    onnx.helper.set_model_props(model, facts | about)
    model.producer_name = "refocus"
    del model.graph.value_info[:]  # shapes in between, by names of axes that are gone
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What the exporters say of themselves stays away: deprecations between libraries, and progress on
    stdout. Errors come through.
    """
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
