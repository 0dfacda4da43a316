"""An exported ONNX file as a TensorRT engine, where trtexec is: built, timed, and compared with ONNX
Runtime on one photo: python benchmarks/tensorrt.py exported/generator.onnx --out engine.

Without trtexec it says so and ends well: TensorRT is NVIDIA's own download. Sides are those of a
photo of 1280×720, rounded up to 32 px for any stride, between 256 px and 1920×1088. A file in 8 bits
keeps the types that it names (--stronglyTyped); the others are built in half precision.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np

WIDTH_PX, HEIGHT_PX = 1280, 736
SIZES = {"min": (256, 256), "opt": (HEIGHT_PX, WIDTH_PX), "max": (1088, 1920)}


def build_command(trtexec: str, onnx: Path, out: Path, *, int8: bool) -> list[str]:
    """How the engine is built and timed."""
    shapes = [f"--{name}Shapes=photo:1x3x{height}x{width}" for name, (height, width) in SIZES.items()]
    return [
        trtexec,
        f"--onnx={onnx}",
        *shapes,
        "--stronglyTyped" if int8 else "--fp16",
        f"--saveEngine={out / 'engine.plan'}",
        f"--exportTimes={out / 'times.json'}",
    ]


def run_command(trtexec: str, out: Path) -> list[str]:
    """How the engine restores the photo that lies beside it."""
    return [
        trtexec,
        f"--loadEngine={out / 'engine.plan'}",
        f"--shapes=photo:1x3x{HEIGHT_PX}x{WIDTH_PX}",
        f"--loadInputs=photo:{out / 'photo.bin'}",
        f"--exportOutput={out / 'restored.json'}",
    ]


def median_ms(times: list[dict[str, float]]) -> float:
    """The median of computing alone, in ms, of what trtexec writes with --exportTimes."""
    return median(each["computeMs"] for each in times)


def values_of(exported: list[dict[str, object]], name: str = "restored") -> np.ndarray:
    """The values of one output of what trtexec writes with --exportOutput."""
    for each in exported:
        if each.get("name") == name:
            return np.array(each["values"], np.float32)
    raise SystemExit(f"tensorrt: trtexec wrote no output named {name}")


def main() -> int:
    """Build, time, compare; gives the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("onnx", type=Path, help="a file that `refocus export` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for the engine and record.json")
    asked = parser.parse_args()
    trtexec = shutil.which("trtexec")
    if trtexec is None:
        print("tensorrt: trtexec is not on the path, so nothing was built; it comes with NVIDIA's TensorRT")
        return 0
    import onnxruntime

    session = onnxruntime.InferenceSession(str(asked.onnx), providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    asked.out.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    waves = np.stack([np.sin(x / (7 + k)) * np.cos(y / (11 - k)) for k in range(3)])
    photo = (0.5 + 0.4 * waves).astype(np.float32)[None]
    photo.tofile(asked.out / "photo.bin")
    subprocess.run(build_command(trtexec, asked.onnx, asked.out, int8="int8" in about), check=True)
    subprocess.run(run_command(trtexec, asked.out), check=True)
    ours = session.run(None, {"photo": photo})[0].ravel()
    theirs = values_of(json.loads((asked.out / "restored.json").read_text()))
    record = {
        "format": "tensorrt",
        "of": about,
        "largest_error": float(np.abs(ours - theirs).max()),
        "mean_error": float(np.abs(ours - theirs).mean()),
        "ms_720p": median_ms(json.loads((asked.out / "times.json").read_text())),
        "bytes": (asked.out / "engine.plan").stat().st_size,
    }
    (asked.out / "record.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
