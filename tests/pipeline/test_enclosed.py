"""What a recipe names of the sender's disk reaches a cluster by content, whatever kind of thing it is; a
text of a recipe that may be a path is known to be none, or travels.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from components import recipes
from components.core.errors import InputError, WeightsError
from components.core.files import sha256_of_bytes, state_kept_in
from components.core.records import Checkpoint, RecipeRecord
from components.metrics.inception import FILES as INCEPTION_FILES
from components.metrics.lpips import ALEXNET_FILE
from components.nets import backbones, packaged_weights, weights_files
from components.nets.restore import save_generator
from components.pipeline.enclosed import Enclosed, enclosed, opened
from components.pipeline.starting import parent_of
from components.recipes import Recipe
from components.services.content import ContentStore
from components.train.pretrained_weights import BackboneWeights

# Every text that a recipe may hold: where it names something, who goes there.
READ_BY_THE_SENDER = {"ingest.photos"}
LOSSES = ("train.content", "train.cycle.consistency", "train.cycle.identity")
SENT = {"train.start", *(f"{losses}.weights_from" for losses in LOSSES)}
NAMES = {
    *(f"{losses}.{name}" for losses in LOSSES for name in ("weights_sha256", "layer")),
    *("name", "about", "register.name"),
    *("ingest.pairs.input", "ingest.pairs.target", "ingest.pairs.strip", "ingest.pairs.scene"),
    *(
        "ingest.pairs.variant",
        "ingest.domains.input",
        "ingest.domains.target",
        "train.phases.name",
        "train.phases.content",
        "train.finetune.name",
    ),
    *("train.finetune.content", "train.phases.early_stopping.metric", "train.keep_best"),
    *("train.finetune.early_stopping.metric", "train.validate_metrics", "evaluate.metrics"),
    *("evaluate.set_metrics", "register.gate.primary", "register.gate.margins"),
    *("register.gate.class_margins", "register.gate.targets"),
}


def texts(kind: object, path: tuple[str, ...] = (), within: tuple[type, ...] = ()) -> Iterator[str]:
    """Every setting below a class that takes a free text or a path."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        yield from texts(typing.get_args(kind)[0], path, within)
    elif origin is not None and origin is not typing.Literal:
        for each in typing.get_args(kind):
            yield from texts(each, path, within)
    elif isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in within:
        for name, field in kind.model_fields.items():
            yield from texts(field.annotation, (*path, field.alias or name), (*within, kind))
    elif isinstance(kind, type) and issubclass(kind, str | Path):
        yield ".".join(path)


def test_every_text_of_a_recipe_is_known_to_name_nothing_on_a_disk_or_travels() -> None:
    assert set(texts(Recipe)) == READ_BY_THE_SENDER | SENT | NAMES


