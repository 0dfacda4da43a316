from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chain import GIT, Chain, make_chain
from pydantic import JsonValue, ValidationError

from components.core.errors import InputError, LineageError, StageError
from components.core.records import Checkpoint, ModelVersion, PairSet
from components.register import export
from components.register.card import write_card
from components.register.config import RegisterConfig
from components.register.run import check_chain, run
from components.services import tracking


def registered(name: str, chain: Chain, out: Path, *, load_test: bool = False) -> ModelVersion:
    """Run the stage."""
    config = RegisterConfig(name=name, load_test=load_test)
    return run(
        config,
        chain.recipe,
        chain.photoset,
        chain.pairset,
        chain.checkpoint,
        chain.report,
        chain.provenance,
        out=out,
    )


@pytest.mark.parametrize("name", ["a/b", "a:b", "", "-a", "a b", "x" * 101])
def test_a_name_the_registry_cannot_hold_is_refused_in_the_recipe(name: str) -> None:
    with pytest.raises(ValidationError):
        RegisterConfig(name=name)


def test_a_chain_that_closes_is_accepted(chain: Chain) -> None:
    check_chain(chain.recipe, chain.photoset, chain.pairset, chain.checkpoint, chain.report)


@pytest.mark.parametrize(
    ("record", "field", "words"),
    [
        ("pairset", "photoset", "photos named by the pairs"),
        ("pairset", "config_digest", "synthesize section"),
        ("checkpoint", "pairset", "pairs named by the checkpoint"),
        ("checkpoint", "config_digest", "train section"),
        ("report", "checkpoint", "checkpoint named by the report"),
        ("report", "pairset", "pairs named by the report"),
    ],
)
def test_a_chain_that_does_not_close_is_refused_naming_both_ends(
    chain: Chain, record: str, field: str, words: str
) -> None:
    broken = getattr(chain, record).model_copy(update={field: "f" * 64})
    records: dict[str, Any] = {
        name: getattr(chain, name) for name in ("photoset", "pairset", "checkpoint", "report")
    } | {record: broken}
    with pytest.raises(LineageError, match=words) as caught:
        check_chain(chain.recipe, **records)
    assert "ffffffffffff" in str(caught.value)
    assert "again" in str(caught.value)


def test_the_number_of_workers_is_no_part_of_the_chain(chain: Chain) -> None:
    sections = {**chain.recipe.sections, "synthesize": {"seed": 0, "workers": 16}}
    check_chain(
        chain.recipe.model_copy(update={"sections": sections}),
        chain.photoset,
        chain.pairset,
        chain.checkpoint,
        chain.report,
    )


def test_the_card_tells_data_licences_figures_limits_and_identity(chain: Chain) -> None:
    card = write_card(
        "tiny", chain.recipe, chain.photoset, chain.pairset, chain.checkpoint, chain.report, chain.provenance
    )
    for words in (
        "| `psnr_rgb` | 24.0000 | 25.0000 |",
        "`lpips_alex` | not measured: its weights are not here",
        "10 photos (2 train, 0 val, 8 test), 10 pairs",
        "| 9 | made from numbers | CC0 |",
        "| 1 | not stated | not stated |",
        "Some photos state no licence",
        "up to 2.0 px RMS radius",
        "Restores sharp photos from blurred ones",
        "blurred (doing nothing)",
        "Means over 8 test pairs (blur: 8 mild) of 8 groups",
        "models:/tiny@champion",
        "takes its place with a probability of 5 % at most in 1,000 comparisons",
        "8 groups of photos (scenes, clips, near duplicates) are what they rest on",
        chain.checkpoint.weights_sha256,
        GIT,
        "DVC photos",
        "workers: 2",
    ):
        assert words in card


def test_the_card_counts_photos_that_came_out_worse(chain: Chain, tmp_path: Path) -> None:
    worse = make_chain(tmp_path, gain=-1.0)
    assert "8 of 8 test pairs came out worse than left alone" in write_card(
        "tiny", worse.recipe, worse.photoset, worse.pairset, worse.checkpoint, worse.report, worse.provenance
    )


