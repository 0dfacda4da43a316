"""Exported files lie beside the weights with the proof of how near they are; one that fails or is
too far stops nothing, and what a person has in a folder stays.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from chain import METRIC, Chain

from components.console.export import _known, deliver
from components.core.delivery import Delivery
from components.core.errors import InputError
from components.core.files import sha256_of_file
from components.core.images import to_float
from components.evaluate.measure import read_pair
from components.exports import made
from components.exports.parity import Parity
from components.nets.formats import Onnx, OnnxInt8, OnnxWithoutDropout
from components.nets.restore import load_restorer
from components.register import run as register
from components.register.config import RegisterConfig
from components.register.export import FILES, FORMATS
from components.register.gate import GatePolicy
from components.register.policy import ParityPolicy
from components.services import tracking

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None,
    reason="the optional packages of refocus[onnx] are absent",
)


def weights_of(chain: Chain) -> made.Weights:
    return made.Weights(chain.checkpoint.folder, chain.checkpoint.digest)


def make(chain: Chain, folder: Path, *parts: Onnx, gate: GatePolicy | None = None) -> tuple[Parity, ...]:
    return made.make(
        parts, weights_of(chain), chain.pairset, folder, gate=gate or GatePolicy(), metrics=(METRIC,)
    )


@pytest.fixture(scope="session")
def exported(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Parity]:
    """An ONNX file and its record."""
    folder = tmp_path_factory.mktemp("exported")
    return folder, make(chain, folder, Onnx())[0]


def test_the_report_holds_errors_every_metric_beside_the_gain_size_and_times(
    exported: tuple[Path, Parity], chain: Chain
) -> None:
    folder, found = exported
    assert found.passed
    assert found.largest_error is not None
    assert found.mean_error is not None
    assert found.mean_error <= found.largest_error < 1e-4
    kept = found.metrics[METRIC]
    assert kept.change.groups == 8
    assert kept.change.mean == pytest.approx(0, abs=1e-3)
    assert kept.gain == pytest.approx(kept.checkpoint - kept.nothing)
    assert {name: set(times) for name, times in found.seconds_per_megapixel.items()} == {
        "1": {"checkpoint", "file"},
        "2": {"checkpoint", "file"},
    }
    assert found.bytes == (folder / "generator.onnx").stat().st_size
    assert found.sha256 == sha256_of_file(folder / "generator.onnx")
    assert found.versions["checkpoint"] == chain.checkpoint.digest
    assert Parity.model_validate_json((folder / "onnx.json").read_text()) == found


def test_the_file_restores_a_test_photo_as_the_checkpoint_does(
    exported: tuple[Path, Parity], chain: Chain
) -> None:
    input, _ = read_pair(chain.pairset, chain.pairset.pairs("test")[0])
    ours = load_restorer(chain.checkpoint.folder, device="cpu").restore(to_float(input)).clip(0, 1)
    theirs = Onnx().open(exported[0] / "generator.onnx").restore(to_float(input))
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


def test_a_file_beyond_a_limit_is_refused_in_words_and_not_kept(
    chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = GatePolicy(parity=ParityPolicy(largest_error=1e-12))
    found = make(chain, tmp_path, Onnx(), gate=strict)[0]
    assert not found.passed
    assert found.file is None
    assert "gate.parity.largest_error: 1e-12" in found.words
    assert not (tmp_path / "generator.onnx").exists()
    assert "refused" in capsys.readouterr().err


def test_calibration_never_sees_a_test_pair(chain: Chain) -> None:
    wanted = [read_pair(chain.pairset, pair) for pair in chain.pairset.pairs("train")]
    found = made.training_pairs(chain.pairset, 24)
    assert len(found) == len(wanted) == 2
    for pair, (input, target) in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(pair[0], to_float(input))
        np.testing.assert_array_equal(pair[1], to_float(target))


def test_formats_lie_in_the_registered_model_and_a_failing_one_stops_nothing(
    chain: Chain, store: Path, tmp_path: Path
) -> None:
    def beside(folder: Path) -> None:
        make(chain, folder, Onnx(), OnnxWithoutDropout())

    version = register.run(
        RegisterConfig(name="with-formats", load_test=False),
        chain.recipe,
        chain.photoset,
        chain.pairset,
        chain.checkpoint,
        chain.report,
        chain.provenance,
        out=tmp_path / "version",
        beside=beside,
    )
    found = tracking.get_version("with-formats", version.version)
    with tracking.fetch(found, "") as folder:
        digests = json.loads((folder / FILES).read_text())
        assert digests[f"{FORMATS}/generator.onnx"] == sha256_of_file(folder / FORMATS / "generator.onnx")
        refused = Parity.model_validate_json((folder / FORMATS / "onnx_without_dropout.json").read_text())
    assert not refused.passed
    assert refused.words.startswith("not made: this generator has no dropout")


def test_a_second_export_replaces_its_own_files_and_no_others(
    exported: tuple[Path, Parity], tmp_path: Path
) -> None:
    for name in ("generator.onnx", "onnx.json"):
        (tmp_path / name).write_bytes((exported[0] / name).read_bytes())
    names = ("generator.onnx", "onnx.json")
    Delivery(tmp_path, known=_known(tmp_path, [Onnx()])).refuse_others(names)
    (tmp_path / "generator.onnx").write_bytes(b"a person's own")
    with pytest.raises(InputError, match=r"generator\.onnx would be replaced"):
        Delivery(tmp_path, known=_known(tmp_path, [Onnx()])).refuse_others(names)
    (tmp_path / "onnx.json").write_text("{}")
    with pytest.raises(InputError, match=r"generator\.onnx.*onnx\.json would be replaced"):
        Delivery(tmp_path, known=_known(tmp_path, [Onnx()])).refuse_others(names)


def test_a_recipe_names_each_format_once() -> None:
    assert RegisterConfig(name="a", formats=("onnx", {"kind": "onnx_int8", "photos": 4})).formats == (
        Onnx(),
        OnnxInt8(photos=4),
    )
    with pytest.raises(ValueError, match="formats names a kind twice"):
        RegisterConfig(name="a", formats=("onnx", "onnx"))


@pytest.mark.parametrize("stopped_after", [0, 1])
@pytest.mark.parametrize("before", [True, False])
def test_an_export_that_is_stopped_between_its_files_goes_on_the_next_time(
    exported: tuple[Path, Parity],
    tmp_path: Path,
    stopped_after: int,
    before: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, new, names = tmp_path / "out", tmp_path / "new", ("generator.onnx", "onnx.json")
    for folder in (out, new):
        folder.mkdir()
        for name in names if before or folder == new else ():
            (folder / name).write_bytes((exported[0] / name).read_bytes())
    (new / "generator.onnx").write_bytes(b"of another checkpoint")
    record = exported[1].model_copy(update={"sha256": sha256_of_file(new / "generator.onnx")})
    (new / "onnx.json").write_text(record.model_dump_json(indent=2) + "\n")
    with monkeypatch.context() as patched:
        kept, done = Delivery.incoming, list[str]()

        @contextmanager
        def stopped(self: Delivery, name: str) -> Iterator[Path]:
            if len(done) == stopped_after:
                raise KeyboardInterrupt
            with kept(self, name) as temporary:
                yield temporary
            done.append(name)

        patched.setattr(Delivery, "incoming", stopped)
        with pytest.raises(KeyboardInterrupt):
            deliver([Onnx()], new, Delivery(out, known=_known(out, [Onnx()])))
    again = Delivery(out, known=_known(out, [Onnx()]))
    again.refuse_others(names)
    deliver([Onnx()], new, again)
    assert all((out / name).read_bytes() == (new / name).read_bytes() for name in names)
