"""Structure diagrams: what is grouped, which paths are drawn beside the main one, and whether the
SVG is whole.
"""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest
from small import SVG, every_kind, of_class, traced
from torch import nn

from components.describe.boxes import Box, boxes
from components.describe.drawing import svg
from components.describe.net_layout import draw
from components.nets.attention import Attention
from components.nets.discriminators import PatchGAN
from components.nets.generators import ConvUNet, ResNet, SRResNet

KINDS = every_kind()


def boxes_of(build: object, shape: tuple[int, ...]) -> list[Box]:
    return boxes(traced(build, shape))  # type: ignore[arg-type]


def beside(found: list[Box]) -> list[tuple[int, int]]:
    """From and to of each path that leaves boxes out."""
    at = {box: number for number, box in enumerate(found)}
    return [
        (at[source], number)
        for number, box in enumerate(found)
        for source in box.sources
        if at[source] < number - 1
    ]


def test_nine_residual_blocks_are_one_box() -> None:
    found = boxes_of(lambda: ResNet(blocks=9).build(0), (3, 64, 64))
    blocks = [box for box in found if box.role == "block"]
    assert [(box.count, box.words[:2]) for box in blocks] == [(9, ["residual block", "2 × conv 3×3"])]
    text = svg(draw(found, "resnet", ""))
    assert [each.text for each in of_class(text, "text", "count")] == ["×9"]


def test_blocks_of_another_shape_are_not_grouped() -> None:
    found = boxes_of(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 5, 1)),
        (3, 8, 8),
    )
    assert [(box.shape_in[0], box.shape[0], box.count) for box in found] == [
        (3, 3, 1),
        (3, 4, 1),
        (4, 4, 2),
        (4, 5, 1),
    ]


def test_a_u_net_has_a_skip_a_level_and_each_joins_its_own_size() -> None:
    found = boxes_of(lambda: ConvUNet(depth=5).build(0), (3, 64, 64))
    skips = beside(found)
    assert len(skips) == 4
    for first, last in skips:
        assert found[last].words == ["concatenation"]
        assert found[first].shape[1:] == found[last].shape[1:]
    # Nested like brackets: the outermost skip begins first and ends last.
    assert all(a < c and d < b for (a, b), (c, d) in itertools.combinations(sorted(skips), 2))
    assert len(of_class(svg(draw(found, "u-net", "")), "path", "skip")) == 4


@pytest.mark.parametrize(
    "build",
    [lambda: PatchGAN().build(0), lambda: ConvUNet(depth=5, skips=False).build(0)],
    ids=["patchgan", "encoder-decoder"],
)
def test_a_plain_chain_has_no_skip(build: object) -> None:
    found = boxes_of(build, (3, 64, 64))
    assert beside(found) == []
    assert all(box.sources == [before] for before, box in itertools.pairwise(found))
    assert of_class(svg(draw(found, "chain", "")), "path", "skip") == []


def test_the_long_skip_of_srresnet_goes_around_its_blocks() -> None:
    found = boxes_of(lambda: SRResNet().build(0), (3, 24, 24))
    ((first, last),) = beside(found)
    assert [box.count for box in found[first + 1 : last]] == [16, 1]
    assert found[last].words == ["addition"]


def test_attention_is_a_block_of_its_own() -> None:
    found = boxes_of(
        lambda: ConvUNet(depth=4, dropout_ups=(), attention=Attention(level=2)).build(0), (3, 32, 32)
    )
    (block,) = (box for box in found if box.role == "block")
    assert block.words[:3] == ["self attention", "2 × dense", "dot product"]


def test_what_a_layer_does_to_the_side_is_its_colour() -> None:

    def net() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 4, 4, 2, 1),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(4, 3, 3, padding=1),
        )

    found = boxes_of(net, (3, 8, 8))
    assert [(box.effect, box.words) for box in found[1:]] == [
        ("down", ["conv 4×4 ↓2"]),
        ("keep", ["conv 3×3"]),
        ("up", ["nearest ↑2", "conv 3×3"]),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_net_becomes_a_whole_picture(kind: str) -> None:
    found = boxes_of(*KINDS[kind])
    drawing = draw(found, kind, "facts & figures < 1")
    root = ElementTree.fromstring(svg(drawing).encode())
    assert root.tag == f"{SVG}svg"
    slabs = [rect for rect in drawing.rects if rect.words]
    assert len(slabs) >= len([box for box in found if box.role != "join"])
    for rect in drawing.rects:
        assert rect.x >= 0
        assert rect.x + rect.width <= drawing.width
        assert rect.y >= 0
        assert rect.y + rect.height <= drawing.height
    assert all(0 < label.y < drawing.height for label in drawing.labels)
    groups = [list(rects) for _, rects in itertools.groupby(slabs, key=lambda rect: rect.words)]
    ends = [(min(rect.x for rect in rects), max(rect.x + rect.width for rect in rects)) for rects in groups]
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(ends))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_net_is_lost_between_table_and_picture(kind: str) -> None:
    build, shape = KINDS[kind]
    seen = traced(build, shape)
    assert sum(box.parameters for box in boxes(seen)) == sum(each.numel() for each in seen.net.parameters())
    assert sum(box.macs for box in boxes(seen)) == sum(each.macs for each in seen.operations)
