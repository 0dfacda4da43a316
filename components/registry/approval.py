"""The last word on a version that passed the gate, where its recipe gives it to a person:
`register.approval: person`.

    ask      the gate says yes; the version waits, for so many hours, and nothing is held meanwhile
    approve  the champion is read again; still the one that it was compared with, the version serves
    reject   it never serves by itself
    lapse    nobody answered in time, or another champion came meanwhile: to be judged again

Each is a decision in the registry's ledger, with who, when and why; so it works the same from Prefect's
page, from `refocus approve`, with a server and without.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from components.core.errors import InputError
from components.registry import enact, turns
from components.registry.actor import owner
from components.registry.decision import Action, Decision, decision_on, recorded_on
from components.registry.reasons import reason_of
from components.services import tracking

WAITING = "waiting"  # a version's validation_status


def asking(decision: Decision, hours: float) -> Decision:
    """The gate's yes, as a question to a person."""
    until = datetime.now(UTC) + timedelta(hours=hours)
    return decision.model_copy(
        update={
            "action": "ask",
            "promoted": False,
            "expires_at": until.isoformat(timespec="seconds"),
            "words": f"waits for a person until {until:%Y-%m-%d %H:%M} UTC: {decision.words}",
        }
    )


def seconds_left(decision: Decision) -> float:
    """How long a person may still answer; 0 and less when the time is over."""
    assert decision.expires_at is not None, "an ask says until when"
    return (datetime.fromisoformat(decision.expires_at) - datetime.now(UTC)).total_seconds()


def waiting(name: str) -> tuple[tracking.Version, ...]:
    """The versions of a model that wait for a person, newest first."""
    found = tracking.search(f"name = '{name}' and tags.`{tracking.STATUS}` = '{WAITING}'")
    return tuple(tracking.get_version(each.name, each.number) for each in found)


def lapse_old(name: str) -> tuple[Decision, ...]:
    """Record of every version whose time is over that nobody answered; gives those decisions."""
    return tuple(
        _lapse(version, ask, f"not promoted: nobody answered until {ask.expires_at}")
        for version in waiting(name)
        if (ask := _ask_of(version)) is not None and seconds_left(ask) <= 0
    )


def answer(name: str, number: int, *, approve: bool, reason: str, by: str | None = None) -> Decision:
    """A person's answer about a version that waits. by: who it is; this user when left out.

    The same answer given twice is the same decision. A yes that comes too late, or after another champion
    came, is recorded as lapsed and moves nothing.
    Raises InputError without a reason or when the version does not wait, BusyError while others decide.
    """
    reason = reason_of(reason, 'refocus approve NAME:VERSION --reason "looked at the pictures"')
    action: Action = "approve" if approve else "reject"
    turns.recover(name, enact.finish)
    known = recorded_on(tracking.get_version(name, number))
    if known is not None and (known.action, known.reason) == (action, reason):
        return known.again()
    _need_ask(name, number)
    with turns.turn(name, number, enact.finish) as turn:
        ask = _need_ask(name, number)
        champion = tracking.at_alias(name, tracking.CHAMPION)
        now = champion.number if champion else None
        who = by or owner()
        if seconds_left(ask) <= 0:
            decision = _lapsed(ask, f"not promoted: {who} answered after {ask.expires_at}: {reason}", by)
        elif approve and now != ask.against:
            decision = _lapsed(
                ask,
                f"not promoted: {who} approved ({reason}), but version {now} became champion meanwhile, and"
                f" it was compared with {f'version {ask.against}' if ask.against else 'none'}",
                by,
            )
        else:
            done = ask.words.partition(": ")[2].replace("to be promoted", "promoted", 1)
            words = f"approved by {who} ({reason}): {done}" if approve else f"rejected by {who}: {reason}"
            version = tracking.get_version(name, number)
            decision = decision_on(
                version,
                champion,
                approve,
                words,
                ask.question,
                ask.checks,
                action=action,
                reason=reason,
                by=by,
            ).model_copy(update={"against": ask.against, "outcome": ask.outcome})
        enact.carry_out(turn, decision)
    return decision


def _ask_of(version: tracking.Version) -> Decision | None:
    known = recorded_on(version)
    return known if known is not None and known.waits else None


def _need_ask(name: str, number: int) -> Decision:
    version = tracking.get_version(name, number)
    ask = _ask_of(version)
    if ask is None:
        told = recorded_on(version)
        status = version.tags.get(tracking.STATUS, "never judged")
        raise InputError(
            f"{version.words} waits for nobody ({told.words if told else status}); refocus history {name} has"
            " what was decided"
        )
    return ask


def _lapse(version: tracking.Version, ask: Decision, words: str) -> Decision:
    with turns.turn(version.name, version.number, enact.finish) as turn:
        now = recorded_on(tracking.get_version(version.name, version.number))
        if now is None or not now.waits or now.expires_at != ask.expires_at:
            return now or ask  # somebody was quicker
        decision = _lapsed(ask, words, None)
        enact.carry_out(turn, decision)
    return decision


def _lapsed(ask: Decision, words: str, by: str | None) -> Decision:
    """It may be judged again, so the question is no more the one that was answered."""
    again = f"; to judge it again: refocus promote {ask.name} {ask.version}"
    about = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "by": by or owner()}
    changed = {
        "action": "lapse",
        "promoted": False,
        "words": words + again,
        "question": "lapsed",
        "look": None,
    }
    return ask.model_copy(update={**changed, "about": about})
