"""One contract over every exported format and every generator: the file restores any size as torch
does, says what it is, and refuses what it cannot be.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from components.core.errors import InputError
from components.nets.attention import Attention
from components.nets.formats import FORMATS, Format, Onnx, OnnxInt8, OnnxInt8Aware, OnnxWithoutDropout
from components.nets.formats.int8 import calibrated
from components.nets.generators import (
    ConvUNet,
    Generator,
    Mobile,
    NAFNet,
    ResNet,
    SRResNet,
    UNet,
    Video3D,
    VideoFlow,
    WienerUNet,
)
from components.nets.restore import Restorer
from components.nets.tiling import TiledRestorer

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None,
    reason="the optional packages of refocus[onnx] are absent",
)

KINDS: dict[str, Generator] = {
    "resnet": ResNet(width=8, blocks=1),
    "resnet_seed": ResNet(width=8, blocks=1, norm="batch", dropout=0, padding="keras", head="seed_blend"),
    "resnet_attention": ResNet(
        width=8, blocks=1, dropout=0, attention=Attention(level=2, heads=2, key_channels=4)
    ),
    "srresnet": SRResNet(width=8, blocks=1),
    "srresnet_seed": SRResNet(width=8, blocks=1, upsampling="nearest", activation="relu", norm="none"),
    "unet": UNet(width=8, depth=2),
    "mobile": Mobile(width=8, blocks=(1, 1)),
    "unet_context": UNet(width=8, depth=1, fold=2, global_context=True),
    "wiener_unet": WienerUNet(width=8, depth=2, hidden=16),
    "unet_instance": UNet(width=8, depth=1, fold=2, norm="instance"),
    "conv_unet": ConvUNet(width=8, depth=4, widest=16, test_time_statistics="photo"),
    "nafnet": NAFNet(width=8, encoder=(1, 1), middle=1, decoder=(1, 1), fold=2, channel_attention=False),
    "video_3d": Video3D(width=4, depth=1, frames=3),
    "video_flow": VideoFlow(width=4, depth=1, frames=3, flow_width=4, flow_levels=2, flow_shrink=2),
}
SIZES = ((64, 64), (37, 90), (129, 70), (720, 64), (5, 3))


def restorer_of(part: Generator) -> Restorer:
    """With random weights where a net begins with zeros, so that it does something."""
    net = part.build(seed=0)
    random = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        if float(parameter.detach().abs().max()) == 0:
            nn.init.normal_(parameter, std=0.05, generator=random)
    return Restorer(net, part, device="cpu")


def photo(height: int, width: int) -> np.ndarray:
    """Smooth, so that 8 bits have ranges to find."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 7 + k) * np.cos(y / (5 + k)) for k in range(3)]
    return (0.5 + 0.4 * np.stack(waves, axis=-1)).astype(np.float32)


def test_the_contract_runs_over_every_generator_and_format() -> None:
    kinds = {type(part) for part in KINDS.values()}
    assert kinds >= set(get_args(get_args(Generator)[0]))
    assert set(FORMATS) == {"onnx", "onnx_without_dropout", "onnx_int8", "onnx_int8_aware"}


# An export takes seconds: what one file can show is looked at together.
@pytest.mark.parametrize("name", KINDS)
def test_the_file_restores_any_size_as_torch_does_whole_and_in_tiles(name: str, tmp_path: Path) -> None:
    part = KINDS[name]
    restorer = restorer_of(part)
    Onnx().write(restorer, tmp_path / "g.onnx", about={"checkpoint": "c" * 64})
    opened = Onnx().open(tmp_path / "g.onnx")
    assert opened.window == part.window
    assert not operators(tmp_path / "g.onnx") & NOT_EVERYWHERE
    for size in SIZES:
        shown = np.concatenate([np.roll(photo(*size), place, 1) for place in range(part.window)], axis=2)
        ours = restorer.restore(shown).clip(0, 1)
        np.testing.assert_allclose(opened.restore(shown), ours, atol=2e-4)
    tiled = Onnx().open(tmp_path / "g.onnx", tile_px=256)
    if name in LOCAL:
        tiles_are_the_whole(restorer, tiled, opened)
    if name in LOOKING:
        photos_that_it_tiles_are_told(restorer, tiled)


LOCAL = ("unet", "mobile", "srresnet", "resnet_seed")
LOOKING = ("resnet", "unet_instance", "conv_unet")