@pytest.fixture
def store(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ContentStore:
    monkeypatch.setenv("REFOCUS_STORE", f"{bucket}/team")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    found = ContentStore.of_environment()
    assert found is not None
    return found


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cluster's machine: another state folder, and an empty hub folder of torch's."""
    place = tmp_path / "elsewhere"
    with state_kept_in(place):
        yield place
    packaged_weights._lent.clear()


def recipe_with(**train: object) -> RecipeRecord:
    record = recipes.load("demo").record()
    own = {**record.sections["train"], **train}  # type: ignore[dict-item]
    return record.model_copy(update={"sections": {**record.sections, "train": own}})


def perceptual(source: str, backbone: str = "vgg16", kind: str = "perceptual") -> list[dict[str, str]]:
    return [{"kind": kind, "backbone": backbone, "weights_from": source}]


def goes(given: Enclosed) -> Enclosed:
    """As it is written down in a task and read again."""
    return Enclosed.model_validate_json(given.model_dump_json())


@pytest.mark.parametrize("losses", ["content", "consistency", "identity"])
def test_a_file_of_weights_travels_under_the_recipes_own_name_for_it(
    losses: str, store: ContentStore, tmp_path: Path, elsewhere: Path
) -> None:
    file = tmp_path / "vgg.pt"
    file.write_bytes(b"of a net")
    named = perceptual(str(file))
    cycle = {"consistency": [{"kind": "l1"}], losses: named}
    record = recipe_with(content=named) if losses == "content" else recipe_with(cycle=cycle)
    sent = goes(enclosed(record, "train", store))
    file.unlink()
    parts = [part for _, part in Recipe.of_record(record).train.content_losses() if part.weights()]
    with opened(sent):
        (found,) = (part.weights().fetch() for part in parts)  # type: ignore[union-attr]
        assert found.read_bytes() == b"of a net"
        assert found.is_relative_to(elsewhere)
        with pytest.raises(WeightsError, match="has SHA-256"):
            BackboneWeights("vgg16", str(file), "a" * 64).fetch()
    with pytest.raises(WeightsError, match="no file at"):
        parts[0].weights().fetch()  # type: ignore[union-attr]
    with pytest.raises(WeightsError, match=r"there is no file at .*or name the weights as s3"):
        enclosed(record, "train", store)
    assert enclosed(record, "synthesize", store) == Enclosed(), "which takes no weights"


@pytest.mark.parametrize(
    ("name", "stage", "settings"),
    [
        (backbones.FILES["vgg16"], "train", {"content": perceptual("torchvision")}),
        (backbones.FILES["vgg19"], "train", {"content": perceptual("torchvision", "vgg19")}),
        (backbones.FILES["vgg16"], "train", {"content": perceptual("torchvision", kind="lpips")}),
        (ALEXNET_FILE, "train", {"content": perceptual("torchvision", "alexnet", "lpips")}),
        (ALEXNET_FILE, "train", {"validate_metrics": ["psnr_rgb", "lpips_alex"]}),
        (ALEXNET_FILE, "evaluate", {"validate_metrics": ["psnr_rgb", "lpips_alex"]}),
        (INCEPTION_FILES[0], "measure", {}),
        (INCEPTION_FILES[1], "register", {}),
    ],
)
def test_files_that_torchs_hub_has_here_are_in_the_hub_there(
    name: str,
    stage: str,
    settings: dict[str, object],
    store: ContentStore,
    tmp_path: Path,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (weights_files.hub_folder() / name).write_bytes(b"weights")
    record = recipe_with(**settings)
    if name in INCEPTION_FILES:
        own = {**record.sections["evaluate"], "set_metrics": ["fid_inception"]}  # type: ignore[dict-item]
        record = record.model_copy(update={"sections": {**record.sections, "evaluate": own}})
    sent = goes(enclosed(record, stage, store))
    assert sent.known == {name: sha256_of_bytes(b"weights")}
    theirs = tmp_path / "their-torch" / "hub" / "checkpoints"
    theirs.mkdir(parents=True)
    (theirs / "their-own.pth").write_bytes(b"kept")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "their-torch"))
    with opened(sent):
        import torch

        hub = Path(torch.hub.get_dir()) / "checkpoints"
        assert (hub / name).read_bytes() == b"weights"
        assert (hub / "their-own.pth").read_bytes() == b"kept"
    assert not (theirs / name).exists()


def test_what_a_node_has_itself_is_not_fetched(
    store: ContentStore, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = backbones.FILES["vgg16"]
    (weights_files.hub_folder() / name).write_bytes(b"weights")
    sent = enclosed(recipe_with(content=perceptual("torchvision")), "train", store)
    with opened(sent):
        assert os.environ["TORCH_HOME"] == str(tmp_path / "torch")
    assert not (elsewhere / "cache").exists()


@pytest.mark.parametrize(("kind", "net"), [("perceptual", "vgg16"), ("lpips", "vgg16"), ("lpips", "alexnet")])
def test_a_packages_weights_are_had_there_without_the_package(
    kind: str,
    net: packaged_weights.Net,
    store: ContentStore,
    tmp_path: Path,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / f"{net}.ckpt"
    file.write_bytes(b"of a package")
    monkeypatch.setitem(packaged_weights._lent, net, file)
    named = perceptual(packaged_weights.SOURCE, net, kind)
    sent = goes(enclosed(recipe_with(content=named), "train", store))
    packaged_weights._lent.clear()
    file.unlink()
    assert packaged_weights.packaged_file(net) is None
    with opened(sent):
        found = packaged_weights.packaged_file(net)
        assert found is not None
        assert found.read_bytes() == b"of a package"
        with pytest.raises(WeightsError, match=f"not {packaged_weights.SHA256[net][:12]}"):
            packaged_weights.packaged_features(net)


def checkpoint_in(folder: Path) -> Checkpoint:
    net = recipes.load("demo").train.generator
    weights, config = save_generator(folder, net, net.build(seed=1).state_dict())
    return Checkpoint(
        pairset="a" * 64,
        config_digest="b" * 64,
        code_digest="c" * 64,
        weights_sha256=weights,
        generator_sha256=config,
        images_seen=8,
    ).save(folder)


def test_the_folder_that_a_training_starts_from_is_the_same_model_there(
    store: ContentStore, tmp_path: Path, elsewhere: Path
) -> None:
    folder = tmp_path / "mine"
    made = checkpoint_in(folder)
    (folder / "notes.txt").write_text("of a person, not sent")
    record = recipe_with(start=str(folder))
    here = parent_of(Recipe.of_record(record), tmp_path)
    sent = goes(enclosed(record, "train", store))
    for path in folder.iterdir():
        path.unlink()
    with opened(sent) as there:
        assert there is not None
        assert sorted(path.name for path in there.iterdir()) == sorted(
            (Checkpoint.FILE, Checkpoint.WEIGHTS, Checkpoint.CONFIG)
        )
        parent = parent_of(Recipe.of_record(record), elsewhere, there)
        assert here is not None
        assert parent is not None
        assert (parent.name, parent.identity) == (str(folder), here.identity)
        assert parent.checkpoint.digest == made.digest
    with pytest.raises(InputError, match=r"train\.start: .*mine holds no checkpoint"):
        enclosed(record, "train", store)


@pytest.mark.parametrize("start", ["scratch", "champion", "demo:3", "demo@previous"])
def test_what_lies_in_the_registry_is_not_sent(start: str, store: ContentStore) -> None:
    assert enclosed(recipe_with(start=start), "train", store).start is None


def test_the_names_of_torchvisions_files_are_torchvisions() -> None:
    from torchvision.models import get_model_weights

    for name, file in backbones.FILES.items():
        assert get_model_weights(name).IMAGENET1K_V1.url.rpartition("/")[2] == file
