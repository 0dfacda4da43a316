"""The model card: what the model is, what it learned from, how it was measured, where it fails, how
to load it (Mitchell et al. 2019, "Model Cards").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import yaml

from components.core.baseline import targets_words, words_for
from components.core.records import (
    Checkpoint,
    EvalReport,
    Pair,
    PairSet,
    Photo,
    PhotoScore,
    PhotoSet,
    Provenance,
    RecipeRecord,
)
from components.metrics import METRICS, primary_of
from components.metrics.differences import counted, having
from components.register.card_figures import figures, groups_of
from components.register.policy import GatePolicy

PAIRS = {"deblurring": "blurred/sharp", "super_resolution": "small/large", "translation": "input/target"}


def write_card(
    name: str,
    recipe: RecipeRecord,
    photoset: PhotoSet,
    pairset: PairSet,
    checkpoint: Checkpoint,
    report: EvalReport,
    provenance: Provenance,
) -> str:
    """The card as Markdown; a pure function of the records."""
    photos, scores = photoset.photos(), report.scores()
    parts = [
        f"# {name}",
        (
            f"{_purpose(pairset)} Trained by the recipe `{recipe.name}` on {_training_pairs(pairset)},"
            f" {checkpoint.images_seen} crops seen{_start(checkpoint)}."
        ),
        "## Measured on photos it never saw",
        figures(pairset, report, scores),
        "## What being the champion means",
        _promise(recipe, scores),
        "## Data",
        _data(photoset, pairset, photos),
        "## Limits",
        _limits(pairset, scores),
        "## Use",
        _use(name, pairset.scale),
        "## Identity",
        _identity(photoset, pairset, checkpoint, report, recipe, provenance),
        "## Recipe",
        "```yaml\n" + yaml.safe_dump(dict(recipe.sections), sort_keys=False, allow_unicode=True) + "```",
    ]
    return "\n\n".join(parts) + "\n"


def _training_pairs(pairset: PairSet) -> str:
    if (other := pairset.unpaired) is not None:
        return f"{pairset.counts['train']} photos and {other.targets['train']} sharp ones of other scenes"
    if pairset.on_the_fly is None:
        return f"{pairset.counts['train']} {PAIRS[pairset.task]} pairs"
    return f"{PAIRS[pairset.task]} pairs made of {pairset.on_the_fly.sources} photos, a new one for each crop"


def _start(checkpoint: Checkpoint) -> str:
    if checkpoint.parent is None:
        return ""
    name = checkpoint.about.get("parent")
    return f", after starting from `{name}` (checkpoint {checkpoint.parent[:12]}…)"


def _kinds(pairset: PairSet) -> list[str]:
    """Kinds of blur, or of translation, among the training pairs, as they stand in the text."""
    if pairset.on_the_fly is None:
        return sorted({_kind(pair) for pair in pairset.pairs("train")})
    blurs = pairset.on_the_fly.degradation["blurs"]
    assert isinstance(blurs, list), "a degradation has a list of blurs"
    return sorted({f"`{blur['kind']}`" for blur in blurs if isinstance(blur, dict)})


def _purpose(pairset: PairSet) -> str:
    if pairset.task == "super_resolution":
        return f"Enlarges photos {pairset.scale} times each way."
    if pairset.task == "translation":
        kinds = _kinds(pairset)
        if kinds == ["`to_colour`"]:
            return "Gives colour to grey photos."
        return f"Turns one kind of picture into another ({', '.join(kinds)})."
    return "Restores sharp photos from blurred ones."


def _data(photoset: PhotoSet, pairset: PairSet, photos: Iterable[Photo]) -> str:
    counts = ", ".join(f"{count} {split}" for split, count in photoset.counts.items())
    pairs = ", ".join(f"{count} {split}" for split, count in pairset.counts.items())
    input = sorted({_kind(pair) for pair in pairset.pairs() if pair.blur_kind == "imported"})
    lines = [
        f"{sum(photoset.counts.values())} photos ({counts}), {sum(pairset.counts.values())} pairs ({pairs}). "
        "No photo, and no near duplicate of one, stands in two splits."
        + (f" The blurred pictures were given: {'; '.join(input)}." if input else ""),
        "",
        f"Settings of ingest that made the set: {_cell(photoset.settings)}.",
        "",
    ]
    lines += ["| photos | origin | licence |", "| ---: | --- | --- |"]
    known = Counter((_cell(photo.origin), _cell(photo.licence)) for photo in photos)
    lines += [f"| {count} | {origin} | {licence} |" for (origin, licence), count in sorted(known.items())]
    if any(licence == "not stated" for _, licence in known):
        lines += [
            "",
            (
                "Some photos state no licence: make sure that you may use them before the model leaves your"
                " house."
            ),
        ]
    return "\n".join(lines)


def _cell(text: str | None) -> str:
    return text.replace("|", "/").replace("\n", " ") if text else "not stated"


def _promise(recipe: RecipeRecord, scores: tuple[PhotoScore, ...]) -> str:
    """What the gate proves, and what it does not."""
    section = recipe.sections.get("register")
    gate = section.get("gate", {}) if isinstance(section, dict) else {}
    policy = GatePolicy.model_validate(gate)
    groups = groups_of(having(scores, policy.primary))
    few = (
        f" With {counted(groups)} no champion is ever replaced by itself, as {policy.least_groups} are"
        " needed: a version that serves here was chosen by the floors alone, and is provisional."
        if groups < policy.least_groups
        else " A first champion, which replaced none, was chosen by the floors alone, and is provisional."
    )
    return (
        f"A version replaces a champion when it is proved better in `{policy.primary}`, by"
        f" {policy.least_gain:g} at least, on the same test pairs, and no worse elsewhere. One that is no"
        f" better takes its place with a probability of {100 * policy.level:g} % at most in {policy.nights:,}"
        f" comparisons.{few} The gain that a promotion claims is corrected for having been selected."
    )


def _limits(pairset: PairSet, scores: tuple[PhotoScore, ...]) -> str:
    lines = [
        _known(pairset),
        (
            "- It invents plausible detail. Do not use it where a picture is evidence (medicine, law, licence"
            " plates)."
        ),
        (
            f"- The figures above hold for test photos like these; {counted(groups_of(scores))} of photos"
            " (scenes, clips, near duplicates) are what they rest on."
        ),
    ]
    if (told := targets_words(row.paired for row in scores)) is not None:
        lines.insert(1, f"- {told}.")
    primary = METRICS[primary_of(dict.fromkeys(name for score in scores for name in score.restored))]
    scores = having(scores, primary.name)
    worse = [
        row for row in scores if primary.gain(row.restored[primary.name], row.do_nothing[primary.name]) < 0
    ]
    if worse:
        than = (
            "left alone"
            if pairset.baseline == "input"
            else f"by doing nothing ({words_for(pairset.task, pairset.baseline).nothing})"
        )
        lines.append(
            f"- {len(worse)} of {len(scores)} test pairs came out worse than {than} (`{primary.name}`)."
        )
    return "\n".join(lines)


def _kind(pair: Pair) -> str:
    """What blurred a pair; of one that was given, which set it is from and which variant, since
    results on two variants cannot be compared.
    """
    told = [
        str(pair.drawn[name])
        for name in ("layout", "variant")
        if pair.blur_kind == "imported" and pair.drawn.get(name)
    ]
    return f"`{pair.blur_kind}`" + (f" ({', '.join(told)})" if told else "")


def _known(pairset: PairSet) -> str:
    """What it was trained for, and so what not to expect."""
    if pairset.unpaired is not None:
        return "- It knows blur like that of the photos it was trained on, which nobody has measured."
    kinds = ", ".join(_kinds(pairset))
    # Pairs that training made were not measured; those to validate and test with are drawn from the
    # same ranges.
    most = max(
        (pair.severity for pair in pairset.pairs(None if pairset.on_the_fly is not None else "train")),
        default=0.0,
    )
    blur = (
        f"the blur it was trained on: {kinds}, up to {most:.1f} px RMS radius. Expect little on other blurs"
        " and on stronger ones."
    )
    if pairset.task == "translation":
        return (
            f"- It knows pictures like those it was trained on ({kinds}) and will paint something for any"
            " other."
        )
    if pairset.task == "super_resolution":
        beside = f" It knows {blur}" if most > 0 else " It was trained without blur."
        return (
            "- It knows photos made small as its training photos were (see the recipe's `downscale`);"
            f" others, such as JPEG thumbnails, it may worsen.{beside}"
        )
    return f"- It knows {blur}"


def _use(name: str, scale: int) -> str:
    larger = "any size" if scale == 1 else f"any size; {scale} times larger comes back"
    return f"""```python
import mlflow, numpy as np
from PIL import Image

model = mlflow.pyfunc.load_model("models:/{name}@champion")
photo = np.asarray(Image.open("photo.jpg").convert("RGB"))
restored = model.predict(photo[None].astype(np.float32) / 255)[0]  # (N, H, W, 3) float32 in [0, 1], {larger}
restored = model.unwrap_python_model().predict(None, photo)  # or one photo as it is: (H, W, 3) uint8
```

No pickle is opened, and nothing of the training code is needed: what reads the weights travels with them.
Loading runs the Python files in the model's folder, so load models from your own registry only."""


def _identity(
    photoset: PhotoSet,
    pairset: PairSet,
    checkpoint: Checkpoint,
    report: EvalReport,
    recipe: RecipeRecord,
    provenance: Provenance,
) -> str:
    rows = {
        "weights": checkpoint.weights_sha256,
        "checkpoint": checkpoint.digest,
        "recipe": recipe.digest,
        "pairs": pairset.digest,
        "photos": photoset.digest,
        "report": report.digest,
        "git commit": provenance.git_commit,
        **{f"DVC {output}": md5 for output, md5 in sorted(provenance.dvc.items())},
    }
    return "| what | digest |\n| --- | --- |\n" + "\n".join(
        f"| {what} | `{digest}` |" for what, digest in rows.items()
    )
