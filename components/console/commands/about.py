"""The commands that show: recipes, nets, blurs, this machine, MLflow's page."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.console.commands.parser import Add, add_overwrite


def add_to(add: Add) -> None:
    """Add the commands of this file."""
    add("recipes", "list the recipes and what each is", "refocus recipes", _recipes)
    made = add(
        "describe",
        "show the nets of a recipe: layer tables, structure diagrams",
        "refocus describe deblurgan",
        _describe,
    )
    made.add_argument("recipe", metavar="RECIPE")
    made.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder for index.html and the SVG files; .refocus/describe/RECIPE when left out",
    )
    add_overwrite(made)
    made.add_argument(
        "--crop",
        metavar="PX",
        type=int,
        help="side of the photo that shapes and MACs are for; the last phase's crop when left out",
    )
    made = add(
        "blur-atlas",
        "show the blur, noise and JPEG that a recipe's model will learn from",
        "refocus blur-atlas deblurgan",
        _atlas,
    )
    made.add_argument("recipe", metavar="RECIPE")
    made.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder for index.html; .refocus/blur-atlas/RECIPE when left out",
    )
    add_overwrite(made)
    made.add_argument(
        "--photo", metavar="FILE", type=Path, help="the photo that is blurred; a bundled one when left out"
    )
    made.add_argument(
        "--all",
        action="store_true",
        help="also the kinds of blur that the recipe leaves out, at their defaults",
    )
    add("doctor", "check this machine: versions, disk, addresses, locks", "refocus doctor", _doctor)
    _add_clean(add)
    made = add("ui", "open MLflow's page on this machine", "refocus ui", _ui)
    made.add_argument("--port", type=int, default=5000)


def _recipes(arguments: argparse.Namespace) -> int:
    from components import recipes
    from components.pipeline.project import Project

    root = Project.here(writes=False).root
    found, refused = recipes.load_all(root)
    for name in recipes.names(root):
        about = f"cannot be read: {refused[name]}" if name in refused else found[name].about.splitlines()[0]
        print(f"{name:<20} {about}")
    return 0


def _describe(arguments: argparse.Namespace) -> int:
    from components.describe.command import describe
    from components.pipeline.project import Project

    project = Project.here(writes=arguments.out is None)
    page = describe(
        arguments.recipe,
        project.root,
        out=arguments.out,
        crop_px=arguments.crop,
        overwrite=arguments.overwrite,
    )
    print(f"page with diagrams: {page}")
    return 0


def _atlas(arguments: argparse.Namespace) -> int:
    from components.atlas.command import atlas
    from components.pipeline.project import Project

    project = Project.here(writes=arguments.out is None)
    page = atlas(
        arguments.recipe,
        project.root,
        out=arguments.out,
        photo=arguments.photo,
        others=arguments.all,
        overwrite=arguments.overwrite,
    )
    print(f"page with pictures: {page}")
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from components.console import doctor
    from components.pipeline.project import project_root

    return doctor.examine(project_root())


def _add_clean(add: Add) -> None:
    made = add(
        "clean",
        "take away what past runs left and nobody needs, and say why the rest stays",
        "refocus clean --dry-run",
        _clean,
    )
    made.add_argument(
        "--dry-run", action="store_true", help="only say what would go, what would stay, and why"
    )
    for name, what, default in (
        ("days", "leave what is younger", 90),
        ("runs", "newest commits of runs that stay, a recipe", 20),
        ("trainings", "newest trainings whose states stay, a recipe", 3),
    ):
        variable = f"REFOCUS_KEEP_{name.upper()}"
        made.add_argument(
            f"--keep-{name}",
            type=float,
            metavar="N",
            help=f"{what}; ${variable}, or {default}, when left out",
        )
    made.add_argument(
        "--and-registered",
        action="store_true",
        help="let commits go too that registered versions were made by (lineage --verify will miss them)",
    )


def _clean(arguments: argparse.Namespace) -> int:
    from components.console.clean import clean
    from components.console.clean.items import Retention
    from components.pipeline.project import Project

    retention = Retention.of(
        days=arguments.keep_days, runs=arguments.keep_runs, trainings=arguments.keep_trainings
    )
    project = Project.here(writes=not arguments.dry_run)
    return clean(project, retention, dry_run=arguments.dry_run, and_registered=arguments.and_registered)


def _ui(arguments: argparse.Namespace) -> int:
    from components.console import ui
    from components.pipeline.project import Project

    Project.here()
    return ui.serve(arguments.port)
