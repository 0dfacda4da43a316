"""Which version serves: the alias `champion`, moved by the gate, or moved back by a person.

    promote   champion measured again on the same test pairs → gate → champion re-read
              → `previous`, then `champion` → tags → audit
    rollback  the champion before serves again, with a reason; the version taken out is never
              promoted by itself again

MLflow's aliases keep no history and the last writer wins. So one promotion of a model runs at a
time, the champion is read again before the alias moves, and every decision is a line in an
append-only file, a tag on its version and a tag on the model. The decision is written before the
alias moves: what a crash leaves behind, the next call of `promote` finishes.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

import components
from components.core.errors import BusyError, InputError, LineageError
from components.core.files import code_digest, state_folder, write_rows
from components.core.parts import canonical_json, digest_of
from components.core.record import Record
from components.core.records import EvalReport, ModelVersion, PairSet, PhotoScore
from components.metrics import METRICS
from components.register.config import RegisterConfig
from components.register.export import WEIGHTS_PLACE
from components.register.gate import Check, Measured, Verdict, decide
from components.services import tracking
from components.services.tracking import registry

DECISION, ROLLED_BACK, REASON, PROMOTED_FROM, PROMOTED_AT = (
    "refocus.decision",
    "rolled_back",
    "rollback.reason",
    "promoted_from",
    "promoted_at",
)
Measure = Callable[[tracking.Version, PairSet, tuple[str, ...]], tuple[PhotoScore, ...]]


class Decision(Record):
    """What was decided about one version, against which champion, and why. `about` says when, by
    whom, and whether it is news.
    """

    FILE = "decision.json"
    name: str
    version: int
    promoted: bool
    against: int | None = Field(description="the champion it was compared with; None when none served")
    words: str
    checks: tuple[Check, ...] = ()
    question: str = Field(description="digest of what was asked: gate, report, pairs")

    @property
    def unchanged(self) -> bool:
        """True when this was decided before and nothing has changed since."""
        return self.about.get("unchanged") is True

    @property
    def told(self) -> str:
        """The words; with their date where they were measured before: "no champion serves yet" was
        true then.
        """
        earlier = self.unchanged and self.checks
        return (
            f"decided at {self.about.get('at', 'an unknown time')}, and nothing has changed since:"
            f" {self.words}"
            if earlier
            else self.words
        )

    def again(self) -> Decision:
        """The same decision, marked as no news."""
        return self.model_copy(update={"about": {**self.about, "unchanged": True}})


def promote(
    config: RegisterConfig,
    pairset: PairSet,
    report: EvalReport,
    version: ModelVersion,
    *,
    tile_px: int = 1024,
    measure: Measure | None = None,
) -> Decision:
    """Let the gate decide whether a version becomes champion, and move the alias when it says yes.

    pairset: the test pairs; report: the version's scores on them; tile_px: as in the recipe's
    evaluate section;
    measure: gives the champion's scores on the same pairs.
    The same question asked again is answered from the record, without measuring.
    Raises LineageError when the records do not belong together, BusyError when another promotion is
    at work or the champion keeps changing.
    """
    for what, named, found in (
        ("checkpoint", report.checkpoint, version.checkpoint),
        ("pairs", report.pairset, pairset.digest),
    ):
        if named != found:
            raise LineageError(
                f"the report's {what} have the digest {named[:12]}…, those of {version.name} version"
                f" {version.version} {found[:12]}…; run evaluate again"
            )
    question = digest_of([config.gate.model_dump(mode="json"), report.digest, pairset.digest])
    with _alone(f"promote-{config.name}", patience_s=5):
        for _ in range(2):
            candidate, champion = (
                tracking.get_version(config.name, version.version),
                tracking.at_alias(config.name, tracking.CHAMPION),
            )
            settled = _settled(candidate, champion, question)
            if settled is not None:
                return settled
            verdict = _verdict(config, pairset, report, champion, measure or _measure_again(tile_px))
            words = (
                verdict.words.replace("promoted", f"promoted over version {champion.number}", 1)
                if champion
                else verdict.words
            )
            decision = _decision(candidate, champion, verdict.passed, words, question, verdict.checks)
            with _alone(f"alias-{config.name}", patience_s=60):
                now = tracking.at_alias(config.name, tracking.CHAMPION)
                if (now and now.number) == decision.against:
                    _carry_out(decision)
                    return decision
    raise BusyError(
        f"the champion of {config.name} changed twice while version {version.version} was compared with it,"
        " so nothing moved; run the same command again"
    )


def rollback(name: str, reason: str, to: int | None = None) -> Decision:
    """Take the champion out and let the one before, or the version `to`, serve again; measures
    nothing.

    Raises InputError without a reason, LineageError when there is nothing to go back to.
    """
    if not reason.strip():
        raise InputError(
            "a rollback needs a reason, which is kept with the version: refocus rollback NAME --reason"
            ' "colours shift at night"'
        )
    with _alone(f"alias-{name}", patience_s=60):
        champion = tracking.at_alias(name, tracking.CHAMPION)
        if champion is None:
            raise LineageError(
                f"{name} has no champion, so there is nothing to roll back; refocus promote makes one"
            )
        target = _target(name, champion, to)
        words = f"rolled back from version {champion.number} to version {target.number}: {reason.strip()}"
        decision = _decision(target, champion, True, words, "rollback")
        # The mark comes first: whatever happens next, no schedule brings this version back.
        tracking.add_tags(
            name, champion.number, {ROLLED_BACK: "true", REASON: reason.strip(), **_demotion(decision)}
        )
        _move(decision)
        if target.tags.get(ROLLED_BACK) == "true":
            tracking.add_tags(name, target.number, {ROLLED_BACK: "false"})
        _note("rollback", decision)
    return decision


def audit_file(name: str) -> Path:
    """The append-only record of a model's promotions, refusals and rollbacks made on this machine:
    one JSON object a line.
    """
    return state_folder() / "promotions" / f"{name}.jsonl"


def _target(name: str, champion: tracking.Version, to: int | None) -> tracking.Version:
    """The version a rollback goes to."""
    if to is not None:
        chosen = tracking.get_version(name, to)
        if chosen.number == champion.number:
            raise InputError(f"version {to} of {name} is the champion already; name another version")
        if (status := chosen.tags.get(tracking.STATUS, "absent")) != "passed":
            raise LineageError(
                f"version {to} of {name} never passed the gate (its {tracking.STATUS} is {status}), so it"
                " cannot serve; name one that did"
            )
        return chosen
    # `previous` is of no use after a promotion or rollback that was cut short; the champion's own
    # tag still knows whom it followed.
    before = champion.tags.get(PROMOTED_FROM, "")
    found = (
        tracking.at_alias(name, tracking.PREVIOUS),
        tracking.get_version(name, int(before)) if before.isdigit() else None,
    )
    for earlier in found:
        if earlier and _unfit(earlier, champion) is None:
            return earlier
    tried = (
        ", ".join(
            sorted(
                {f"version {earlier.number} ({_unfit(earlier, champion)})" for earlier in found if earlier}
            )
        )
        or "none is on record"
    )
    raise LineageError(
        f"{name} has no previous champion to go back to: {tried}; name a version that passed the gate with"
        " --to, or promote another one"
    )


def _unfit(earlier: tracking.Version, champion: tracking.Version) -> str | None:
    """Why a version cannot serve again by itself, or None when it can."""
    if earlier.number == champion.number:
        return "the champion itself"
    if earlier.tags.get(ROLLED_BACK) == "true":
        return f"rolled back: {earlier.tags.get(REASON, 'no reason kept')}"
    return None if earlier.tags.get(tracking.STATUS) == "passed" else "never passed the gate"


def _settled(
    candidate: tracking.Version, champion: tracking.Version | None, question: str
) -> Decision | None:
    """The answer that needs no measuring: serving already, rolled back, or decided before."""
    known = _recorded(candidate)
    if champion is not None and champion.number == candidate.number:
        if known is None or not known.promoted:
            return _decision(
                candidate,
                champion,
                True,
                f"{candidate.words} is the champion already; its alias was set without the gate",
                question,
            ).again()
        if candidate.tags.get(PROMOTED_AT) != known.about.get("at"):
            _finish(known)  # a crash came between the alias and its tags
        return known.again()
    if candidate.tags.get(ROLLED_BACK) == "true":
        words = (
            f"refused: {candidate.words} was rolled back ({candidate.tags.get(REASON, 'no reason kept')}) and"
            " is never promoted by itself again"
        )
        return _decision(candidate, champion, False, words, question).again()
    if (
        known is not None
        and not known.promoted
        and known.question == question
        and known.against == (champion and champion.number)
    ):
        return known.again()
    return None


def _verdict(
    config: RegisterConfig,
    pairset: PairSet,
    report: EvalReport,
    champion: tracking.Version | None,
    measure: Measure,
) -> Verdict:
    candidate = Measured(scores=report.scores(), seconds_per_megapixel=report.seconds_per_megapixel)
    theirs = None
    if champion is not None:
        names = tuple(sorted(candidate.scores[0].do_nothing)) if candidate.scores else report.metrics
        theirs = Measured(scores=measure(champion, pairset, names), seconds_per_megapixel=0.0)
    return decide(config.gate, candidate, theirs, {name: metric.better for name, metric in METRICS.items()})


def _measure_again(tile_px: int) -> Measure:
    """Measure the champion with today's code: its stored scores come from other code and perhaps
    other photos. Kept for the next time.
    """

    def measure_again(
        champion: tracking.Version, pairset: PairSet, metrics: tuple[str, ...]
    ) -> tuple[PhotoScore, ...]:
        from components.evaluate.measure import (
            measure,
        )  # torch takes seconds to import; a refusal or a rollback must not wait for it
        from components.nets.restore import load_restorer

        here = Path(components.__file__).parent
        code = code_digest(
            here / "metrics",
            here / "evaluate",
            here / "nets",
            here / "core" / "baseline.py",
            here / "core" / "resize.py",
        )
        weights = [champion.tags[registry.WEIGHTS_SHA256], champion.tags[registry.GENERATOR_SHA256]]
        kept = (
            state_folder()
            / "measured"
            / f"{digest_of([weights, pairset.digest, sorted(metrics), tile_px, code])}.jsonl"
        )
        try:
            return tuple(PhotoScore.model_validate_json(line) for line in kept.read_text().splitlines())
        except (OSError, ValidationError):
            pass
        with tracking.fetch(champion, WEIGHTS_PLACE) as folder:
            scores = measure(
                load_restorer(folder, tile_px=tile_px).restore, pairset, metrics, title="champion"
            )
        write_rows(kept, scores)
        return scores

    return measure_again


def _decision(
    candidate: tracking.Version,
    champion: tracking.Version | None,
    promoted: bool,
    words: str,
    question: str,
    checks: tuple[Check, ...] = (),
) -> Decision:
    against = champion.number if champion else None
    about = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "by": _who()}
    return Decision(
        name=candidate.name,
        version=candidate.number,
        promoted=promoted,
        against=against,
        words=words,
        checks=checks,
        question=question,
        about={**about},
    )


def _carry_out(decision: Decision) -> None:
    """Write the decision down, then do it; a crash in between is finished by the next `promote`."""
    tracking.add_tags(
        decision.name, decision.version, {DECISION: canonical_json(decision.model_dump(mode="json"))}
    )
    if decision.promoted:
        _move(decision)
    _finish(decision)


def _move(decision: Decision) -> None:
    """Point `previous` to the old champion, then `champion` to the new one (the one step that
    counts), and read back.
    """
    if decision.against is not None:
        tracking.set_alias(decision.name, tracking.PREVIOUS, decision.against)
    tracking.set_alias(decision.name, tracking.CHAMPION, decision.version)
    now = tracking.at_alias(decision.name, tracking.CHAMPION)
    if now is None or now.number != decision.version:
        raise BusyError(
            f"the champion of {decision.name} is not version {decision.version}, which was just set: another"
            " writer is at work; find it and promote again"
        )


def _finish(decision: Decision) -> None:
    """Audit and tags of a decision that was carried out."""
    _note("promote" if decision.promoted else "refuse", decision)
    tags = {tracking.STATUS: "passed" if decision.promoted else "failed", "gate.words": decision.words}
    if decision.promoted:
        before = "none" if decision.against is None else str(decision.against)
        tags |= {
            "promoted_by": str(decision.about["by"]),
            PROMOTED_FROM: before,
            PROMOTED_AT: str(decision.about["at"]),
        }
        if decision.against is not None:
            tracking.add_tags(decision.name, decision.against, _demotion(decision))
    tracking.add_tags(decision.name, decision.version, tags)


def _demotion(decision: Decision) -> dict[str, str]:
    return {"demoted_at": str(decision.about["at"]), "demoted_by": str(decision.about["by"])}


def _note(action: str, decision: Decision) -> None:
    """Add a line to the audit, here and in the registry, unless it stands there; lines are never
    changed.
    """
    said = {
        "action": action,
        "name": decision.name,
        "version": decision.version,
        "against": decision.against,
        **decision.about,
    }
    line, path = canonical_json({**said, "words": decision.words}), audit_file(decision.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or line not in path.read_text(encoding="utf-8").splitlines():
        with path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
    short = canonical_json({**said, "words": decision.words[:4000]})  # a model's tag holds 5000 characters
    lines = {
        key: text for key, text in tracking.model_tags(decision.name).items() if key.startswith("audit.")
    }
    if short not in lines.values():
        tracking.add_model_tags(decision.name, {f"audit.{len(lines) + 1:06d}": short})


def _recorded(version: tracking.Version) -> Decision | None:
    text = version.tags.get(DECISION)
    try:
        return None if text is None else Decision.model_validate_json(text)
    except ValidationError:
        return None  # written by another version of this program: decide anew


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


@contextmanager
def _alone(what: str, *, patience_s: float) -> Iterator[None]:
    lock = state_folder() / "locks" / f"{what}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=patience_s):
            yield
    except Timeout as error:
        raise BusyError(
            f"another process is at work on {what} (it holds {lock}); wait for it and run the same command"
            " again"
        ) from error
