"""What the Registry is still to be told: kept with the message that it follows from, taken in each patient's order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, bindparam, delete, exists, func, insert, literal, or_, select, text, update

from common.db import Row, Statement, Work
from common.outbox.tables import now_ms
from identity.rules.identifiers import Key
from identity.store.tables import forward, turn

WAITING: Final = "waiting"
REFUSED: Final = "refused"

_KEEP: Final = Statement(
    insert(forward).values(
        event=bindparam("event"),
        patient=bindparam("patient"),
        other=bindparam("other"),
        state=WAITING,
        tries=0,
        kept_at=now_ms(),
        due_at=now_ms(),
    )
)
_earlier = forward.alias("earlier")
_ends = (forward.c.patient, forward.c.other)
_blocked = exists(
    select(_earlier.c.forward).where(
        _earlier.c.forward < forward.c.forward,
        _earlier.c.state == WAITING,
        or_(_earlier.c.patient.in_(_ends), _earlier.c.other.in_(_ends)),
    )
)
_line = (forward.c.forward, forward.c.event, forward.c.patient, forward.c.other, forward.c.state, forward.c.tries)
_shown = (*_line, forward.c.reason, now_ms() - forward.c.kept_at)
_NEXT: Final = Statement(
    select(*_shown)
    .where(forward.c.state == WAITING, forward.c.due_at <= now_ms(), ~_blocked)
    .order_by(forward.c.forward)
    .limit(literal(1))
)
_DONE: Final = Statement(delete(forward).where(forward.c.forward == bindparam("b_forward")))
_LATER: Final = Statement(
    update(forward)
    .where(forward.c.forward == bindparam("b_forward"))
    .values(due_at=now_ms() + bindparam("b_ms"), tries=forward.c.tries + 1, reason=bindparam("reason"))
)
_ALL_LATER: Final = Statement(
    update(forward)
    .where(and_(forward.c.state == WAITING, forward.c.due_at < now_ms() + bindparam("b_ms")))
    .values(due_at=now_ms() + bindparam("b_ms"))
)
_REFUSE: Final = Statement(
    update(forward)
    .where(forward.c.forward == bindparam("b_forward"))
    .values(state=REFUSED, tries=forward.c.tries + 1, reason=bindparam("reason"))
)
_LIST: Final = Statement(select(*_shown).order_by(forward.c.forward).limit(bindparam("b_most")))
_COUNT: Final = Statement(select(forward.c.state, func.count()).group_by(forward.c.state))
_AGAIN: Final = Statement(
    update(forward)
    .where(forward.c.forward == bindparam("b_forward"), forward.c.state == REFUSED)
    .values(state=WAITING, due_at=now_ms())
)
_DISCARD: Final = Statement(
    delete(forward).where(forward.c.forward == bindparam("b_forward"), forward.c.state == REFUSED)
)
_NOW: Final = {
    False: "(extract(epoch FROM statement_timestamp()) * 1000)::bigint",
    True: "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
}
_TURN: Final = {
    is_sqlite: Statement(
        text(
            f"INSERT INTO pix_turn (name, holder, until) VALUES ('forward', :holder, {now} + :ms) "  # noqa: S608
            f"ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until "
            f"WHERE pix_turn.until < {now} OR pix_turn.holder = excluded.holder"
        )
    )
    for is_sqlite, now in _NOW.items()
}
_END_TURN: Final = Statement(delete(turn).where(turn.c.holder == bindparam("b_holder")))


@dataclass(frozen=True, slots=True)
class Forward:
    """One message to the Registry: ``A04`` that a patient is known, ``A40`` that ``other`` was merged into them."""

    number: int
    event: str
    patient: str
    other: str
    state: str
    tries: int
    reason: str | None
    age: float


def keep(work: Work, event: str, patient: Key, other: Key | None = None) -> None:
    """Part of the unit of work that it follows from."""
    work.run(_KEEP, {"event": event, "patient": patient.cx(), "other": (other or patient).cx()})


def take_turn(work: Work, holder: str, seconds: float) -> bool:
    """Whether it is this holder's turn to forward, for so long."""
    statement = _TURN[not work.takes_many_inserts_at_once]
    return work.run(statement, {"holder": holder, "ms": round(seconds * 1000)}) > 0


def end_turn(work: Work, holder: str) -> None:
    """Let others have their turn."""
    work.run(_END_TURN, {"b_holder": holder})


def next_due(work: Work) -> Forward | None:
    """The next message, behind all that were kept before it for the same patients."""
    rows = work.rows(_NEXT)
    return _read(rows[0]) if rows else None


def done(work: Work, number: int) -> None:
    """The Registry has accepted it."""
    work.run(_DONE, {"b_forward": number})


def later(work: Work, number: int, seconds: float, reason: str) -> None:
    """Try again after a pause."""
    work.run(_LATER, {"b_forward": number, "b_ms": round(seconds * 1000), "reason": reason})


def all_later(work: Work, seconds: float) -> None:
    """The Registry does not answer: nothing is sent for a while."""
    work.run(_ALL_LATER, {"b_ms": round(seconds * 1000)})


def refused(work: Work, number: int, reason: str) -> None:
    """The Registry has refused it: it waits for an operator, and holds up nobody."""
    work.run(_REFUSE, {"b_forward": number, "reason": reason})


def again(work: Work, number: int) -> bool:
    """Whether a refused one is sent again."""
    return work.run(_AGAIN, {"b_forward": number}) > 0


def discard(work: Work, number: int) -> bool:
    """Whether a refused one was there to be let go of."""
    return work.run(_DISCARD, {"b_forward": number}) > 0


def forwards(work: Work, most: int) -> list[Forward]:
    """What has not been accepted, the oldest first."""
    return [_read(row) for row in work.rows(_LIST, {"b_most": most})]


def counts(work: Work) -> dict[str, int]:
    """How many wait, and how many were refused."""
    return {row[0]: int(row[1]) for row in work.rows(_COUNT)}


def _read(row: Row) -> Forward:
    number, event, patient, other, state, tries, reason, age = row
    return Forward(int(number), event, patient, other, state, int(tries), reason, int(age) / 1000)
