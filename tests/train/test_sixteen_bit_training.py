"""Training with pairs of 16 bits a channel: crops keep every level, changes are those of 8 bits,
and a training runs to its end.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pairs import make_pairs
from small_training import Memory, config, run

from components.core.files import sha256_of_file
from components.core.images import read_rgb, write_png
from components.core.levels import at_bits
from components.core.records import PairSet
from components.train.data import PairDataset, to_net

CHANGING = {"flip_vertical": 0.5, "quarter_turns": 1.0, "swap_channels": 1.0}


def deepened(pairs: PairSet) -> PairSet:
    """The same pictures, stored in 16 bits."""
    rows = []
    for row in pairs.pairs():
        for name in (row.input, row.target):
            write_png(pairs.folder / name, at_bits(read_rgb(pairs.folder / name), 16))
        hashes = {
            f"{kind}_sha256": sha256_of_file(pairs.folder / name)
            for kind, name in (("input", row.input), ("target", row.target))
        }
        rows.append(row.model_copy(update=hashes))
    table = PairSet.write_table(pairs.folder, tuple(rows))
    return pairs.model_copy(update={"table_sha256": table}).save(pairs.folder)


@pytest.mark.parametrize("augment", [{}, CHANGING, {"enlarge": 1.5}], ids=["crop", "changes", "enlarged"])
def test_crops_of_sixteen_bits_are_those_of_eight(augment: dict[str, float], tmp_path: Path) -> None:
    settings = config(augment=augment)
    eight, sixteen = make_pairs(tmp_path / "eight"), deepened(make_pairs(tmp_path / "sixteen"))
    sets = [PairDataset(pairs.folder, pairs.pairs("train"), settings, 16) for pairs in (eight, sixteen)]
    for position in range(6):
        for coarse, fine in zip(*(each["generator", position] for each in sets), strict=True):
            assert (coarse.dtype, fine.dtype) == (torch.uint8, torch.float32)
            # Enlarging rounds to levels, and there are more of them; where OpenCV has no IPP, as on
            # ARM, it weighs 8 bits with 11.
            assert (fine - coarse).abs().max() <= (0.9 if "enlarge" in augment else 0)


def test_neighbouring_levels_stay_apart_on_their_way_into_the_net(tmp_path: Path) -> None:
    pairs = make_pairs(tmp_path)
    row = pairs.pairs("train")[0]
    levels = np.arange(48 * 48 * 3, dtype=np.uint16).reshape(48, 48, 3) + 58_000
    levels[0, 0] = (0, 1, 65535)
    for name in (row.input, row.target):
        write_png(pairs.folder / name, levels)
    input, _ = PairDataset(pairs.folder, (row,), config(augment={"flip": 0}), 48)["generator", 0]
    seen = to_net(input, torch.device("cpu")).permute(1, 2, 0).numpy()
    assert len(np.unique(seen)) == len(np.unique(levels))
    assert np.abs(seen - (levels / 32767.5 - 1)).max() < 2e-7
    assert seen[0, 0].tolist() == [-1.0, pytest.approx(2 / 65535 - 1), 1.0]


def test_a_training_and_its_validation_run_to_their_end(tmp_path: Path) -> None:
    values = []
    for pairs in (make_pairs(tmp_path / "eight"), deepened(make_pairs(tmp_path / "sixteen"))):
        memory = Memory()
        run(config(validate_every=20), pairs, memory)
        values.append(memory.values[20])
    eight, sixteen = values
    assert sixteen["validation/psnr_rgb"] == pytest.approx(eight["validation/psnr_rgb"], abs=0.01)
    assert sixteen["validation/psnr_rgb"] != eight["validation/psnr_rgb"]  # rounded more finely
