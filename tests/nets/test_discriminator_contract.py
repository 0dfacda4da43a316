"""One contract over every kind of discriminator, small: sizes, gradients, seeds, saving, spectral
normalisation.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load, save
from small_discriminators import ADAPTER, logits_of, name_of, on_paper, part_of, photo_of
from torch import Tensor, nn

from components.core.errors import InputError
from components.nets.discriminators import Discriminator, PatchGAN
from components.nets.modules.discriminator_view import discriminator_view

SMALL: list[dict[str, Any]] = [
    {"kind": "patchgan", "layers": 2, "width": 4},
    {"kind": "patchgan", "layers": 2, "width": 4, "norm": "none", "shrink": 2, "conditional": True},
    {"kind": "patchgan", "layers": 3, "width": 4, "norm": "batch", "bias": "ends", "spectral_norm": True},
    {"kind": "patchgan", "layers": 2, "width": 4, "norm": "batch", "penultimate": False, "padding": "keras"},
    {"kind": "temporal_patchgan", "layers": 2, "width": 4},
    {"kind": "temporal_patchgan", "layers": 1, "width": 4, "norm": "none", "shrink": 2},
    {"kind": "temporal_patchgan", "layers": 1, "width": 4, "neighbours": "restored"},
    {"kind": "pixel", "width": 4},
    {"kind": "pixel", "width": 4, "norm": "none", "conditional": True},
    {"kind": "patch_dense", "layers": 2, "width": 4, "dense": 8, "crop_px": 32},
    {
        "kind": "patch_dense",
        "layers": 2,
        "width": 4,
        "dense": 8,
        "crop_px": 64,
        "shrink": 2,
        "spectral_norm": True,
        "sigmoid": False,
    },
    {"kind": "unet", "width": 4},
    {
        "kind": "unet",
        "width": 4,
        "spectral_norm": False,
        "norm": "instance",
        "shrink": 2,
        "conditional": True,
    },
    {"kind": "srgan", "width": 4, "dense": 8, "crop_px": 32},
    {
        "kind": "srgan",
        "width": 4,
        "head": "map",
        "norm_first": False,
        "bias": "all",
        "padding": "keras",
        "conditional": True,
    },
]


def test_every_kind_is_under_the_contract() -> None:
    kinds = {kind.model_fields["kind"].default for kind in get_args(get_args(Discriminator)[0])}
    assert {config["kind"] for config in SMALL} == kinds


@pytest.mark.parametrize("config", SMALL, ids=name_of)
def test_a_discriminator_survives_its_json(config: dict[str, Any]) -> None:
    part = part_of(config)
    assert ADAPTER.validate_json(ADAPTER.dump_json(part)) == part


@pytest.mark.parametrize("config", SMALL, ids=name_of)
def test_the_smallest_photo_is_taken_and_one_px_less_is_refused_or_all_the_same(
    config: dict[str, Any],
) -> None:
    part = part_of(config)
    net = part.build(seed=0)
    photo = photo_of(part.smallest_px)
    assert not torch.equal(
        net(discriminator_view(part, photo, photo)), net(discriminator_view(part, -photo, photo))
    )
    if part.smallest_px > part.shrink:
        photo = photo_of(part.smallest_px - 1)
        try:
            logits = [net(discriminator_view(part, one, photo)) for one in (photo, -photo)]
        except (ValueError, RuntimeError):
            return
        # Batch normalisation of a single value a channel leaves nothing of the photo.
        assert torch.equal(*logits)


@pytest.mark.parametrize("config", SMALL, ids=name_of)
def test_a_fixed_size_is_the_only_one_and_any_size_is_any(config: dict[str, Any]) -> None:
    part = part_of(config)
    net = part.build(seed=0)
    larger = part.smallest_px + 13 * part.shrink
    if part.fixed_px is None:
        assert torch.isfinite(logits_of(part, net, larger)).all()
    else:
        assert part.fixed_px == part.smallest_px
        assert part.receptive_field_px is None
        with pytest.raises(InputError, match="dense head"):
            logits_of(part, net, larger)


@pytest.mark.parametrize("config", SMALL, ids=name_of)
def test_one_logit_map_a_photo(config: dict[str, Any]) -> None:
    part = part_of(config)
    logits = logits_of(part, part.build(seed=0), part.fixed_px or 64, batch=3)
    assert logits.shape[:2] == (3, 1)
    assert logits.ndim == 4


@pytest.mark.parametrize("config", SMALL, ids=name_of)
def test_the_photos_gradient_and_every_weights_are_reached(config: dict[str, Any]) -> None:
    part = part_of(config)
    net = part.build(seed=0)
    photo = photo_of(part.fixed_px or 64, batch=2).requires_grad_()
    net(discriminator_view(part, photo, torch.zeros_like(photo))).square().mean().backward()
    assert photo.grad is not None
    assert photo.grad.abs().max() > 0
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in net.parameters())
    # A bias before a norm moves nothing; every weight does.
    assert all(weight.grad.abs().max() > 0 for name, weight in net.named_parameters() if weight.ndim > 1)


@pytest.mark.parametrize("config", SMALL, ids=name_of)
def test_the_same_seed_and_place_give_the_same_net_and_others_do_not(config: dict[str, Any]) -> None:
    part = part_of(config)
    torch.manual_seed(1)
    first = part.build(seed=3, index=1).state_dict()
    torch.manual_seed(2)
    again = part.build(seed=3, index=1).state_dict()
    assert list(first) == list(again)
    assert all(torch.equal(first[name], again[name]) for name in first)
    for other in (part.build(seed=4, index=1), part.build(seed=3, index=0)):
        changed = other.state_dict()
        drawn = [name for name in first if first[name].ndim > 1]
        assert drawn
        assert not any(torch.equal(first[name], changed[name]) for name in drawn)


@pytest.mark.parametrize("config", SMALL, ids=name_of)
def test_weights_survive_a_save_and_load_bit_for_bit(config: dict[str, Any]) -> None:
    part = part_of(config)
    net, other = part.build(seed=0), part.build(seed=1)
    for _ in range(2):
        logits_of(part, net, part.fixed_px or 64, batch=2)  # moves running means and singular vectors
    other.load_state_dict(load(save(net.state_dict())))
    kept, loaded = net.state_dict(), other.state_dict()
    assert all(torch.equal(kept[name], loaded[name]) for name in kept)
    assert torch.equal(
        logits_of(part, net.eval(), part.fixed_px or 64), logits_of(part, other.eval(), part.fixed_px or 64)
    )


@pytest.mark.parametrize(
    "config",
    [config | {"spectral_norm": True} for config in SMALL if "spectral_norm" not in config],
    ids=name_of,
)
def test_spectral_norm_brings_every_weights_largest_singular_value_to_one(config: dict[str, Any]) -> None:
    part = part_of(config)
    net = part.build(seed=0)
    for _ in range(30):
        logits_of(part, net, part.fixed_px or 48, batch=2)
    found = [
        torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
        for layer in net.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    assert len(found) == len(
        [
            layer
            for layer in part.model_copy(update={"spectral_norm": False}).build(0).modules()
            if isinstance(layer, nn.Conv2d | nn.Linear)
        ]
    )
    assert found == pytest.approx([1.0] * len(found), abs=0.02)


def test_without_spectral_norm_a_doubled_weight_doubles_the_logits_and_with_it_nothing_changes() -> None:
    photo = photo_of(32)

    def logits(spectral: bool, times: float) -> Tensor:
        net = PatchGAN(layers=1, width=4, norm="none", spectral_norm=spectral).build(seed=0)
        with torch.no_grad():
            for name, weight in net.named_parameters():
                if weight.ndim > 1:
                    weight.mul_(times if name.startswith("4.") else 1.0)
            found: Tensor = net.eval()(photo)
        return found

    torch.testing.assert_close(logits(False, 2.0), 2 * logits(False, 1.0))
    torch.testing.assert_close(logits(True, 2.0), logits(True, 1.0))


def test_spectral_norm_draws_its_start_from_the_seed_and_leaves_the_global_source_alone() -> None:
    part = PatchGAN(layers=1, width=4, spectral_norm=True)
    plain = part.model_copy(update={"spectral_norm": False})
    after = []
    for one in (plain, part):
        torch.manual_seed(7)
        one.build(seed=0)
        after.append(torch.rand(1))
    assert torch.equal(*after)


@pytest.mark.parametrize("config", SMALL, ids=name_of)
def test_a_gradient_penalty_reaches_every_weight(config: dict[str, Any]) -> None:
    part = part_of(config)
    net = part.build(seed=0)
    photo = photo_of(part.fixed_px or 64, batch=2).requires_grad_()
    (slope,) = torch.autograd.grad(
        net(discriminator_view(part, photo, photo.detach())).sum(), photo, create_graph=True
    )
    slope.square().sum().backward()
    assert all(
        weight.grad is not None and weight.grad.abs().max() > 0
        for weight in net.parameters()
        if weight.ndim > 1
    )


@pytest.mark.parametrize("config", SMALL, ids=name_of)
def test_half_precision_gives_nearly_the_same(config: dict[str, Any]) -> None:
    part = part_of(config)
    nets = [part.build(seed=0) for _ in range(2)]
    with torch.no_grad():
        exact = logits_of(part, nets[0], part.fixed_px or 64, batch=2)
        with torch.autocast("cpu", torch.bfloat16):
            rough = logits_of(part, nets[1], part.fixed_px or 64, batch=2)
    # bfloat16 keeps 8 bits: a few hundredths of the logits' spread after a handful of layers.
    assert (rough.float() - exact).abs().max() < 0.05 * exact.abs().max() + 1e-3


@pytest.mark.parametrize("field", ["padding", "bias", "first", "head", "kernel"])
def test_unknown_words_and_fields_are_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        part_of({"kind": "srgan", field: "nothing"})


def test_the_unet_discriminator_has_the_published_weights_and_a_logit_a_px() -> None:
    # Real-ESRGAN's UNetDiscriminatorSN with 64 features.
    part = part_of({"kind": "unet", "spectral_norm": False})
    assert sum(weight.numel() for weight in on_paper(part).parameters()) == 4_376_897
    small = part_of({"kind": "unet", "width": 4})
    assert logits_of(small, small.build(seed=0), 30, batch=2).shape == (2, 1, 30, 30)
