"""Recipes: one complete YAML file a published system, read into frozen settings. `refocus run NAME
--dry-run` prints one resolved.

A file has the keys name, about, ingest, synthesize, train, evaluate, register; each section is that
stage's settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from components.core.errors import RecipeError, nearest
from components.core.parts import Part
from components.core.quarantine import Quarantine, Unfit, leave_out
from components.core.records import Photo, RecipeRecord
from components.evaluate.config import EvaluateConfig
from components.ingest.config import IngestConfig
from components.metrics import METRICS
from components.recipes import yaml_rules
from components.recipes.explain import boolean_for_number, explain
from components.register.config import RegisterConfig
from components.synthesize.config import SynthesizeConfig
from components.train.config import TrainConfig

SECTIONS = ("ingest", "synthesize", "train", "evaluate", "register")


class Recipe(Part):
    """Everything that decides what a run makes, every default filled in."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_-]{0,63}$",
        description="same as the file's name; names the data folder and the registered model",
    )
    about: str = Field(min_length=1, description="what it is and the publication it follows")
    ingest: IngestConfig
    synthesize: SynthesizeConfig
    train: TrainConfig
    evaluate: EvaluateConfig
    register_: RegisterConfig = Field(
        alias="register"
    )  # `register` itself is a method of every abstract class

    @model_validator(mode="after")
    def _scales_agree(self) -> Self:
        made, wanted = self.synthesize.scale, self.train.generator.scale
        if made != wanted:
            pairs = (
                f"set synthesize.downscale.scale to {wanted}"
                if wanted > 1
                else "leave synthesize.downscale out"
            )
            raise ValueError(
                f"synthesize makes pairs of scale {made} (target over input size), train.generator"
                f" {self.train.generator.kind} enlarges {wanted} times: {pairs}, or choose a generator of"
                f" scale {made}" + (" (srresnet enlarges, by its doublings)" if wanted == 1 else "")
            )
        return self

    @model_validator(mode="after")
    def _imported_pairs_are_not_made(self) -> Self:
        asked = self.synthesize.asks_for_blur
        if self.ingest.pairs is not None and asked:
            raise ValueError(
                "ingest.pairs takes in blurred pictures as they are, so synthesize makes none: leave"
                f" {', '.join(f'synthesize.{name}' for name in asked)} out"
            )
        return self

    @model_validator(mode="after")
    def _domains_have_no_pairs(self) -> Self:
        if self.ingest.domains is None:
            return self
        if asked := self.synthesize.asks_for_blur:
            raise ValueError(
                "ingest.domains takes photos in as they are, so synthesize makes nothing of them: leave"
                f" {', '.join(f'synthesize.{name}' for name in asked)} out"
            )
        if self.train.cycle is None:
            raise ValueError(
                "ingest.domains gives no pairs, and train.cycle is not set: name the losses of a cycle"
                " (train.cycle.consistency)"
            )
        for what, remedy in self.train.needs_pairs():
            raise ValueError(
                f"ingest.domains gives no pairs, and {what} looks at an input beside its own target: {remedy}"
            )
        return self

    @model_validator(mode="after")
    def _domains_have_few_targets(self) -> Self:
        """Photos of two domains are measured without a target, test pairs beside them against theirs."""
        if self.ingest.domains is None:
            return self
        alone = ", ".join(one.name for one in METRICS.values() if not one.needs_target)
        blind = [name for name in self.evaluate.metrics if not METRICS[name].needs_target]
        if not blind:
            raise ValueError(
                "ingest.domains gives photos without targets, and evaluate.metrics"
                f" ({', '.join(self.evaluate.metrics)}) names nothing that measures them: add {alone}"
            )
        for field, names in (
            ("evaluate.metrics", self.evaluate.metrics if self.ingest.pairs is None else ()),
            ("train.validate_metrics", self.train.validate_metrics),
        ):
            for name in names:
                if METRICS[name].needs_target:
                    tested = ", or name a paired test set (ingest.pairs)" if field[0] == "e" else ""
                    raise ValueError(
                        f"ingest.domains gives no pairs, and {field} names {name}, which needs a photo's own"
                        f" target: take {alone}{tested}"
                    )
        if self.ingest.pairs is not None and len(blind) == len(self.evaluate.metrics):
            raise ValueError(
                f"ingest.pairs names a paired test set, and evaluate.metrics ({', '.join(blind)}) has nothing"
                " that looks at its targets: add psnr_rgb, or leave ingest.pairs out"
            )
        return self

    @model_validator(mode="after")
    def _video_has_clips(self) -> Self:
        generator, pairs = self.train.generator, self.ingest.pairs
        clips = self.synthesize.clip is not None if pairs is None else pairs.gives_clips
        if generator.window > 1 and not clips:
            told = "made of single photos" if pairs is None else f"of ingest.pairs {pairs.kind}"
            raise ValueError(
                f"train.generator {generator.kind} is given {generator.window} neighbouring frames, and the"
                f" pairs are {told}, which know no neighbours: set synthesize.clip, or take ingest.pairs"
                " frame_average (videos), gopro, reds, dvd or two_folders with clips: true, or a generator"
                " of photos"
            )
        return self

    @model_validator(mode="after")
    def _gate_rests_on_what_is_measured(self) -> Self:
        primary, measured = self.register_.gate.primary, self.evaluate.metrics
        if primary not in measured:
            raise ValueError(
                f"register.gate.primary is {primary}, which is not measured: add it to evaluate.metrics,"
                f" which has {', '.join(measured)}"
            )
        for name in self.register_.gate.targets:
            if name not in measured:
                raise ValueError(
                    f"register.gate.targets names {name}, which is not measured: add it to evaluate.metrics,"
                    f" which has {', '.join(measured)}"
                )
        return self

    @model_validator(mode="after")
    def _crops_fit_into_photos(self) -> Self:
        most = self.synthesize.max_side_px
        for phase in (*self.train.phases, *self.train.finetune):
            needed = self.train.augment.smallest_px(phase.crop_px)
            if most is not None and most < needed:
                raise ValueError(
                    f"synthesize.max_side_px is {most}, so that no photo holds the {phase.crop_px} px crops"
                    f" of phase {phase.name}: raise it to {needed} or more, or lower the phase's crop_px"
                )
        return self

    @model_validator(mode="after")
    def _colours_can_be_learned(self) -> Self:
        translate, swap = self.synthesize.translate, self.train.augment.swap_channels
        if translate is not None and translate.kind == "to_colour" and swap > 0:
            raise ValueError(
                f"train.augment.swap_channels is {swap:g}, and synthesize.translate to_colour teaches which"
                " colour a grey stands for, which swapping unteaches: set it to 0"
            )
        return self

    @classmethod
    def of_record(cls, record: RecipeRecord) -> Self:
        """The recipe that a record holds as data."""
        return cls.model_validate(
            {"name": record.name, "about": record.about.get("about", "?"), **record.sections}
        )

    def refuse_small(self, photos: Sequence[Photo]) -> Quarantine:
        """The photos that training will leave out, since it could not crop them. Raises PhotoError
        when that is more than the recipe allows, which it would find out only after synthesize.
        """
        largest = max(self.train.phases, key=lambda phase: phase.crop_px)
        needed = self.train.augment.smallest_px(largest.crop_px)
        sizes = {photo.id: self.synthesize.target_size(photo) for photo in photos if photo.split == "train"}
        small = [photo for photo in photos if min(sizes.get(photo.id, (needed,))) < needed]
        if not small:
            return Quarantine.of((), {})
        width, height = sizes[small[0].id]
        whole = (width, height) == (small[0].width, small[0].height)
        words = (
            f"phase {largest.name} crops {largest.crop_px} px, but {len(small)} of {len(photos)} photos"
            f" are smaller: {small[0].name} is {small[0].width} × {small[0].height}"
            f" px{'' if whole else f', its target {width} × {height} px'}. Leave them out"
            f" ({f'ingest.min_px: {needed}' if whole else 'of the folder that is ingested'}), or lower"
            " the phase's crop_px"
        )
        reason = f"too small: its target is smaller than the {needed} px of phase {largest.name}"
        return leave_out(
            "train",
            [Unfit({photo.id: (photo.name, reason) for photo in small}, words)],
            dict.fromkeys(sizes, "train"),
            most=self.train.max_left_out,
        )

    def section(self, stage: str) -> Part:
        """One stage's settings."""
        settings: Part = getattr(self, "register_" if stage == "register" else stage)
        return settings

    def record(self) -> RecipeRecord:
        """The recipe as data, to travel with what it makes."""
        plain = self.plain()
        return RecipeRecord(
            name=self.name, sections={name: plain[name] for name in SECTIONS}, about={"about": self.about}
        )

    def plain(self) -> dict[str, Any]:
        """The recipe as it would stand in a YAML file, nothing left to default."""
        return self.model_dump(mode="json", by_alias=True)


