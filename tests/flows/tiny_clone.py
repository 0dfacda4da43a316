"""A copy of this checkout as a git clone of its own, with a recipe small enough to run whole in
seconds.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # benchmarks make clones, too
from bundled import CLONE as HERE
from bundled import RECIPES
from clean_environment import leave_out_the_users

TINY = """
name: tiny
about: A recipe for tests; runs whole in seconds and learns next to nothing.
ingest:
  photos: photos
  split: {kind: by_folder}
synthesize:
  seed: 1
  blurs:
    - {kind: random_trajectory, canvas_px: 24, max_len_px: 20, steps: 200}
train:
  seed: 1
  generator: {kind: unet, width: 4, depth: 1, widest: 8, norm: none}
  discriminators:
    - {kind: patchgan, layers: 1, width: 4, norm: instance}
  adversarial: {kind: least_squares, weight: 0.001}
  content:
    - {kind: l1, weight: 1.0}
  generator_optimizer: {kind: adam, lr: 0.002, beta1: 0.9}
  phases:
    - {name: content, images: 480, crop_px: 32, batch: 8, adversarial: false}
    - {name: joint, images: 16, crop_px: 32, batch: 8, adversarial: true}
  ema: 0.9
  workers: 0
  validate_every: 160
  validate_pairs: 2
evaluate:
  metrics: [psnr_rgb, ssim_gauss11_rgb]
  tile_px: 256
register:
  name: tiny
  load_test: false
  gate: {margins: {psnr_rgb: 0.05, ssim_gauss11_rgb: 0.05}}
"""


# As it comes with Refocus; a team puts its own store there.
STORE = """
[core]
    analytics = false
    check_update = false
    autostage = false
    remote = local
['remote "local"']
    url = ../.refocus/dvc-remote
"""

# A shell that starts tests in the background switches Ctrl-C off for all that they start, nohup SIGHUP.
INTERRUPTIBLE = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " signal.signal(signal.SIGHUP, signal.SIG_DFL); from components.console.cli import main; sys.exit(main())"
)


@dataclass(frozen=True)
class Clone:
    """A clone and the environment its commands run in."""

    root: Path
    environment: dict[str, str]

    def refocus(self, *words: str, check: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as a person would."""
        done = subprocess.run(
            [sys.executable, "-m", "components.console.cli", *words],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert check is None or done.returncode == check, (
            f"exit {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        )
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command; what it says comes through its stdout."""
        return subprocess.Popen(
            [sys.executable, "-u", "-c", INTERRUPTIBLE, *words],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def git(self, *words: str) -> str:
        """What git answers."""
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *words]
        return subprocess.run(
            command, cwd=self.root, check=True, capture_output=True, text=True
        ).stdout.strip()


def photos_into(folder: Path) -> None:
    """Eleven small photos, each cut from a place of its own, so that no two look alike: 6 train, 2
    val, 3 test.
    """
    from skimage import data
    from skimage.io import imsave

    cuts = {
        "train": [
            ("astronaut", 0, 150),
            ("astronaut", 300, 50),
            ("coffee", 100, 200),
            ("coffee", 250, 400),
            ("chelsea", 100, 150),
            ("rocket", 100, 250),
        ],
        "val": [("rocket", 300, 300), ("chelsea", 20, 300)],
        "test": [("astronaut", 100, 380), ("coffee", 20, 20), ("chelsea", 190, 20)],
    }
    for split, places in cuts.items():
        (folder / split).mkdir(parents=True)
        for name, top, left in places:
            imsave(
                folder / split / f"{name}-{top}.png",
                getattr(data, name)()[top : top + 96, left : left + 96],
                check_contrast=False,
            )


def clone_into(root: Path, *, source: Path = HERE) -> Clone:
    """Make a new clone of the code in SOURCE with the recipe `tiny`, committed once.

    Nothing else of SOURCE comes along: data, locks, own recipes and a team's store are its user's.
    """
    for folder in ("components", "flows"):
        shutil.copytree(source / folder, root / folder, ignore=_not_ours)
    for name in (".gitignore", ".dvcignore", "pyproject.toml"):
        shutil.copyfile(source / name, root / name)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text(STORE)
    (root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    graph, listed = re.subn(
        r"recipes: \[.*?\]",
        f"recipes: [{', '.join(('tiny', *RECIPES))}]",
        (source / "dvc.yaml").read_text(),
        count=1,
        flags=re.DOTALL,
    )
    assert listed == 1
    (root / "dvc.yaml").write_text(graph)
    (root / "components" / "recipes" / "tiny.yaml").write_text(TINY)
    photos_into(root / "photos")
    environment = dict(os.environ)
    leave_out_the_users(environment, Path.home())  # nor what the tests before have set
    environment |= {
        "OMP_NUM_THREADS": "1",
        "DVC_SITE_CACHE_DIR": str(root / ".refocus" / "dvc-site"),
        "PYTHONPATH": str(root),
    }
    clone = Clone(root, environment)
    clone.git("init", "-q")
    clone.git("add", "-A")
    clone.git("commit", "-qm", "as found")
    return clone


def _not_ours(folder: str, names: list[str]) -> set[str]:
    """What is left out of a copy: recipes that did not come with Refocus, and of the compiled modules,
    which spare a copy's processes a second each, those that another process just writes.
    """
    place = Path(folder).name
    if place == "__pycache__":
        return {name for name in names if not name.endswith(".pyc")}
    own = place == "recipes"
    return {name for name in names if own and name.endswith(".yaml") and Path(name).stem not in RECIPES}