def test_the_card_says_when_nothing_can_be_proved_and_which_pairs_do_not_count(
    chain: Chain, tmp_path: Path
) -> None:
    few = [row.model_copy(update={"group": "one scene"}) for row in chain.report.scores()]
    few[0] = few[0].model_copy(update={"left_out": "blank: nothing in it"})
    table = chain.report.write_table(tmp_path, tuple(few))
    report = chain.report.model_copy(update={"table_sha256": table, "measured_on": "CPU, IEEE float32"})
    card = write_card(
        "tiny",
        chain.recipe,
        chain.photoset,
        chain.pairset,
        chain.checkpoint,
        report.save(tmp_path),
        chain.provenance,
    )
    assert "With 1 group no champion is ever replaced by itself, as 8 are needed" in card
    assert (
        "Means over 7 test pairs (blur: 8 mild) of 1 group (1 more show nothing that could be judged)" in card
    )
    assert "on CPU, IEEE float32" in card


def test_the_card_of_real_pairs_names_the_set_and_its_variant(chain: Chain, tmp_path: Path) -> None:
    told: dict[str, JsonValue] = {"layout": "gopro", "variant": "blur_gamma"}
    rows = tuple(
        pair.model_copy(update={"blur_kind": "imported", "drawn": told}) for pair in chain.pairset.pairs()
    )
    pairset = chain.pairset.model_copy(update={"table_sha256": PairSet.write_table(tmp_path, rows)}).save(
        tmp_path
    )
    card = write_card(
        "tiny", chain.recipe, chain.photoset, pairset, chain.checkpoint, chain.report, chain.provenance
    )
    assert "The blurred pictures were given: `imported` (gopro, blur_gamma)." in card
    assert (
        "It knows the blur it was trained on: `imported` (gopro, blur_gamma), up to 2.0 px RMS radius" in card
    )


def card_of(chain: Chain, *, pairs: dict[str, object], report: dict[str, object]) -> str:
    """The card of the chain with fields of its pair set and of its report changed."""
    pairset, measured = chain.pairset.model_copy(update=pairs), chain.report.model_copy(update=report)
    pairset._folder, measured._folder = chain.pairset.folder, chain.report.folder
    return write_card(
        "tiny", chain.recipe, chain.photoset, pairset, chain.checkpoint, measured, chain.provenance
    )


def test_the_card_of_super_resolution_speaks_of_size_and_bicubic(chain: Chain) -> None:
    task = {"task": "super_resolution", "baseline": "bicubic"}
    card = card_of(chain, pairs={**task, "scale": 4}, report=task)
    for words in (
        "Enlarges photos 4 times each way",
        "2 small/large pairs",
        "| metric | bicubic (doing nothing) | restored |",
        "any size; 4 times larger comes back",
    ):
        assert words in card
    assert "from blurred ones" not in card


def test_the_card_of_a_translation_speaks_of_kinds_and_of_sets(chain: Chain) -> None:
    task = {"task": "translation", "baseline": "mean_colour"}
    sets = {"set_restored": {"fid_inception": 111.5}, "set_do_nothing": {"fid_inception": 222.25}}
    card = card_of(chain, pairs={**task, "mean_colour": (1, 2, 3)}, report={**task, **sets})
    for words in (
        "Turns one kind of picture into another",
        "| metric | mean colour (doing nothing) | translated |",
        "| `fid_inception` | 222.2500 | 111.5000 |",
        "over all 8 pairs at once",
        "biased upward",
        "will paint something for any other",
    ):
        assert words in card
    assert "from blurred ones" not in card


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_super_resolution_model_gives_larger_photos_of_the_type_it_got(tmp_path: Path, dtype: type) -> None:
    from types import SimpleNamespace

    from components.core.files import sha256_of_file
    from components.nets.generators import SRResNet
    from components.nets.restore import save_generator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own type hints
        from components.register.model_file import Restoration

    net = SRResNet(width=4, blocks=1)
    save_generator(tmp_path, net, net.build(seed=0).state_dict())
    digests = {path.name: sha256_of_file(path) for path in tmp_path.iterdir()}
    (tmp_path / "sha256.json").write_text(json.dumps(digests))
    model = Restoration()
    model.load_context(SimpleNamespace(artifacts={"restorer": str(tmp_path)}))
    several = model.predict(None, np.zeros((2, 11, 17, 3), dtype))
    assert (several.shape, several.dtype) == ((2, 44, 68, 3), dtype)
    assert model.predict(None, np.zeros((11, 17, 3), dtype)).shape == (44, 68, 3)


