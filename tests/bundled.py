"""The recipes that come with Refocus. Tests walk over these, and not over what lies in a clone, where a user
keeps recipes of their own, finished or half written.
"""

from __future__ import annotations

import shutil
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
RECIPES = (
    "cyclegan",
    "deblurgan",
    "deblurgan_seed",
    "demo",
    "medical_16bit",
    "mobile",
    "old_photo",
    "pix2pix",
    "pix2pix_seed",
    "satellite",
    "srgan",
    "srgan_seed",
    "unet_patchgan",
    "unet_patchgan_seed",
    "video_3d",
    "video_flow",
    "wiener_gan",
)


def bundled_into(folder: Path) -> Path:
    """Lay the recipes that come with Refocus into a folder that counts as a checkout; gives the folder."""
    (folder / "components" / "recipes").mkdir(parents=True)
    for name in RECIPES:
        place = Path("components", "recipes", f"{name}.yaml")
        shutil.copyfile(CLONE / place, folder / place)
    (folder / "dvc.yaml").write_text(f"vars:\n  - recipes: [{', '.join(RECIPES)}]\nstages: {{}}\n")
    return folder
