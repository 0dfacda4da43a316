"""The TensorRT benchmark asks trtexec the right things, reads its answers, and says so without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import tensorrt as benchmark  # benchmarks/tensorrt.py


def test_the_engine_is_built_for_any_size_up_to_full_hd() -> None:
    command = benchmark.build_command("trtexec", Path("g.onnx"), Path("out"), int8=False)
    assert "--minShapes=photo:1x3x256x256" in command
    assert "--optShapes=photo:1x3x736x1280" in command
    assert "--maxShapes=photo:1x3x1088x1920" in command
    assert "--fp16" in command


def test_8_bits_keep_the_types_that_the_file_names() -> None:
    command = benchmark.build_command("trtexec", Path("g.onnx"), Path("out"), int8=True)
    assert "--stronglyTyped" in command
    assert "--fp16" not in command


def test_times_and_outputs_are_read_as_trtexec_writes_them() -> None:
    assert benchmark.median_ms([{"computeMs": 3.0}, {"computeMs": 1.0}, {"computeMs": 2.0}]) == 2.0
    written = [{"name": "restored", "dimensions": "1x3x1x1", "values": [0.25, 0.5, 1]}]
    np.testing.assert_array_equal(benchmark.values_of(written), np.array([0.25, 0.5, 1], np.float32))
    with pytest.raises(SystemExit, match="no output named restored"):
        benchmark.values_of([])


def test_without_trtexec_it_says_so_and_ends_well(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, benchmark.__file__, "g.onnx", "--out", str(tmp_path)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "trtexec is not on the path" in done.stdout