def test_restoring_with_a_super_resolution_model_writes_larger_pictures(tmp_path: Path) -> None:
    from components.console.restore import restore
    from components.core.images import read_rgb, write_png
    from components.nets.generators import SRResNet
    from components.nets.restore import save_generator

    net = SRResNet(width=4, blocks=1)
    save_generator(tmp_path / "checkpoint", net, net.build(seed=0).state_dict())
    write_png(tmp_path / "small.png", np.zeros((10, 14, 3), np.uint8))
    (written,) = restore([tmp_path / "small.png"], str(tmp_path / "checkpoint"), tmp_path / "out").files
    assert read_rgb(written).shape == (40, 56, 3)


def test_a_photo_of_sixteen_bits_is_restored_in_sixteen(tmp_path: Path) -> None:
    from components.console.restore import restore
    from components.core.images import read_rgb, write_png
    from components.nets.generators import UNet
    from components.nets.restore import save_generator

    net = UNet(width=4, depth=1)  # adds nothing before it has learned
    save_generator(tmp_path / "checkpoint", net, net.build(seed=0).state_dict())
    photo = np.arange(40 * 48 * 3, dtype=np.uint16).reshape(40, 48, 3) * 11
    write_png(tmp_path / "deep.png", photo)
    (written,) = restore([tmp_path / "deep.png"], str(tmp_path / "checkpoint"), tmp_path / "out").files
    assert read_rgb(written).dtype == np.uint16
    assert np.abs(read_rgb(written).astype(int) - photo).max() <= 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a text", "not a photo"),
        (b"", "not a photo: the file is empty"),
        (None, "is a folder with no photo in it"),
    ],
)
def test_what_is_no_photo_is_named_before_the_model_is_fetched(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    from components.console.restore import restore
    from components.core.images import write_png

    write_png(tmp_path / "good.png", np.zeros((10, 14, 3), np.uint8))
    bad = tmp_path / "bad.jpg"
    bad.mkdir() if content is None else bad.write_bytes(content)
    with pytest.raises(InputError, match=f"{bad}.*{said}"):
        restore([tmp_path / "good.png", bad], "no such model", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_photo_that_ends_too_early_is_named(tmp_path: Path) -> None:
    from components.console.restore import restore
    from components.core.images import write_png
    from components.nets.generators import UNet
    from components.nets.restore import save_generator

    net = UNet(width=4, depth=1)
    save_generator(tmp_path / "checkpoint", net, net.build(seed=0).state_dict())
    write_png(tmp_path / "short.png", np.random.default_rng(1).integers(0, 255, (40, 48, 3), np.uint8))
    (tmp_path / "short.png").write_bytes((tmp_path / "short.png").read_bytes()[:2000])
    with pytest.raises(InputError, match=r"short\.png: truncated"):
        restore([tmp_path / "short.png"], str(tmp_path / "checkpoint"), tmp_path / "out")


@pytest.mark.services
def test_a_version_carries_records_tags_and_weights(store: Path, chain: Chain, tmp_path: Path) -> None:
    made = registered("whole", chain, tmp_path)
    version = tracking.get_version("whole", 1)
    assert (made.version, made.checkpoint, made.report, made.recipe) == (
        1,
        chain.checkpoint.digest,
        chain.report.digest,
        chain.recipe.digest,
    )
    assert version.aliases == ("challenger",)
    assert version.tags["validation_status"] == "pending"
    assert version.tags["git.commit"] == GIT
    assert version.tags["dvc.photos"] == "a" * 32 + ".dir"
    assert version.tags["refocus.weights_sha256"] == chain.checkpoint.weights_sha256
    with tracking.fetch(version, "") as folder:
        names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert Checkpoint.load(folder / "records").digest == chain.checkpoint.digest
        with zipfile.ZipFile(folder / "code" / "components.zip") as code:
            packed = code.namelist()
    records = ["recipe", "photoset", "pairset", "checkpoint", "report", "provenance"]
    assert {f"records/{name}.json" for name in records} | {
        f"records/{name}.jsonl" for name in ("photos", "pairs", "scores")
    } <= names
    assert {
        "MODEL_CARD.md",
        "files.json",
        "records/dvc.lock",
        "records/report.html",
        "records/quarantine.json",
    } <= names
    assert not [name for name in names if name.endswith((".pkl", ".pt", ".pth"))]
    assert {name for name in names if name.startswith("code/")} == {"code/components.zip"}
    assert {name.split("/")[1] for name in packed} == {"__init__.py", "core", "nets"}
    assert {name.rsplit(".", 1)[1] for name in packed} == {"py"}


@pytest.mark.services
def test_a_checkpoint_is_registered_once(store: Path, chain: Chain, tmp_path: Path) -> None:
    assert registered("once", chain, tmp_path) == registered("once", chain, tmp_path)
    assert [version.number for version in tracking.newest_versions("once")] == [1]


@pytest.mark.services
def test_another_checkpoint_is_the_next_version_and_the_challenger(
    store: Path, chain: Chain, tmp_path: Path
) -> None:
    registered("twice", chain, tmp_path)
    assert registered("twice", make_chain(tmp_path / "other", seed=2), tmp_path).version == 2
    challenger = tracking.at_alias("twice", "challenger")
    assert challenger is not None
    assert challenger.number == 2


@pytest.mark.services
def test_a_version_belongs_to_its_training_run(store: Path, tmp_path: Path) -> None:
    with tracking.open_training(
        "a1" * 32, recipe="tiny", params={}, tags={}, dataset=("pairs", "d" * 64, "here")
    ) as training:
        pass
    chain = make_chain(tmp_path, seed=5, about={"train_key": "a1" * 32})
    registered("of-a-run", chain, tmp_path / "out")
    assert tracking.get_version("of-a-run", 1).run_id == training.run_id


@pytest.mark.services
def test_a_run_that_this_store_does_not_have_is_no_obstacle(store: Path, tmp_path: Path) -> None:
    chain = make_chain(tmp_path, seed=6, about={"train_key": "b2" * 32, "mlflow_run": "c" * 32})
    registered("of-no-run", chain, tmp_path / "out")
    assert tracking.get_version("of-no-run", 1).run_id is None


@pytest.mark.services
def test_altered_weights_are_not_registered(store: Path, tmp_path: Path) -> None:
    chain = make_chain(tmp_path, seed=7)
    with (chain.checkpoint.folder / "generator.safetensors").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(LineageError, match=r"generator\.safetensors is missing or was altered"):
        registered("altered", chain, tmp_path / "out")
    assert tracking.newest_versions("altered") == ()


_STRANGER = """
import json, sys
import mlflow, numpy as np
model = mlflow.pyfunc.load_model(sys.argv[1])
inner = model.unwrap_python_model()
photos = [np.full((n, h, w, 3), 0.5, np.float32) for n, h, w in ((1, 45, 61), (2, 30, 17))]
shapes = [list(model.predict(photo).shape) for photo in photos]
bytes_ = inner.predict(None, np.full((33, 21, 3), 128, np.uint8))
print(json.dumps({
    "shapes": shapes, "uint8": [list(bytes_.shape), str(bytes_.dtype)],
    "nets": sys.modules["components.nets"].__file__,
    "modules": sorted({name.split(".")[0] for name in sys.modules}),
}))
"""


@pytest.mark.services
def test_a_registered_model_loads_in_a_clean_process_with_pickle_forbidden(
    store: Path, chain: Chain, tmp_path: Path
) -> None:
    registered("clean", chain, tmp_path / "out", load_test=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {
        "MLFLOW_TRACKING_URI": tracking.tracking_uri(),
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [sys.executable, "-I", "-c", _STRANGER, "models:/clean/1"]
    done = subprocess.run(
        command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["shapes"] == [[1, 45, 61, 3], [2, 30, 17, 3]]
    assert found["uint8"] == [[33, 21, 3], "uint8"]
    assert "/code/components.zip/components/nets/" in found["nets"]
    assert not {"cv2", "torchvision", "ray", "prefect", "dvc", "boto3", "albumentations"} & set(
        found["modules"]
    )


@pytest.mark.services
def test_a_model_that_gives_another_picture_elsewhere_is_not_registered(
    store: Path, chain: Chain, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    example = np.full((20, 20, 3), 0.5, np.float32)
    export.build(folder, checkpoint=chain.checkpoint, example=example, records={}, card="a card")
    np.save(folder / "example" / "restored.npy", np.zeros((1, 20, 20, 3), np.float32))
    with pytest.raises(StageError, match="differs from the checkpoint by"):
        export.try_out(folder)
    (folder / "artifacts" / "restorer" / "generator.json").write_text("{}")
    with pytest.raises(StageError, match=r"generator\.json of this model was altered"):
        export.try_out(folder)
