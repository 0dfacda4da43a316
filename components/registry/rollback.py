"""Give the champion's place back: by a person, with a reason, measuring nothing."""

from __future__ import annotations

from components.core.errors import InputError, LineageError, nearest
from components.registry import enact, turns
from components.registry.decision import PROMOTED_FROM, REASON, ROLLED_BACK, Decision, decision_on
from components.registry.history import last_done
from components.registry.lineage import need_name
from components.registry.reasons import reason_of
from components.services import tracking


def rollback(name: str, reason: str, to: int | None = None) -> Decision:
    """Take the champion out and let the one before, or the version `to`, serve again; measures
    nothing. Asked again with the same reason it is the same rollback: nothing moves twice.

    Raises InputError without a name or reason, LineageError when there is nothing to go back to, BusyError
    while others decide.
    """
    need_name(name)
    reason = reason_of(reason, 'refocus rollback NAME --reason "colours shift at night"')
    turns.recover(name, enact.finish)
    champion = tracking.at_alias(name, tracking.CHAMPION)
    if champion is None:
        raise LineageError(
            f"{name} has no champion, so there is nothing to roll back; refocus promote makes one."
            f"{nearest(name, tracking.ledger.models())}"
        )
    with turns.turn(name, champion.number, enact.finish) as turn:
        champion = tracking.at_alias(name, tracking.CHAMPION)
        assert champion is not None, "an alias is moved, never taken away"
        last = last_done(name)
        if last is not None and _is_the_same(last, champion, reason, to):
            return last.again()
        target = _target(name, champion, to)
        words = f"rolled back from version {champion.number} to version {target.number}: {reason}"
        decision = decision_on(target, champion, True, words, "rollback", action="rollback", reason=reason)
        enact.carry_out(turn, decision)
    return decision


def _is_the_same(last: Decision, champion: tracking.Version, reason: str, to: int | None) -> bool:
    """Whether this rollback was done already, perhaps by a command that was killed before it said so."""
    asked_for = last.action == "rollback" and last.reason == reason and to in (None, last.version)
    return asked_for and last.version == champion.number


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
        tracking.maybe_version(name, int(before)) if before.isdigit() else None,
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
