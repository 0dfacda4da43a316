"""Recipes: every shipped one loads, and a wrong one is answered with file, field, value, what is
allowed, and the nearest name.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from bundled import RECIPES, bundled_into

from components import recipes
from components.core.errors import RecipeError

DEMO: dict[str, Any] = yaml.safe_load((Path(recipes.__file__).parent / "demo.yaml").read_text())


def load_changed(folder: Path, change: dict[str, Any], photos: str | None = None) -> recipes.Recipe:
    """Load recipe demo with some fields set; a key such as train.phases.0.crop_px names the place,
    None takes it away.
    """
    plain = yaml.safe_load(yaml.safe_dump(DEMO))
    for place, value in change.items():
        *way, last = place.split(".")
        inner: Any = plain
        for step in way:
            inner = inner[int(step)] if step.isdecimal() else inner[step]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    path = folder / "demo.yaml"
    path.write_text(yaml.safe_dump(plain))
    return recipes.load(str(path), photos=photos)


@pytest.mark.parametrize("name", RECIPES)
def test_every_shipped_recipe_loads_and_is_complete(name: str) -> None:
    recipe = recipes.load(name)
    assert recipe.name == name
    assert set(recipe.record().sections) == set(recipes.SECTIONS)


@pytest.mark.parametrize("name", RECIPES)
def test_a_resolved_recipe_is_a_recipe_again_with_the_same_digest(name: str, tmp_path: Path) -> None:
    recipe = recipes.load(name)
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe.plain()))
    assert recipes.load(str(path)).record().digest == recipe.record().digest


def test_what_a_recipe_is_about_is_no_part_of_its_digest(tmp_path: Path) -> None:
    assert (
        load_changed(tmp_path, {"about": "other words"}).record().digest
        == recipes.load("demo").record().digest
    )
    assert load_changed(tmp_path, {"train.seed": 77}).record().digest != recipes.load("demo").record().digest


def test_photos_given_by_hand_take_the_place_of_the_recipes_own() -> None:
    assert recipes.load("demo", photos="s3://bucket/photos").ingest.photos == "s3://bucket/photos"


def test_a_recipe_nobody_wrote_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        RecipeError, match=r'no recipe "deblurgn".*there are cyclegan, deblurgan, .*Did you mean "deblurgan"'
    ):
        recipes.load("deblurgn", root=bundled_into(tmp_path))


WRONG: list[tuple[str, object, str]] = [
    (
        "train.sead",
        1,
        r"demo\.yaml: train\.sead = 1 is not a setting; allowed here: seed, .*Did you mean \"seed\"",
    ),
    (
        "trian",
        {},
        (
            r"trian = \{\} is not a setting; allowed here: name, about, ingest, .*register.*Did you mean"
            r" \"train\""
        ),
    ),
    (
        "train.generator.widht",
        8,
        (
            r"train\.generator\.widht = 8 is not a setting; allowed here: .*kind, width, .*Did you mean"
            r" \"width\""
        ),
    ),
    (
        "train.generator.kind",
        "unett",
        (
            r"train\.generator\.kind = 'unett' is none of resnet, srresnet, unet, conv_unet.*Did you mean"
            r" \"unet\""
        ),
    ),
    (
        "train.generator",
        {"width": 8},
        r"train\.generator\.kind is missing; it says which of these it is: resnet, srresnet, unet, conv_unet",
    ),
    (
        "train.phases.0.crop_px",
        "wide",
        r"train\.phases\[0\]\.crop_px = 'wide': must be a valid integer.*side of the square crops",
    ),
    ("train.phases.0.batch", 0, r"train\.phases\[0\]\.batch = 0: must be greater than or equal to 1"),
    (
        "train.phases.0.crop_px",
        129,
        r"train: crop_px 129 of phase content must be a multiple of \d+, the generator's stride",
    ),
    ("train.precision", "fp16", r"train\.precision = 'fp16' must be 'fp32', 'tf32' or 'bf16'"),
    (
        "train.generator_optimizer.lr",
        float("nan"),
        r"train\.generator_optimizer\.lr = nan: must be a finite number",
    ),
    ("train.phases", None, r"train\.phases is missing"),
    ("ingest", None, r"ingest is missing"),
    ("register.name", "a/b", r"register\.name = 'a/b': .*pattern"),
    (
        "synthesize.blurs.0.canvas",
        8,
        r"synthesize\.blurs\[0\]\.canvas = 8 is not a setting; .*Did you mean \"canvas_px\"",
    ),
    (
        "synthesize.blurs.0.exposures",
        0.5,
        r"exposures = 0\.5 must be a list, such as \[0\.5\] \(it is: part of the trajectory",
    ),
    (
        "synthesize.camera.noise.shot",
        1e-4,
        r"shot = 0\.0001 must be a list, such as \[0\.0001, 0\.0001\] \(it is: range",
    ),
    (
        "synthesize.blurs",
        {"kind": "none"},
        r"synthesize\.blurs = \{'kind': 'none'\} must be a list, such as \[\{'kind': 'none'\}\]",
    ),
    (
        "synthesize.blurs",
        [],
        r"synthesize\.blurs = \[\]: must have at least 1 item, got 0 \(it is: kinds of blur",
    ),
    (
        "train.history",
        50,
        r"train\.history = 50 must be settings of its own, such as \{size: …\}; allowed there: size",
    ),
    (
        "train.adversarial",
        "hinge",
        (
            r"train\.adversarial = 'hinge' must be settings of its own, such as \{kind: cross_entropy\}; the"
            r" kinds are .*hinge"
        ),
    ),
    (
        "train.content",
        [{"kind": "l3"}],
        r"demo\.yaml: train\.content\[0\]\.kind = 'l3' is none of l1, [^;]*$",
    ),
    (
        "synthesize.downscale",
        {"scale": 2},
        (
            r"of scale 2 .* wiener_unet enlarges 1 times: leave synthesize\.downscale out, or choose a"
            r" generator of scale 2 \(srresnet"
        ),
    ),
    (
        "train.generator",
        {"kind": "srresnet"},
        r"of scale 1 .* srresnet enlarges 4 times: set synthesize\.downscale\.scale to 4, or",
    ),
    (
        "register.gate",
        {"primary": "psnr"},
        r'register: gate\.primary: no metric is called "psnr"; .*Did you mean "psnr_rgb"',
    ),
    (
        "register.gate",
        {"primary": "fid_inception"},
        r"register: gate\.primary: .*fid_inception is measured on whole sets",
    ),
    (
        "register.gate",
        {"primary": "psnr_y_crop4"},
        r"register\.gate\.primary is psnr_y_crop4, which is not measured: add it to evaluate\.metrics",
    ),
    (
        "register.gate",
        {"targets": {"psnr_y_crop4": 30}},
        r"register\.gate\.targets names psnr_y_crop4, which is not measured: add it to evaluate\.metrics",
    ),
    ("register.gate", {"targets": {"psnr": 30}}, r'register: gate\.targets: no metric is called "psnr"'),
    ("register.gate", {"margins": {"psnr": 0.1}}, r'register: gate\.margins: no metric is called "psnr"'),
    (
        "register.gate",
        {"class_margins": {"ssim_rgb": 0.1}},
        r'register: gate\.class_margins: no metric is called "ssim_rgb"',
    ),
    (
        "synthesize.max_side_px",
        50,
        (
            r"max_side_px is 50, so that no photo holds the 64 px crops of phase content: raise it to 64"
            r" or more"
        ),
    ),
    (
        "synthesize",
        {"translate": {"kind": "to_colour"}},
        r"swap_channels is 1, and synthesize\.translate to_colour teaches which colour",
    ),
    ("name", "other", r"name is 'other', the file is called 'demo'"),
    ("train.workers", -1, r"train\.workers = -1: must be greater than or equal to 0 \(it is: Ray workers"),
    ("train.workers", "two", r"train\.workers = 'two': must be a valid integer"),
    ("train.workers", {"least": 1}, r"train\.workers\.most is missing$"),
    (
        "train.workers",
        {"least": 0, "most": 2},
        r"train\.workers\.least = 0: must be greater than or equal to 1",
    ),
    ("train.workers", {"least": 2, "most": 1}, r"train\.workers: workers\.least \(2\) must not exceed"),
    ("train.phases.0.images", 10**30, r"images = 10+: must be less than or equal to 1000000000000"),
    ("train.phases.0.epochs", 1e308, r"epochs = 1e\+308: must be less than or equal to 1000000"),
]
# A place of each shape that true may stand in: a field, a list, settings of a kind, a name.
TRUE_FOR_NUMBER: list[tuple[str, object, str]] = [
    ("train.seed", True, "train.seed"),
    ("train.workers", True, "train.workers"),
    ("train.phases.0.images", True, "train.phases[0].images"),
    ("train.adversarial.weight", True, "train.adversarial.weight"),
    ("synthesize.blurs.0.exposures", [0.5, True], "synthesize.blurs[0].exposures[1]"),
    ("register.gate", {"margins": {"psnr_rgb": True}}, "register.gate.margins.psnr_rgb"),
]


@pytest.mark.parametrize(
    ("place", "value", "said"), WRONG, ids=[f"{place}={value}" for place, value, _ in WRONG]
)
def test_a_wrong_recipe_is_told_where_what_and_what_instead(
    place: str, value: object, said: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        load_changed(tmp_path, {place: value})
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize(("place", "value", "told"), TRUE_FOR_NUMBER)
def test_true_is_no_number(place: str, value: object, told: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=rf"demo\.yaml: {re.escape(told)} is true or false, and must be a"):
        load_changed(tmp_path, {place: value})
    assert load_changed(tmp_path, {"train.deterministic": True}).train.deterministic


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"name: caf\xe9\n", r"demo\.yaml is no text in UTF-8: byte 9 is 0xe9; save it as UTF-8"),
        ("name: demo\n".encode("utf-16"), "byte 0 is 0xff; save it as UTF-8"),
        (b"name: demo\ntrain:\n\tseed: 1\n", "a line is indented by spaces, never by tabs"),
        (b"# nothing yet\n", "must be a mapping with the keys name.*; it is empty"),
        (b"- demo\n", "; it is a list"),
    ],
)
def test_a_file_that_is_no_recipe_is_told_with_what_to_do(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_bytes(data)
    with pytest.raises(RecipeError, match=said):
        recipes.load(str(tmp_path / "demo.yaml"))


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text("name: demo\nabout: x\nname: other\n")
    with pytest.raises(RecipeError, match=r'the key "name" stands here twice.*line 3'):
        recipes.load(str(path))


@pytest.mark.parametrize("text", ["[1, 2", "just words", "", "- a\n- b\n"])
def test_what_is_no_mapping_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"demo\.yaml"):
        recipes.load(str(path))


def test_several_faults_are_told_at_once_and_the_rest_counted(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"; also .*; also .*; and 2 more"):
        load_changed(tmp_path, {f"train.{name}": 1 for name in "abcde"})


def test_what_follows_from_a_fault_is_not_told_beside_it(tmp_path: Path) -> None:
    """Blurs and camera left out have defaults that wait for a sound `translate`."""
    with pytest.raises(
        RecipeError, match=r"synthesize\.translate\.input = 'top' must be 'left' or 'right'\.$"
    ):
        load_changed(
            tmp_path,
            {
                "synthesize.blurs": None,
                "synthesize.camera": None,
                "synthesize.translate": {"kind": "side_by_side", "input": "top"},
            },
        )


def test_python_objects_in_yaml_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text("name: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(RecipeError, match="not YAML that can be read"):
        recipes.load(str(path))


PAIRS = {
    "ingest.photos": "there",
    "ingest.pairs": {"kind": "gopro", "variant": "blur"},
    "synthesize": {"workers": 0, "severity_bounds_px": [1, 4], "seed": 3},
}


def test_a_recipe_of_real_pairs_loads_and_its_resolved_form_is_a_recipe_again(tmp_path: Path) -> None:
    recipe = load_changed(tmp_path, PAIRS)
    assert recipe.ingest.pairs is not None
    assert recipe.ingest.pairs.kind == "gopro"
    again = tmp_path / "again" / "demo.yaml"
    again.parent.mkdir()
    again.write_text(yaml.safe_dump(recipe.plain()))
    assert recipes.load(str(again)).record().digest == recipe.record().digest


def test_photos_given_by_hand_are_the_place_of_real_pairs_too(tmp_path: Path) -> None:
    assert load_changed(tmp_path, PAIRS, photos="s3://bucket/gopro").ingest.photos == "s3://bucket/gopro"


@pytest.mark.parametrize(
    "asked",
    [
        {"blurs": [{"kind": "defocus"}]},
        {"camera": {"jpeg": None}},
        {"downscale": {"scale": 4}},
        {"translate": {"kind": "to_colour"}},
        {"pairs_per_photo": 3},
        {"pairs_per_eval_photo": 2},
        {"max_side_px": 480},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_blur_that_real_pairs_would_ignore_is_refused_when_the_recipe_is_read(
    tmp_path: Path, asked: dict[str, Any]
) -> None:
    change = {**PAIRS, "synthesize": asked}
    if "downscale" in asked:
        change |= {"train.generator": {"kind": "srresnet"}}
    with pytest.raises(
        RecipeError,
        match=(
            r"ingest\.pairs takes in blurred pictures as they are, so synthesize makes none: leave"
            rf" .*synthesize\.{next(iter(asked))}"
        ),
    ):
        load_changed(tmp_path, change)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (
            {"kind": "gopr", "variant": "blur"},
            r'ingest\.pairs\.kind = .gopr. is none of two_folders, gopro, realblur, .*Did you mean "gopro"',
        ),
        ({"kind": "gopro"}, r"ingest\.pairs\.variant is missing \(it is: which average"),
        ({"kind": "realblur", "subset": "K"}, r"ingest\.pairs\.subset = 'K' must be 'J' or 'R'"),
        (
            {"kind": "two_folders", "inputt": "x"},
            r'ingest\.pairs\.inputt = .x. is not a setting; .*Did you mean "input"',
        ),
        ({"kind": "frame_average", "response": "gamma"}, r"ingest\.pairs\.response = 'gamma' must be"),
    ],
)
def test_a_wrong_import_is_answered_with_what_is_allowed(
    tmp_path: Path, pairs: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        load_changed(tmp_path, {**PAIRS, "ingest.pairs": pairs})


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "link to itself", "pipe"])
def test_what_is_no_file_is_told_and_hides_no_other_recipe(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "components" / "recipes"
    folder.mkdir(parents=True)
    shutil.copyfile(Path(recipes.__file__).parent / "demo.yaml", folder / "demo.yaml")
    odd = folder / "odd.yaml"
    {
        "folder": odd.mkdir,
        "link to nothing": lambda: odd.symlink_to("nowhere"),
        "link to itself": lambda: odd.symlink_to("odd.yaml"),
        "pipe": lambda: os.mkfifo(odd),
    }[kind]()
    with pytest.raises(RecipeError, match=r"odd.yaml is a .*, and a recipe is a YAML file"):
        recipes.load("odd", root=tmp_path)
    found, refused = recipes.load_all(tmp_path)
    assert list(found) == ["demo"]
    assert list(refused) == (["odd"] if "link" in kind else [])
