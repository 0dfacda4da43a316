"""`refocus describe`: what it prints and writes, for every recipe; what it refuses."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from bundled import RECIPES, bundled_into
from small import of_class

from components import recipes
from components.console import commands
from components.core.baseline import words_for
from components.core.errors import InputError, RecipeError
from components.describe.drawing import svg
from components.describe.nets import describe_net, nets_of
from components.describe.training import further, overview, phase_words, terms, words
from components.train.content import LPIPS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_page_with_every_net(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run(["describe", name, "--out", str(tmp_path)]) == 0
    printed, page = capsys.readouterr().out, (tmp_path / "index.html").read_text()
    nets = nets_of(recipes.load(name, root=ROOT))
    assert len(nets) >= 1 + len(recipes.load(name, root=ROOT).train.discriminators)
    for net in nets:
        parameters = sum(each.numel() for each in net.build().parameters())
        assert f"{net.role}: {net.kind}" in printed
        assert re.search(rf"sum +{parameters:,} ", printed)
        assert f'<section id="{net.name}">' in page
        ElementTree.parse(tmp_path / f"{net.name}.svg")
    assert {path.name for path in tmp_path.iterdir()} == {
        "index.html",
        "training.svg",
        *(f"{net.name}.svg" for net in nets),
    }
    assert page.count("<svg ") == len(nets) + 1
    assert printed.endswith(f"page with diagrams: {tmp_path / 'index.html'}\n")


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    commands.run(["describe", "demo", "--out", str(tmp_path)])
    page = (tmp_path / "index.html").read_text()
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', page) == []
    assert "<script" not in page
    assert "@import" not in page


def test_without_out_the_page_lies_in_the_state_folder() -> None:
    commands.run(["describe", "demo"])
    assert (Path(os.environ["REFOCUS_HOME"]) / "describe" / "demo" / "index.html").is_file()


def test_another_crop_changes_the_shapes_and_no_parameter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.run(["describe", "demo", "--out", str(tmp_path)])
    usual = capsys.readouterr().out
    commands.run(["describe", "demo", "--out", str(tmp_path), "--crop", "128"])
    large = capsys.readouterr().out
    assert "generator: wiener_unet: 3×64×64 → 3×64×64, 1,365,817 parameters" in usual
    assert "generator: wiener_unet: 3×128×128 → 3×128×128, 1,365,817 parameters" in large
    assert "for one photo of 128×128 px" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("recipe", "crop", "said"),
    [
        ("demo", "100", "--crop 100 must be a multiple of 32"),
        ("demo", "0", "--crop 0 must be a multiple of 32"),
        ("old_photo", "16", "--crop 16 is too small for patchgan: it needs"),
        ("deblurgan_seed", "128", "--crop 128 must be 256: the dense head of patch_dense"),
    ],
)
def test_a_crop_that_no_net_could_take_is_refused(recipe: str, crop: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        commands.run(["describe", recipe, "--out", str(tmp_path / "out"), "--crop", crop])
    assert not (tmp_path / "out").exists()


def test_a_wrong_recipe_is_answered_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundled_into(tmp_path))
    with pytest.raises(RecipeError, match='Did you mean "demo"'):
        commands.run(["describe", "dmeo"])


def test_nets_are_built_with_the_seed_and_place_they_are_trained_with() -> None:
    recipe = recipes.load("demo", root=ROOT)
    net = next(net for net in nets_of(recipe) if net.name == "discriminator_0")
    trained = recipe.train.discriminators[0].build(recipe.train.seed, 0)
    assert all(
        torch.equal(mine, theirs)
        for mine, theirs in zip(net.build().parameters(), trained.parameters(), strict=True)
    )


def test_a_term_has_the_weight_it_is_added_with() -> None:
    recipe = recipes.load("demo", root=ROOT)
    discriminators = tuple(
        recipe.train.discriminators[0].model_copy(update={"weight": weight}) for weight in (0.6, 0.4)
    )
    train = recipe.train.model_copy(update={"discriminators": discriminators})
    assert train.adversarial is not None
    assert [(term.name, term.weight) for term in terms(train)] == [
        ("least_squares", 0.001 * 0.6),
        ("least_squares", 0.001 * 0.4),
        ("l1", 1.0),
    ]


def test_the_nets_that_lpips_looks_through_are_described_with_what_they_see() -> None:
    recipe = recipes.load("demo", root=ROOT)
    content = (LPIPS(backbone="alexnet"), LPIPS(backbone="vgg16"))
    recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"content": content})})
    found = [describe_net(net) for net in nets_of(recipe) if net.role == "features"]
    assert [each.title for each in found] == ["features: alexnet", "features: vgg16"]
    # torchvision's convolutions; the receptive fields are those of the published layers.
    assert [each.table.frozen for each in found] == [2_469_696, 14_714_688]
    assert [each.field.px for each in found if each.field is not None] == [163, 196]
    assert [term.discriminator for term in terms(recipe.train)][-2:] == [
        "five layers of alexnet, frozen",
        "five layers of vgg16, frozen",
    ]


def test_the_training_picture_shows_who_sees_what() -> None:
    """Demo: a conditional discriminator and L1: two see restored and sharp, one sees the input."""
    train = recipes.load("demo", root=ROOT).train
    text = svg(overview(train, "unet"))
    assert len(of_class(text, "path", "true")) == 2
    assert len(of_class(text, "path", "input")) == 1
    assert {each.text for each in of_class(text, "text", "channels")} == {"× 0.001", "× 1"}


def test_the_training_picture_calls_photos_what_the_task_calls_them() -> None:
    train = recipes.load("pix2pix", root=ROOT).train
    boxes = {
        each.text
        for each in of_class(
            svg(overview(train, "conv unet", words_for("translation", "input"))), "text", "first"
        )
    }
    assert {"input", "translated", "target"} <= boxes
    assert not {"restored", "sharp"} & boxes


def test_settings_are_said_in_words_and_defaults_are_left_out() -> None:
    train = recipes.load("demo", root=ROOT).train
    assert words(train.generator_optimizer).startswith("lr 0.001, beta1 0.9, beta2 0.999")
    assert phase_words(train.phases[0]) == (
        "images 33,000, crops of 64 px, batch 8, generator alone; rate cosine (floor 0.01) after a warm-up of"
        " 800 images"
    )
    told = {name: value for name, value, _ in further(train)}
    assert told["ema"] == "0.995"
    assert "discriminator updates" not in told


def test_a_phase_that_is_worked_through_in_parts_says_so() -> None:
    phase = recipes.load("demo", root=ROOT).train.phases[1].model_copy(update={"accumulate": 2})
    assert "batch 8 in 2 parts, generator and discriminators" in phase_words(phase)


def test_a_term_names_its_phases_when_they_are_not_all() -> None:
    train = recipes.load("demo", root=ROOT).train
    assert [(term.name, term.phases) for term in terms(train)] == [("least_squares", ("joint",)), ("l1", ())]
