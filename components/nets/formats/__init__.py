"""Files that other programs run a generator from, one class a kind. The union `Format` is the
registry: a new kind is a class in a file here and a word in it.

part.py          what all formats share
onnx.py          the kinds of ONNX file
onnx_writer.py   writes one (torch, onnx)
int8.py          rounds one to 8 bits (torchao)
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from components.nets.formats.onnx import Onnx, OnnxInt8, OnnxInt8Aware, OnnxWithoutDropout
from components.nets.formats.part import FormatPart

__all__ = ["FORMATS", "Format", "FormatPart", "Onnx", "OnnxInt8", "OnnxInt8Aware", "OnnxWithoutDropout"]

FORMATS: dict[str, type[Onnx]] = {
    kind.model_fields["kind"].default: kind for kind in (Onnx, OnnxWithoutDropout, OnnxInt8, OnnxInt8Aware)
}


def _spelled_out(value: object) -> object:
    """A bare word means that kind with its defaults."""
    return {"kind": value} if isinstance(value, str) else value


Format = Annotated[
    Annotated[Onnx | OnnxWithoutDropout | OnnxInt8 | OnnxInt8Aware, Field(discriminator="kind")],
    BeforeValidator(_spelled_out),
]