def names(root: Path | None = None) -> tuple[str, ...]:
    """The recipes of a checkout (or of this installation), in alphabetical order."""
    # What starts with a dot is no recipe: macOS leaves ._demo.yaml beside a copied demo.yaml.
    found = (path.stem for path in _folder(root).glob("*.yaml") if path.is_file() or path.is_symlink())
    return tuple(sorted(name for name in found if not name.startswith(".")))


def load_all(root: Path | None = None) -> tuple[dict[str, Recipe], dict[str, RecipeError]]:
    """Every recipe by name, and what is wrong with those that cannot be read: one half-edited file
    is no reason to do without the others.
    """
    found: dict[str, Recipe] = {}
    refused: dict[str, RecipeError] = {}
    for name in names(root):
        try:
            found[name] = load(name, root=root)
        except RecipeError as error:
            refused[name] = error
    return found, refused


def load(name: str, *, root: Path | None = None, photos: str | None = None) -> Recipe:
    """Read a recipe by its name, or by the path of a YAML file.

    photos: folder or s3:// address that takes the place of its ingest.photos.
    Raises RecipeError that names file, field, value, what is allowed and the nearest right name.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else _folder(root) / f"{name}.yaml"
    if not path.is_file():
        known = names(root)
        if path.is_symlink() or path.exists():
            what = "a link to nothing that is a file" if path.is_symlink() else "a folder, or no plain file"
            raise RecipeError(f"{path} is {what}, and a recipe is a YAML file; correct or remove it")
        raise RecipeError(
            f'no recipe "{name}" (looked for {path}); there are'
            f" {', '.join(known) or 'none'}.{nearest(name, known)}"
        )
    plain = _read(path)
    if photos and isinstance(plain.get("ingest"), dict):
        plain["ingest"] = {**plain["ingest"], "photos": photos}
    try:
        recipe = Recipe.model_validate(plain)
    except ValidationError as error:
        raise RecipeError(explain(error, Recipe, plain, str(path))) from error
    if (wrong := boolean_for_number(plain, recipe)) is not None:
        raise RecipeError(f"{path}: {wrong.removeprefix('.')} is true or false, and must be a number")
    if recipe.name != path.stem:
        raise RecipeError(
            f"{path}: name is {recipe.name!r}, the file is called {path.stem!r}; they must be the same, since"
            " results lie in data/NAME"
        )
    return recipe


def _folder(root: Path | None) -> Path:
    return Path(__file__).parent if root is None else root / "components" / "recipes"


def _read(path: Path) -> dict[str, Any]:
    plain = yaml_rules.read(path)
    if not isinstance(plain, dict):
        raise RecipeError(
            f"{path} must be a mapping with the keys name, about, {', '.join(SECTIONS)}; it is"
            f" {'empty' if plain is None else f'a {type(plain).__name__}'}"
        )
    return plain
