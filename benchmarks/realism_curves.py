"""The curves of benchmarks/realism.py: what gradients and spectra of made and real blur are like."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from picture_statistics import BINS, TILE_PX, Statistics

YARDSTICK, REAL = "sharp photos (doing nothing)", "real"


def draw(path: Path, panels: Mapping[str, Mapping[str, Statistics]]) -> None:
    """A column a set: distribution of gradients above, spectrum below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(panels), figsize=(5 * len(panels), 8), squeeze=False)
    coarse = BINS[:-1].reshape(-1, 16).mean(axis=1)
    for column, (title, curves) in enumerate(panels.items()):
        for name, found in curves.items():
            style = (
                {"color": "black", "linewidth": 2.5}
                if name == REAL
                else {"color": "grey", "linestyle": "--"}
                if name == YARDSTICK
                else {"linewidth": 1.2}
            )
            axes[0][column].plot(coarse, found.gradients.reshape(-1, 16).sum(axis=1), label=name, **style)
            axes[1][column].plot(
                np.arange(1, found.spectrum.size + 1) / TILE_PX, found.spectrum, label=name, **style
            )
        axes[0][column].set(
            title=title,
            yscale="log",
            xlabel="log2(1 + |difference of neighbours|)",
            ylabel="share" if column == 0 else "",
        )
        axes[1][column].set(
            xscale="log", xlabel="cycles a pixel", ylabel="log10 of relative power" if column == 0 else ""
        )
    axes[1][0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