def tiles_are_the_whole(restorer: Restorer, tiled: TiledRestorer, opened: TiledRestorer) -> None:
    assert tiled.about["tiles"] == "exact"  # type: ignore[attr-defined]
    assert not tiled.alone(301, 243)
    input = photo(151, 143) if restorer.scale > 1 else photo(301, 243)
    found = tiled.restore(input)
    np.testing.assert_allclose(found, opened.restore(input), atol=1e-5)
    in_torch = Restorer(restorer.net, restorer.part, device="cpu", tile_px=256).restore(input)
    np.testing.assert_allclose(found, in_torch.clip(0, 1), atol=2e-5)


def photos_that_it_tiles_are_told(restorer: Restorer, tiled: TiledRestorer) -> None:
    assert tiled.about["tiles"] == "per_tile"  # type: ignore[attr-defined]
    assert tiled.alone(301, 243)
    assert not tiled.alone(200, 243)
    assert not restorer.alone(3000, 3000)


# What ONNX Runtime has, but neither OpenVINO nor TensorRT.
NOT_EVERYWHERE = {"SplitToSequence", "SequenceAt", "SequenceConstruct", "ConcatFromSequence", "SequenceEmpty"}


def operators(path: Path) -> set[str]:
    """The operators of a file, those of its branches and loops too."""
    import onnx

    def of(graph: onnx.GraphProto) -> set[str]:
        found = {node.op_type for node in graph.node}
        inner = [each.g for node in graph.node for each in node.attribute if each.HasField("g")]
        return found.union(*map(of, inner))

    return of(onnx.load(path).graph)


def test_the_file_says_what_it_is_names_its_axes_and_has_the_same_bytes_again(tmp_path: Path) -> None:
    import onnx

    for name in ("g.onnx", "again.onnx"):
        Onnx().write(restorer_of(KINDS["srresnet"]), tmp_path / name, about={"checkpoint": "c" * 64})
    assert (tmp_path / "g.onnx").read_bytes() == (tmp_path / "again.onnx").read_bytes()
    model = onnx.load(tmp_path / "g.onnx")
    said = {each.key: each.value for each in model.metadata_props}
    assert said["checkpoint"] == "c" * 64
    assert (said["scale"], said["stride"], said["colour_order"]) == ("4", "1", "RGB")
    assert {"generator", "smallest_px", "value_range", "opset", "torch", "onnx"} <= said.keys()
    axes = [
        [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]
        for value in (model.graph.input[0], model.graph.output[0])
    ]
    assert axes == [["photos", 3, "height", "width"], ["photos", 3, "4*height", "4*width"]]


def test_channel_attention_is_exported_for_photos_of_one_tile(tmp_path: Path) -> None:
    restorer = restorer_of(NAFNet(width=8, encoder=(1,), middle=1, decoder=(1,)))
    Onnx().write(restorer, tmp_path / "g.onnx", about={})
    ours = restorer.restore(photo(90, 64)).clip(0, 1)
    np.testing.assert_allclose(Onnx().open(tmp_path / "g.onnx").restore(photo(90, 64)), ours, atol=2e-4)


def test_a_net_that_answers_in_eight_views_is_not_exported(tmp_path: Path) -> None:
    ensemble = restorer_of(UNet(width=8, depth=1, test_time_ensemble=True))
    with pytest.raises(InputError, match="a file holds the net alone"):
        Onnx().write(ensemble, tmp_path / "g.onnx", about={})


def test_a_net_whose_dropout_stays_on_is_exported_under_another_name_alone(tmp_path: Path) -> None:
    dropping = restorer_of(ConvUNet(width=8, depth=4, widest=16, test_time_dropout=True))
    for part in (Onnx(), OnnxInt8()):
        with pytest.raises(InputError, match="format onnx_without_dropout"):
            part.write(dropping, tmp_path / "g.onnx", about={}, pairs=[(photo(64, 64), photo(64, 64))])
    OnnxWithoutDropout().write(dropping, tmp_path / "g.onnx", about={})
    found = OnnxWithoutDropout().open(tmp_path / "g.onnx").restore(photo(48, 64))
    np.testing.assert_allclose(found, dropping.without_dropout().restore(photo(48, 64)).clip(0, 1), atol=2e-5)
    assert np.abs(found - dropping.restore(photo(48, 64))).max() > 0.001
    with pytest.raises(InputError, match="no dropout"):
        OnnxWithoutDropout().write(restorer_of(KINDS["unet"]), tmp_path / "other.onnx", about={})


@pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="torchao is absent")
@pytest.mark.parametrize("name", ["resnet", "unet"])
def test_8_bits_stay_near_the_net_and_round_convolutions_alone(name: str, tmp_path: Path) -> None:
    import onnx

    restorer = restorer_of(KINDS[name])
    photos = [photo(72, 96), photo(96, 130)]
    OnnxInt8().write(restorer, tmp_path / "g.onnx", about={}, pairs=[(each, each) for each in photos])
    opened = OnnxInt8().open(tmp_path / "g.onnx")
    for size in SIZES[:3]:
        found = opened.restore(photo(*size)) - restorer.restore(photo(*size)).clip(0, 1)
        assert np.sqrt(np.mean(found**2)) < 0.02
    nodes = onnx.load(tmp_path / "g.onnx").graph.node
    makers = {output: node for node in nodes for output in node.output}
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    rounded = [node for node in convolutions if makers[node.input[0]].op_type == "DequantizeLinear"]
    assert len(rounded) == len(convolutions) - 1
    fed = {name for node in nodes if node.op_type == "QuantizeLinear" for name in node.input[:1]}
    assert model_output(tmp_path / "g.onnx") not in fed


HEADS: dict[str, Generator] = {
    head: ResNet(width=8, blocks=1, head=head)
    for head in ("direct", "added_residual", "seed_blend", "seed_blend_half")
} | {head: SRResNet(width=8, blocks=1, head=head, input_range="unit") for head in ("linear", "tanh")}
PHOTOS = KINDS.keys() - {"video_3d", "video_flow", "resnet_seed"}


@pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="torchao is absent")
@pytest.mark.parametrize("name", sorted(PHOTOS | HEADS.keys()))
def test_every_net_of_photos_is_rounded_all_but_the_convolution_that_makes_the_photo(name: str) -> None:
    restorer = restorer_of((KINDS | HEADS)[name])
    side = max(64, restorer.smallest_px)
    graph = calibrated(restorer, [photo(side, side)], side).graph
    convolutions = [node for node in graph.nodes if "aten.conv2d" in str(node.target)]
    floats = [node for node in convolutions if "dequantize" not in str(node.args[0])]
    assert len(convolutions) > len(floats)
    # Transposed ones are never rounded: where one makes the photo, no other is left out.
    transposed = any("conv_transpose" in str(node.target) for node in graph.nodes)
    assert floats[-1:] == ([] if transposed and not floats else convolutions[-1:])


@pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="torchao is absent")
def test_training_with_the_rounding_in_place_comes_nearer_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    restorer = restorer_of(UNet(width=8, depth=1))
    before = {name: tensor.clone() for name, tensor in restorer.net.state_dict().items()}
    pair = photo(96, 130), photo(96, 130)
    away = {}
    for images in (1, 64):
        part = OnnxInt8Aware(images=images, batch=1, crop_px=64, lr=1e-3)
        part.write(restorer, tmp_path / "g.onnx", about={}, pairs=[pair])
        opened = part.open(tmp_path / "g.onnx")
        away[images] = np.abs(opened.restore(pair[0]) - pair[1]).mean()
    assert away[64] < 0.7 * away[1]
    assert all(torch.equal(before[name], tensor) for name, tensor in restorer.net.state_dict().items())


def model_output(path: Path) -> str:
    import onnx

    return str(onnx.load(path).graph.output[0].name)


def test_8_bits_without_photos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="photos to take ranges from"):
        OnnxInt8().write(restorer_of(KINDS["unet"]), tmp_path / "g.onnx", about={})


@pytest.mark.parametrize("name", ["video_3d", "video_flow"])
def test_a_net_of_video_is_not_exported_in_8_bits(name: str, tmp_path: Path) -> None:
    for part in (OnnxInt8(), OnnxInt8Aware()):
        with pytest.raises(
            InputError, match="is given 3 frames, and neither convolutions over time nor flow"
        ):
            part.write(restorer_of(KINDS[name]), tmp_path / "g.onnx", about={}, pairs=[(photo(64, 64),) * 2])


def test_a_bare_word_means_a_format_with_its_defaults() -> None:
    adapter: TypeAdapter[Format] = TypeAdapter(Format)
    assert adapter.validate_python("onnx_int8") == OnnxInt8()
    assert adapter.validate_python({"kind": "onnx_int8", "photos": 8}).training_pairs == 8


def test_a_file_of_others_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "g.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match="is no file of `refocus export`"):
        Onnx().open(tmp_path / "g.onnx")


def test_a_missing_package_is_named_with_what_installs_it() -> None:
    class Elsewhere(Onnx):
        NEEDS = ("onnx", "no_such_package_at_all")

    with pytest.raises(InputError, match=r"no_such_package_at_all.*pip install 'refocus\[onnx\]'"):
        Elsewhere().need_packages()


def test_the_runner_imports_numpy_and_onnxruntime_alone() -> None:
    code = (
        "import sys, components.nets.onnx_runner\n"
        "heavy = {'torch', 'pydantic', 'onnx', 'mlflow', 'cv2', 'scipy', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
