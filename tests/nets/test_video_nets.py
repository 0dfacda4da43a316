"""What the generators of video do that the others do not: windows, time, flow, and its own loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from components.core.errors import InputError
from components.nets.generators import Generator, Video3D, VideoFlow
from components.nets.modules.flow import FlowNet, warped
from components.nets.modules.heads import middle_frame
from components.nets.restore import Restorer
from components.train.content import Photometric

PARTS: dict[str, Video3D | VideoFlow] = {
    "video_3d": Video3D(width=4, depth=1),
    "video_flow": VideoFlow(width=4, depth=1, flow_width=4, flow_levels=2, flow_shrink=2),
}
EACH = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def awake(part: Video3D | VideoFlow) -> nn.Module:
    """A net whose last layers are not zero, so that it does something."""
    net = part.build(seed=1)
    source = torch.Generator().manual_seed(2)
    for weight in net.parameters():
        if not bool(weight.any()):
            nn.init.normal_(weight, std=0.02, generator=source)
    return net.eval()


def smooth(height: int, width: int, channels: int = 3, seed: int = 0) -> Tensor:
    """(1, channels, height, width) in [-1, 1] with something to be seen everywhere."""
    coarse = numbers(1, channels, height // 8, width // 8, seed=seed)
    return F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False).clamp(-1, 1)


@EACH
def test_untrained_the_middle_frame_comes_back_as_it_is(part: Video3D | VideoFlow) -> None:
    window = numbers(2, 15, 32, 48)
    assert torch.equal(part.build(seed=0)(window), window[:, 6:9])
    assert torch.equal(middle_frame(window), window[:, 6:9])


@EACH
def test_every_frame_of_the_window_counts(part: Video3D | VideoFlow) -> None:
    net, window = awake(part), numbers(1, 15, 32, 48).requires_grad_()
    net(window)[0, :, 12:20, 20:28].sum().backward()
    assert window.grad is not None
    assert all(bool(frame.any()) for frame in window.grad[0].split(3))


@EACH
def test_a_clip_moved_by_whole_px_gives_the_moved_result(part: Video3D | VideoFlow) -> None:
    # Away from the borders, and by a multiple of the net's grid.
    net, step = awake(part), part.stride
    scene = torch.cat([smooth(96, 128, seed=frame) for frame in range(5)], dim=1)
    with torch.no_grad():
        one, other = net(scene[..., : 128 - step]), net(scene[..., step:])
    inside = slice(32, -32)
    torch.testing.assert_close(
        one[..., inside, step:][..., inside], other[..., inside, :-step][..., inside], atol=1e-4, rtol=0
    )


@EACH
def test_a_photo_is_a_clip_in_which_nothing_moves(part: Video3D | VideoFlow) -> None:
    restorer = Restorer(awake(part), part, device="cpu")
    photo = np.random.default_rng(0).random((40, 56, 3), dtype=np.float32)
    still = restorer.restore(np.concatenate([photo] * 5, axis=2))
    assert np.array_equal(restorer.restore(photo), still)
    pixels = (photo * 255).astype(np.uint8)
    assert restorer.restore_pixels(pixels).shape == pixels.shape


@EACH
def test_a_large_window_goes_through_in_tiles(part: Video3D | VideoFlow) -> None:
    net = awake(part)
    window = smooth(300, 280, channels=15)[0].permute(1, 2, 0).numpy() / 2 + 0.5
    whole, tiled = (Restorer(net, part, device="cpu", tile_px=px).restore(window) for px in (1024, 256))
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


@EACH
@pytest.mark.parametrize("channels", [1, 4, 6, 9, 18])
def test_a_window_of_another_length_is_refused(part: Video3D | VideoFlow, channels: int) -> None:
    restorer = Restorer(part.build(0), part, device="cpu")
    with pytest.raises(InputError, match=r"or \(height, width, 15\) for 5 frames, got shape \(8, 8"):
        restorer.restore(np.zeros((8, 8, channels), np.float32))


@pytest.mark.parametrize("kind", ["video_3d", "video_flow"])
def test_an_even_window_is_refused_at_birth(kind: str) -> None:
    adapter: TypeAdapter[Generator] = TypeAdapter(Generator)
    with pytest.raises(
        ValidationError, match="frames is 4: an even number has no frame in the middle; take 3 or 5"
    ):
        adapter.validate_python({"kind": kind, "frames": 4})


def test_warping_by_whole_px_fetches_what_lies_there() -> None:
    frame = numbers(1, 2, 12, 16)
    flow = torch.zeros(1, 2, 12, 16)
    flow[:, 0], flow[:, 1] = 3.0, -2.0
    moved = warped(frame, flow)
    torch.testing.assert_close(moved[..., 2:, :-3], frame[..., :-2, 3:], atol=1e-5, rtol=0)
    torch.testing.assert_close(warped(frame, torch.zeros_like(flow)), frame, atol=1e-6, rtol=0)


def test_the_flow_net_learns_a_known_shift_by_the_photometric_loss_alone() -> None:
    part = VideoFlow(width=4, depth=1, frames=3, flow_width=8, flow_levels=3, flow_shrink=1)
    net = part.build(seed=0)
    loss = Photometric(smoothness=0.1).build_for_step(torch.device("cpu"), None)
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    torch.manual_seed(0)
    for number in range(60):
        scene = smooth(64, 80, seed=number)
        window = torch.cat([scene[..., 8:72], scene[..., 5:69], scene[..., 2:66]], dim=1)
        value = loss(net, window, window[:, 3:6], window[:, 3:6])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    scene = smooth(64, 80, seed=1000)
    window = torch.cat([scene[..., 8:72], scene[..., 5:69], scene[..., 2:66]], dim=1)
    with torch.no_grad():
        flow = net.body.aligned(window).flow[0, :, :, 12:-12, 12:-12].mean((2, 3))
    # What lies at x in the middle frame lies 3 px to the left in the one before it, and to the right behind.
    torch.testing.assert_close(flow, torch.tensor([[-3.0, 0.0], [3.0, 0.0]]), atol=0.5, rtol=0)


def test_behind_a_head_of_zeros_the_photometric_loss_alone_reaches_the_flow() -> None:
    window = smooth(64, 64, channels=15)
    for with_loss in (False, True):
        net = PARTS["video_flow"].build(seed=0)
        total = (net(window) - 1).abs().mean()
        if with_loss:
            photometric = Photometric().build_for_step(torch.device("cpu"), None)
            total = total + photometric(net, window, window[:, 6:9], window[:, 6:9])
        total.backward()
        reached = [
            name
            for name, weight in net.body.flow.named_parameters()
            if weight.grad is not None and weight.grad.any()
        ]
        assert bool(reached) is with_loss


def test_the_photometric_loss_is_nothing_for_a_clip_in_which_nothing_moves() -> None:
    window = smooth(32, 32).repeat(1, 5, 1, 1)
    value = Photometric().build_for_step(torch.device("cpu"), None)(
        PARTS["video_flow"].build(0), window, window, window
    )
    assert float(value.detach()) == pytest.approx(0.0, abs=1e-4)


def test_the_flow_has_sizes_that_its_stride_speaks_of() -> None:
    net = FlowNet(width=4, levels=3, shrink=4)
    assert [tuple(size.shape[2:]) for size in net.pyramid(numbers(1, 3, 32, 48))] == [(8, 12), (4, 6), (2, 3)]
    assert VideoFlow(depth=1, fold=1, flow_levels=3, flow_shrink=4).stride == 16
