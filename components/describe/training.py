"""How a recipe's nets are trained, in words and as a picture: losses with their weights,
optimisers, phases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components.core.baseline import Words, words_for
from components.describe.drawing import Drawing, Label, Line, Rect, Ring
from components.describe.layer_names import LETTER
from components.describe.nets import first_line
from components.train.config import Phase, TrainConfig

# Told on their own, or nothing about what is trained.
DEBLURRING = words_for("deblurring", "input")
TOLD = {
    "generator",
    "discriminators",
    "adversarial",
    "content",
    "generator_optimizer",
    "discriminator_optimizer",
    "phases",
}
HEIGHT, SPACE = 58.0, 18.0  # px of a box, and between two
TARGET = 26.0  # px between the restored photo and the sharp one


@dataclass(frozen=True)
class Term:
    """One term of the generator's loss."""

    name: str
    weight: float
    settings: str
    about: str
    discriminator: str = ""  # which net it comes through
    input: bool = False  # it looks at the generator's input, too
    target: bool = True  # it looks at the sharp photo
    phases: tuple[str, ...] = ()  # where it counts, when not everywhere


def terms(train: TrainConfig) -> list[Term]:
    """The terms of the generator's loss, with the weights they are added with."""
    found = []
    loss = train.adversarial
    for index, discriminator in enumerate(train.discriminators if loss else ()):
        assert loss is not None
        phases = _phases(train, [phase.adversarial for phase in train.phases])
        through = f"discriminator {index}: {discriminator.kind}"
        found.append(
            Term(
                loss.kind,
                loss.weight * discriminator.weight,
                words(loss),
                first_line(loss),
                through,
                discriminator.conditional,
                phases=phases,
            )
        )
    for name, part in train.content_losses():
        phases = _phases(train, [phase.content is None or name in phase.content for phase in train.phases])
        found.append(
            Term(
                name,
                part.weight,
                words(part),
                first_line(part),
                part.looks_through,
                target=part.compares_with_target,
                phases=phases,
            )
        )
    return found


def _phases(train: TrainConfig, chosen: list[bool]) -> tuple[str, ...]:
    """The phases where a term counts, by name; none named when it is all of them."""
    return (
        ()
        if all(chosen)
        else tuple(phase.name for phase, counts in zip(train.phases, chosen, strict=True) if counts)
    )


def optimisers(train: TrainConfig) -> dict[str, str]:
    """Net to its optimiser in words."""
    found = {"generator": train.generator_optimizer} | (
        {"discriminators": train.discriminator_optimizer} if train.discriminators else {}
    )
    return {name: f"{_plain(part.kind)}, {words(part)}" for name, part in found.items()}


def phase_words(phase: Phase) -> str:
    """A phase in one line.

    >>> phase_words(Phase(name="joint", epochs=300, crop_px=256, batch=1))
    'epochs 300, crops of 256 px, batch 1, generator and discriminators; rate constant (level 1)'
    """
    length = f"epochs {phase.epochs:g}" if phase.epochs is not None else f"images {phase.images:,}"
    who = "generator and discriminators" if phase.adversarial else "generator alone"
    parts = f" in {phase.accumulate} parts" if phase.accumulate > 1 else ""
    warm_up = f" after a warm-up of {phase.warm_up_images:,} images" if phase.warm_up_images else ""
    losses = f", content losses {', '.join(phase.content)}" if phase.content is not None else ""
    stop = f"; early stopping ({words(phase.early_stopping)})" if phase.early_stopping else ""
    return (
        f"{length}, crops of {phase.crop_px} px, batch {phase.batch}{parts}, {who}{losses}; rate"
        f" {value_words(phase.schedule)}{warm_up}{stop}"
    )


def further(train: TrainConfig) -> list[tuple[str, str, str]]:
    """All other settings that are not at their default: name, value, what it means."""
    fields = {name: field for name, field in type(train).model_fields.items() if name not in TOLD}
    return [
        (_plain(name), value_words(getattr(train, name)), field.description or _about(getattr(train, name)))
        for name, field in fields.items()
        if getattr(train, name) != _default(field)
    ]


def words(part: BaseModel) -> str:
    """A part's settings, without its kind and weight."""
    return ", ".join(
        f"{_plain(name)} {value_words(value)}"
        for name, value in part
        if name not in ("kind", "weight") and value is not None
    )


