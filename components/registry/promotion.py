"""Which version serves: the alias `champion`, moved by the gate, or moved back by a person.

    promote   champion measured again on the same test pairs → gate → champion re-read
              → `previous`, then `champion` → tags → audit
    rollback  the champion before serves again, with a reason; the version taken out is never
              promoted by itself again

MLflow's aliases keep no history and the last writer wins. So decisions about a model have one order
(turns.py), the champion is read again within it, and every decision is written into the registry's
ledger before the alias moves: what a crash leaves behind, the next caller finishes (enact.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from statistics import fmean

from components.core.errors import BusyError, LineageError
from components.core.gpu import Gpu
from components.core.parts import digest_of
from components.core.records import EvalReport, ModelVersion, PairSet, PhotoScore
from components.evaluate.config import Conditions
from components.metrics import METRICS
from components.metrics.differences import having
from components.nets.choices import Precision
from components.register.config import RegisterConfig
from components.register.gate import Measured, Verdict, decide
from components.registry import approval, enact, looks, measured, turns
from components.registry.decision import REASON, ROLLED_BACK, Decision, decision_on, recorded_on
from components.services import tracking

Measure = Callable[[tracking.Version, PairSet, tuple[str, ...]], tuple[PhotoScore, ...]]


def promote(
    config: RegisterConfig,
    pairset: PairSet,
    report: EvalReport,
    version: ModelVersion,
    *,
    tile_px: int = 1024,
    gpu: Gpu = "auto",
    precision: Precision = "fp32",
    measure: Measure | None = None,
) -> Decision:
    """Let the gate decide whether a version becomes champion, and move the alias when it says yes.

    report: the version's scores on the test pairs; tile_px, gpu, precision: as in the recipe's evaluate
    section; measure: gives the champion's scores; its `place`, if it has one, is where it measured.
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
    question = _question(config, pairset, report)
    how = Conditions(tile_px=tile_px, gpu=gpu, precision=precision)

    def asked() -> Decision:
        """The decision as things stand now; measures what has to be measured."""
        candidate = tracking.get_version(config.name, version.version)
        champion = tracking.at_alias(config.name, tracking.CHAMPION)
        settled = _settled(candidate, champion, question, config.approval)
        if settled is not None:
            return settled
        verdict, figures = _verdict(config, pairset, report, champion, measure, how)
        decision = _as_decision(verdict, config, candidate, champion, question)
        return decision.model_copy(update={"champion_figures": figures})

    turns.recover(config.name, enact.finish)
    if config.approval == "person":
        approval.lapse_old(config.name)
    decision = asked()  # measuring takes minutes, in which a rollback must not have to wait
    if decision.unchanged:
        return decision
    with turns.turn(config.name, version.version, enact.finish) as turn:
        if _champion(config.name) != decision.against:
            decision = asked()  # another one serves by now; while it is measured, the turn is ours
            if decision.unchanged:
                return decision
        if _champion(config.name) == decision.against:
            enact.carry_out(turn, decision)
            return decision
    raise BusyError(
        f"the champion of {config.name} changed twice while version {version.version} was compared with it,"
        " so nothing moved; run the same command again"
    )


def _as_decision(
    verdict: Verdict,
    config: RegisterConfig,
    candidate: tracking.Version,
    champion: tracking.Version | None,
    question: str,
) -> Decision:
    """What the gate says, to be carried out, or to be put to a person."""
    asks = verdict.passed and config.approval == "person"
    over = f" over version {champion.number}" if champion else ""
    words = verdict.words.replace("promoted", f"{'to be ' if asks else ''}promoted{over}", 1)
    decision = decision_on(candidate, champion, verdict.passed, words, question, verdict.checks)
    look = None if verdict.look is None else looks.counted(verdict.look)
    decision = decision.model_copy(update={"outcome": verdict.outcome, "look": look})
    return approval.asking(decision, config.approval_expires_h) if asks else decision


