"""Recipes are YAML 1.2: what DVC reads is what we read, and what YAML 1.1 reads differently is
refused.
"""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
from bundled import RECIPES
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from components import recipes
from components.core.errors import InputError, RecipeError
from components.recipes import yaml_rules

SHIPPED = Path(recipes.__file__).parent
WORDS = (
    "no yes on off y n No NO true True TRUE 0720 08 1:30 190:20:30 1_000 0o17 0b11 0x1F 1e4 1E-4 1.5e3 1. .5"
    " +.5 -0 +12 2024-01-01 2024-13-45 ~ null Null .inf .nan .NaN = 1__0 0.1_5 1:30.5 0x_1 +0x1F .5e3 1_e1"
)


def read(folder: Path, text: str) -> object:
    path = folder / "some.yaml"
    path.write_text(text)
    return yaml_rules.read(path)


def agrees_or_is_refused(folder: Path, value: str) -> bool:
    """Whether a plain value was read; then it is what DVC's reader makes of it."""
    text = f"a: {value}\nb:\n  - {value}\n"
    try:
        ours = read(folder, text)
    except RecipeError:
        return False
    assert repr(ours) == repr(YAML(typ="safe").load(text)), value
    return True


def test_every_shipped_recipe_is_read_as_dvc_reads_it() -> None:
    for name in RECIPES:
        path = SHIPPED / f"{name}.yaml"
        assert yaml_rules.read(path) == YAML(typ="safe").load(path.read_text())


def test_short_plain_values_are_read_as_dvc_reads_them_or_refused(tmp_path: Path) -> None:
    signs = ("".join(some) for length in (1, 2, 3) for some in itertools.product("0+-.1e_o:", repeat=length))
    read_ones = [value for value in (*WORDS.split(), *signs) if agrees_or_is_refused(tmp_path, value)]
    assert {"true", "1e4", "1.", "-0", "~", "y", ".inf"} <= {*read_ones}


@given(value=st.from_regex(r"[-+]?[0-9xob._eE:]{1,9}", fullmatch=True))
def test_what_looks_like_a_number_is_one_to_both_or_refused(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    agrees_or_is_refused(tmp_path_factory.getbasetemp(), value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no", r'seed: no is false by YAML 1\.1 and the text "no" by YAML 1\.2.*write false or "no"'),
        ("0720", r"seed: 0720 is 464 by YAML 1\.1 and 720 by YAML 1\.2.*write 464 or 720"),
        ("1:30", r'seed: 1:30 is 90 by YAML 1\.1 and the text "1:30" by .*write 90 or "1:30"'),
        ("1_000", r'seed: 1_000 is 1000 by YAML 1\.1 and the text "1_000"'),
        ("0o17", r'seed: 0o17 is the text "0o17" by YAML 1\.1 and 15 by YAML 1\.2'),
        ("2024-05-01", r'seed: 2024-05-01 is a date by YAML 1\.1 and .*write "2024-05-01"'),
        ("!!int 0720", "the tag tag:yaml.org,2002:int is not read here"),
    ],
)
def test_a_value_that_is_two_things_is_refused_with_both(tmp_path: Path, value: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        read(tmp_path, f"train:\n  seed: {value}\n")


def test_what_is_quoted_is_text_and_a_key_is_a_name(tmp_path: Path) -> None:
    text = "on: {no: 'no', 0720: \"0720\"}\n"
    assert read(tmp_path, text) == {"on": {"no": "no", "0720": "0720"}}


def test_a_file_that_asks_for_yaml_1_1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"asks for YAML 1\.1"):
        read(tmp_path, "%YAML 1.1\n---\nseed: 1\n")
    assert read(tmp_path, "%YAML 1.2\n---\nseed: 1\n") == {"seed": 1}


@pytest.mark.parametrize(("written", "read_as"), [("1e3", 1000), ("1.5e3", 1500), ("2000.0", 2000)])
def test_a_whole_number_may_be_written_with_an_exponent(tmp_path: Path, written: str, read_as: int) -> None:
    text = (SHIPPED / "demo.yaml").read_text()
    first = recipes.load("demo").train.phases[0].images
    (tmp_path / "demo.yaml").write_text(text.replace(f"images: {first},", f"images: {written},", 1))
    assert recipes.load(str(tmp_path / "demo.yaml")).train.phases[0].images == read_as


@pytest.mark.parametrize(
    ("written", "said"),
    [("1e-3", "valid integer, got a number with a fractional part"), ('"1e3"', "without quotes")],
)
def test_what_is_no_whole_number_is_told_why(tmp_path: Path, written: str, said: str) -> None:
    text = (SHIPPED / "demo.yaml").read_text()
    first = recipes.load("demo").train.phases[0].images
    (tmp_path / "demo.yaml").write_text(text.replace(f"images: {first},", f"images: {written},", 1))
    with pytest.raises(RecipeError, match=f"images = .*{said}"):
        recipes.load(str(tmp_path / "demo.yaml"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Recipes beside what colleagues and macOS leave there."""
    folder = tmp_path / "components" / "recipes"
    folder.mkdir(parents=True)
    for name in ("demo", "deblurgan"):
        shutil.copy(SHIPPED / f"{name}.yaml", folder)
    (folder / "._demo.yaml").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        \xb0")
    (folder / "half.yaml").write_text("name: half\nabout: not yet\ntrain: {seed: ")
    (folder / "latin.yaml").write_bytes(b"name: latin\nabout: caf\xe9\n")
    (folder / "gone.yaml").symlink_to(tmp_path / "nowhere.yaml")
    return tmp_path


def test_what_macos_leaves_is_no_recipe(checkout: Path) -> None:
    assert recipes.names(checkout) == ("deblurgan", "demo", "gone", "half", "latin")


def test_a_half_edited_recipe_stops_no_other(checkout: Path) -> None:
    from components.console.registry_commands import recipes_of
    from components.core.errors import InputError

    found, refused = recipes.load_all(checkout)
    assert ({*found}, {*refused}) == ({"demo", "deblurgan"}, {"half", "latin", "gone"})
    assert recipes_of(found["demo"].register_.name, checkout)[0].name == "demo"
    with pytest.raises(InputError, match=r"there are deblurgan, .*half cannot be read: .*not YAML"):
        recipes_of("half", checkout)


def test_the_list_of_recipes_shows_those_that_cannot_be_read(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from components.console import commands

    (checkout / "dvc.yaml").touch()
    monkeypatch.chdir(checkout)
    assert commands.run(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["deblurgan", "demo", "gone", "half", "latin"]
    assert sum("cannot be read: " in line for line in lines) == 3


def test_of_recipes_that_share_a_models_name_the_version_says_which(tmp_path: Path) -> None:
    from components.console.registry_commands import recipes_of, the_one

    folder = tmp_path / "components" / "recipes"
    folder.mkdir(parents=True)
    text = (Path(recipes.__file__).parent / "demo.yaml").read_text()
    for name in ("first", "second"):
        (folder / f"{name}.yaml").write_text(text.replace("name: demo", f"name: {name}", 1))
    sharing = recipes_of("demo", tmp_path)
    assert [the_one(sharing, name).name for name in ("first", "second")] == ["first", "second"]
    for made_by in (None, "a third"):
        with pytest.raises(InputError, match="first and second both register their models as demo"):
            the_one(sharing, made_by)
