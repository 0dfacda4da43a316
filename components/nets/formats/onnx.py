"""The kinds of ONNX file: as the net is, with its dropout off, in whole numbers of 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.core.errors import InputError
from components.nets.formats.part import FormatPart, PhotoPair

if TYPE_CHECKING:
    from components.nets.restore import Restorer
    from components.nets.tiling import TiledRestorer


class Onnx(FormatPart):
    """ONNX in 32 bits, any height and width, for ONNX Runtime, OpenVINO, TensorRT and others.

    The file takes and gives (N, 3, height, width) in [0, 1], clipped. Sides must be multiples of
    the stride that its metadata names; padding and tiles are onnx_runner.py's.
    """

    kind: Literal["onnx"] = "onnx"
    FILE: ClassVar[str] = "generator.onnx"
    NEEDS: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")
    EXTRA: ClassVar[str] = "onnx"

    def refuse(self, restorer: Restorer) -> None:
        """Raises InputError for a net whose dropout stays on when it restores: the exporters' Dropout
        does nothing, so the file would restore otherwise (pix2pix by a third of full scale). Also for
        one that answers eight times, whose mean no file of one net gives.
        """
        refuse_ensemble(restorer)
        if restorer.part.test_time_dropout:
            raise InputError(
                "this generator keeps dropout on when it restores (test_time_dropout), which no ONNX runtime"
                " does: the file would be another model. Export it with dropout off under its own name:"
                " format onnx_without_dropout; its parity report says how far it is from this one"
            )

    def write(
        self, restorer: Restorer, path: Path, *, about: dict[str, str], pairs: Sequence[PhotoPair] = ()
    ) -> None:
        """Write the file by torch's exporter, then its metadata."""
        from components.nets.formats.onnx_writer import write_onnx

        self.refuse(restorer)
        write_onnx(restorer, path, about=about)

    def open(self, path: Path, *, tile_px: int = 1024, threads: int | None = None) -> TiledRestorer:
        """The file in ONNX Runtime on the processor."""
        from components.nets.onnx_runner import OnnxRestorer

        return OnnxRestorer(path, tile_px=tile_px, threads=threads)


def refuse_ensemble(restorer: Restorer) -> None:
    """Raises InputError for a restorer that takes the mean over eight views."""
    if restorer.part.test_time_ensemble:
        raise InputError(
            "this generator restores each photo in eight views (test_time_ensemble), and a file holds the net"
            " alone: set train.generator.test_time_ensemble to false, or serve the registered model itself"
        )


class OnnxWithoutDropout(Onnx):
    """The same of a net whose dropout stays on when it restores, with it off: another restorer, of
    another name.
    """

    kind: Literal["onnx_without_dropout"] = "onnx_without_dropout"  # type: ignore[assignment]
    FILE: ClassVar[str] = "generator_without_dropout.onnx"
    exact: ClassVar[bool] = False

    def refuse(self, restorer: Restorer) -> None:
        """Raises InputError for a net without such dropout: its name would say what is not so."""
        refuse_ensemble(restorer)
        if not restorer.part.test_time_dropout:
            raise InputError(
                "this generator has no dropout when it restores, so there is none to leave out: format onnx"
            )

    def write(
        self, restorer: Restorer, path: Path, *, about: dict[str, str], pairs: Sequence[PhotoPair] = ()
    ) -> None:
        """Write the file of the same weights with dropout off."""
        from components.nets.formats.onnx_writer import write_onnx

        self.refuse(restorer)
        write_onnx(restorer.without_dropout(), path, about=about)


class OnnxInt8(Onnx):
    """ONNX whose convolutions work in whole numbers of 8 bits, calibrated on training inputs
    (post-training quantisation; Jacob et al. 2018, arXiv 1712.05877, the scheme).

    Inputs and weights of convolutions are rounded, nothing else: the photo's addition at the end, and
    the outputs that instance normalisation reads, stay in floats.
    """

    kind: Literal["onnx_int8"] = "onnx_int8"  # type: ignore[assignment]
    FILE: ClassVar[str] = "generator_int8.onnx"
    NEEDS: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime", "torchao")
    exact: ClassVar[bool] = False
    photos: int = Field(24, ge=1, le=512, description="training inputs that the ranges are taken from")
    crop_px: int = Field(256, ge=64, le=1024, description="side of the middle of each that is looked at")

    @property
    def training_pairs(self) -> int:
        """How many training pairs the ranges are taken from."""
        return self.photos

    def refuse(self, restorer: Restorer) -> None:
        """Raises InputError for what `onnx` refuses, and for a net of video: its convolutions over time
        have no 8 bits in ONNX Runtime, and its flow must be exact to a fraction of a px.
        """
        super().refuse(restorer)
        if restorer.window > 1:
            raise InputError(
                f"this generator is given {restorer.window} frames, and neither convolutions over time nor"
                " flow can be had in 8 bits: export it as onnx"
            )

    def write(
        self, restorer: Restorer, path: Path, *, about: dict[str, str], pairs: Sequence[PhotoPair] = ()
    ) -> None:
        """Calibrate, and write the file."""
        from components.nets.formats.int8 import calibrated
        from components.nets.formats.onnx_writer import write_onnx

        self.refuse(restorer)
        net = calibrated(restorer, [input for input, _ in pairs], self.crop_px)
        write_onnx(restorer, path, about=about | self.facts(pairs), net=net)

    def facts(self, pairs: Sequence[PhotoPair]) -> dict[str, str]:
        """What the file says of how its 8 bits came about."""
        fields = self.model_dump(mode="json", exclude={"kind", "photos"})
        return {"int8": self.kind, "int8_pairs": str(len(pairs))} | {
            f"int8_{name}": str(value) for name, value in fields.items()
        }


class OnnxInt8Aware(OnnxInt8):
    """The same after a short training that knows of the rounding (quantisation-aware training; Jacob
    et al. 2018, sec. 3): mean absolute difference to the target, the generator alone.

    Its weights are others than the checkpoint's, which is its parent and stands in its metadata.
    """

    kind: Literal["onnx_int8_aware"] = "onnx_int8_aware"  # type: ignore[assignment]
    FILE: ClassVar[str] = "generator_int8_aware.onnx"
    photos: int = Field(64, ge=1, le=512, description="training pairs that crops are drawn from")
    crop_px: int = Field(128, ge=64, le=1024, description="side of the crops, in px of the input")
    images: int = Field(400, ge=1, le=100_000, description="crops trained on")
    batch: int = Field(4, ge=1, le=64, description="crops a step")
    lr: float = Field(2e-5, gt=0, le=1e-2, description="Adam's learning rate")

    def write(
        self, restorer: Restorer, path: Path, *, about: dict[str, str], pairs: Sequence[PhotoPair] = ()
    ) -> None:
        """Train with the rounding in place, and write the file."""
        from components.nets.formats.int8 import trained
        from components.nets.formats.onnx_writer import write_onnx

        self.refuse(restorer)
        net = trained(restorer, pairs, self.crop_px, images=self.images, batch=self.batch, lr=self.lr)
        write_onnx(restorer, path, about=about | self.facts(pairs), net=net)