def _question(config: RegisterConfig, pairset: PairSet, report: EvalReport) -> str:
    """Digest of what is asked: what the gate demands, of which figures, on which pairs."""
    demands = config.gate.model_dump(mode="json", exclude={"parity"})  # of exported files, not of versions
    return digest_of([demands, report.digest, pairset.digest])


def _champion(name: str) -> int | None:
    now = tracking.at_alias(name, tracking.CHAMPION)
    return None if now is None else now.number


def _settled(
    candidate: tracking.Version, champion: tracking.Version | None, question: str, asked: str
) -> Decision | None:
    """The answer that needs no measuring: serving already, rolled back, or decided before."""
    known = recorded_on(candidate)
    if champion is not None and champion.number == candidate.number:
        if known is None or not known.promoted:
            return decision_on(
                candidate,
                champion,
                True,
                f"{candidate.words} is the champion already; its alias was set without the gate",
                question,
            ).again()
        return known.again()
    if candidate.tags.get(ROLLED_BACK) == "true":
        words = (
            f"refused: {candidate.words} was rolled back ({candidate.tags.get(REASON, 'no reason kept')}) and"
            " is never promoted by itself again"
        )
        return decision_on(candidate, champion, False, words, question).again()
    if (
        known is not None
        and not known.promoted
        and known.question == question
        and known.against == (champion and champion.number)
        and not (known.waits and asked == "automatic")  # the recipe asks nobody any more
    ):
        return known.again()
    return None


def _verdict(
    config: RegisterConfig,
    pairset: PairSet,
    report: EvalReport,
    champion: tracking.Version | None,
    measure: Measure | None,
    how: Conditions,
) -> tuple[Verdict, dict[str, float]]:
    """The gate's verdict, and the champion's mean figures on the same pairs."""
    better = {name: metric.better for name, metric in METRICS.items()}
    candidate = Measured(
        scores=report.scores(),
        seconds_per_megapixel=report.seconds_per_megapixel,
        measured_on=report.measured_on,
    )
    if champion is None:
        return decide(config.gate, candidate, None, better), {}
    names = tuple(sorted({name for score in candidate.scores for name in score.do_nothing})) or report.metrics
    where: str | None
    if measure is None:
        scores, where = measured_here(champion, pairset, names, how, as_on=report.measured_on)
    else:
        scores, where = measure(champion, pairset, names), getattr(measure, "place", None)
    theirs = Measured(scores=scores, seconds_per_megapixel=0.0, measured_on=where)
    rows = having(candidate.scores, config.gate.primary)
    groups = tuple({score.counts_as for score in rows if score.left_out is None})
    known = looks.history(config.name, champion.number, groups)
    verdict = decide(config.gate, candidate, theirs, better, looks=known.looks, worn=known.worn)
    return verdict, _means(theirs.scores)


def _means(scores: Sequence[PhotoScore]) -> dict[str, float]:
    """Means over the photos that have the metric, as a report has them."""
    counted = [score.restored for score in scores if score.left_out is None]
    names = sorted({name for each in counted for name in each})
    found = {name: fmean(each[name] for each in counted if name in each) for name in names}
    return {name: mean for name, mean in found.items() if isfinite(mean)}


def measured_here(
    champion: tracking.Version,
    pairset: PairSet,
    metrics: tuple[str, ...],
    how: Conditions,
    *,
    as_on: str | None = None,
) -> tuple[tuple[PhotoScore, ...], str]:
    """A champion's scores as this machine measures them, and with what device and precision.

    as_on: the place that it is to be compared with: where that is this machine's processor, its GPU is
    left alone.
    """
    gpu = measured.gpu_as(how["gpu"], how["precision"], as_on)
    where = measured.place("auto" if gpu == "require" else gpu, how["precision"])
    if where != as_on:
        found = measured.scores_elsewhere(champion, pairset, metrics, **(how | {"gpu": gpu}))
        if found is not None:
            return found
    return measured.scores_of(champion, pairset, metrics, **(how | {"gpu": gpu})), where