def value_words(value: object) -> str:
    """A setting as people write it.

    >>> value_words((1e-4, True, None)), value_words(())
    ('0.0001, yes, none', 'none')
    """
    if isinstance(value, BaseModel):
        name, settings = _plain(str(getattr(value, "kind", ""))), words(value)
        return f"{name} ({settings})" if name and settings else name or settings or "on"
    if isinstance(value, tuple | list):
        return ", ".join(value_words(each) for each in value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def overview(train: TrainConfig, generator: str, task: Words = DEBLURRING) -> Drawing:
    """The nets and losses wired up as in a step of the generator. generator: its words; task: what
    the task calls its pictures.
    """
    found = terms(train)
    made = Drawing(
        "Training",
        f"grey: the {task.restored} photo, green: the {task.target} one, dashed: the generator's input; below"
        " a weight the phases it is for, when not for all",
    )
    terms_height = len(found) * (HEIGHT + SPACE) - SPACE
    middle = 76 + terms_height / 2 if terms_height > 2 * HEIGHT else 76 + HEIGHT
    lowest = max(76 + terms_height, middle + HEIGHT * 1.5 + TARGET)
    wide = max(len(text) for term in found for text in _lines(term)) * LETTER + 28
    x = 24.0
    for title, width, style in (
        ("input", 84.0, "input"),
        (generator, max(120.0, len(generator) * LETTER + 28), "up"),
        (task.restored, 84.0, "input"),
    ):
        _box(made, x, middle - HEIGHT / 2, width, [title, "generator"] if style == "up" else [title], style)
        x += width + 46
        if title != task.restored:
            made.paths.append(Line(f"M{x - 46:.1f} {middle:.1f}h44", "flow"))
    # Three rails behind the restored photo: input, sharp, restored.
    rails, start = (x + 26, x + 12, x - 14), x - 46
    _box(made, start - 84, middle + HEIGHT / 2 + TARGET, 84, [task.target], "target")
    left, ring = x + 54, x + 54 + wide + 130
    for number, term in enumerate(found):
        top = middle - terms_height / 2 + number * (HEIGHT + SPACE)
        _box(
            made,
            left,
            top,
            wide,
            _lines(term),
            "block" if term.discriminator.startswith("discriminator") else "keep",
        )
        made.paths += _feeds(term, (left, top), rails, (start, middle), lowest)
        at, weight = top + HEIGHT / 2, f"× {term.weight:g}"
        made.paths.append(
            Line(f"M{left + wide:.1f} {at:.1f}H{ring - 34:.1f}V{middle:.1f}H{ring - 11:.1f}", "flow")
        )
        made.labels.append(Label(left + wide + 48, at - 6, weight, "channels"))
        shown = term.phases if len(term.phases) <= 3 else (term.phases[0], "…", term.phases[-1])
        made.labels += [
            Label(left + wide + 48, at + 14 + 13 * line, name, "small") for line, name in enumerate(shown)
        ]
    made.rings.append(Ring(ring, middle, "addition", "the generator's loss"))
    made.labels.append(Label(ring + 70, middle + 4, "generator's loss", "first"))
    made.width, made.height = round(ring + 140, 1), round(lowest + 40, 1)
    return made


def _lines(term: Term) -> list[str]:
    return [term.discriminator, f"{term.name} loss"] if term.discriminator else [f"{term.name} loss"]


def _feeds(
    term: Term,
    corner: tuple[float, float],
    rails: tuple[float, float, float],
    restored: tuple[float, float],
    lowest: float,
) -> Iterator[Line]:
    """The lines into a term's box: what it looks at."""
    (left, top), (input, target, photo), (start, middle) = corner, rails, restored
    yield Line(f"M{start:.1f} {middle:.1f}H{photo:.1f}V{top + 16:.1f}H{left - 2:.1f}", "flow")
    if term.target:
        yield Line(
            f"M{start:.1f} {middle + HEIGHT + TARGET:.1f}H{target:.1f}V{top + 29:.1f}H{left - 2:.1f}", "true"
        )
    if term.input:
        yield Line(
            f"M66 {middle + HEIGHT / 2:.1f}V{lowest + 18:.1f}H{input:.1f}V{top + 42:.1f}H{left - 2:.1f}",
            "input",
        )


def _box(made: Drawing, x: float, y: float, width: float, lines: list[str], style: str) -> None:
    made.rects.append(Rect(round(x, 1), round(y, 1), round(width, 1), HEIGHT, style, "\n".join(lines)))
    for number, text in enumerate(lines):
        at = y + HEIGHT / 2 + 4 + 16 * (number - (len(lines) - 1) / 2)
        made.labels.append(Label(round(x + width / 2, 1), round(at, 1), text, "first" if number == 0 else ""))


def _about(value: object) -> str:
    return first_line(value) if isinstance(value, BaseModel) else ""


def _default(field: FieldInfo) -> object:
    return field.get_default(call_default_factory=True, validated_data={})


def _plain(name: str) -> str:
    return name.replace("_", " ")
