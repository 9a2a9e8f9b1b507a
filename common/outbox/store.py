"""The outbox's SQL. Each step is one statement, so that workers of many processes never hold one letter together."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, case, delete, func, insert, literal, null, or_, select, update

from common.db import Conflict, Database, Statement
from common.db.statement import Row
from common.faults import checkpoint
from common.outbox.letter import Depth, Kind, Letter, Line, State, Taken
from common.outbox.tables import letter, now_ms

BUSY: Final = 8
"""Addresses that one call of ``take`` can leave out."""
_RACES: Final = 5


def _is_one_of(*states: str) -> ColumnElement[bool]:
    return or_(*(letter.c.state == state for state in states))


_given = ("service", "message_id", "digest", "transaction", "correlation", "kind", "outcome", "address")
_content = ("content_type", "content", "size", "asked")
_KEEP: Final = Statement(
    insert(letter).values(
        {name: bindparam(name) for name in ("id", *_given, *_content)}
        | {"state": State.WAITING.value, "tries": 0, "kept_at": now_ms(), "due_at": now_ms()}
    )
)
_this_message = and_(
    letter.c.service == bindparam("b_service"),
    letter.c.message_id == bindparam("b_message_id"),
    letter.c.digest == bindparam("b_digest"),
)
_renewed: dict[str, Any] = {name: bindparam(name) for name in ("correlation", "kind", "outcome", "address", *_content)}
_KEEP_AGAIN: Final = Statement(
    update(letter)
    .where(_this_message, or_(letter.c.state != State.WAITING.value, letter.c.outcome != bindparam("b_outcome")))
    .values(
        _renewed
        | {
            "state": State.WAITING.value,
            "tries": 0,
            "reason": null(),
            "kept_at": now_ms(),
            "due_at": now_ms(),
            "ended_at": null(),
            "lease": null(),
        }
    )
)
_IS_THERE: Final = Statement(select(letter.c.id).where(_this_message))

_due = (letter.c.service == bindparam("b_service"), letter.c.state == State.WAITING.value, letter.c.due_at <= now_ms())
_next_due = (
    select(letter.c.id)
    .where(*_due, letter.c.address.not_in([bindparam(f"b_busy{number}") for number in range(BUSY)]))
    .order_by(letter.c.due_at)
    .limit(literal(1))
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
_TAKE: Final = Statement(
    update(letter)
    .where(letter.c.id == _next_due, letter.c.state == State.WAITING.value, letter.c.due_at <= now_ms())
    .values(lease=bindparam("b_lease"), due_at=now_ms() + bindparam("b_ms"), tries=letter.c.tries + 1)
    .returning(
        letter.c.id,
        letter.c.tries,
        now_ms() - letter.c.kept_at,
        *(letter.c[name] for name in _given[1:]),
        letter.c.content_type,
        letter.c.content,
        letter.c.asked,
    )
)
_DUE: Final = Statement(
    select(func.count()).select_from(select(letter.c.id).where(*_due).limit(literal(64)).subquery())
)

_held = and_(letter.c.id == bindparam("b_id"), letter.c.lease == bindparam("b_lease"))
_RENEW: Final = Statement(update(letter).where(_held).values(due_at=now_ms() + bindparam("b_ms")))
_RETRY: Final = Statement(
    update(letter)
    .where(_held)
    .values(
        lease=null(),
        due_at=now_ms() + bindparam("b_ms"),
        reason=bindparam("reason"),
        tries=letter.c.tries - bindparam("b_uncounted"),
    )
)
_END: Final = Statement(
    update(letter)
    .where(_held)
    .values(
        lease=null(),
        state=bindparam("state"),
        reason=bindparam("reason"),
        ended_at=now_ms(),
        # What has arrived is not kept: it holds patient data. What has not is for an operator to look at.
        content=case((bindparam("b_forget") == 1, null()), else_=letter.c.content),
        asked=case((bindparam("b_forget") == 1, null()), else_=letter.c.asked),
    )
)
_POSTPONE: Final = Statement(
    update(letter)
    .where(*_due, letter.c.address == bindparam("b_address"))
    .values(due_at=now_ms() + bindparam("b_ms"), lease=null())
)

_line = [letter.c[name] for name in Line.__slots__ if name != "being_sent"]
_is_being_sent = case((and_(letter.c.lease.is_not(None), letter.c.due_at > now_ms()), 1), else_=0)
_LINES: Final = Statement(
    select(_is_being_sent, *_line)
    .where(letter.c.state >= bindparam("b_from"), letter.c.state <= bindparam("b_to"))
    .order_by(letter.c.kept_at, letter.c.id)
    .limit(bindparam("b_most"))
)
_ONE: Final = Statement(select(_is_being_sent, *_line).where(letter.c.id == bindparam("b_id")))
_CONTENT: Final = Statement(select(letter.c.content_type, letter.c.content).where(letter.c.id == bindparam("b_id")))
_REPLAY: Final = Statement(
    update(letter)
    .where(letter.c.id == bindparam("b_id"), letter.c.state == State.DEAD.value)
    .values(state=State.WAITING.value, tries=0, due_at=now_ms(), kept_at=now_ms(), ended_at=null())
)
_DISCARD: Final = Statement(
    update(letter)
    .where(letter.c.id == bindparam("b_id"), _is_one_of(State.DEAD.value, State.WAITING.value))
    .values(
        state=State.DISCARDED.value,
        reason=bindparam("reason"),
        content=null(),
        asked=null(),
        lease=null(),
        ended_at=now_ms(),
    )
)
_COUNT: Final = Statement(
    select(letter.c.state, func.count(), now_ms() - func.min(letter.c.kept_at))
    .where(letter.c.service == bindparam("b_service"), _is_one_of(State.WAITING.value, State.DEAD.value))
    .group_by(letter.c.state)
)
_SWEEP: Final = Statement(
    delete(letter).where(
        letter.c.service == bindparam("b_service"),
        _is_one_of(State.DELIVERED.value, State.DISCARDED.value),
        letter.c.ended_at < now_ms() - bindparam("b_ms"),
    )
)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


class Store:
    """The letters of one service, or with an empty name those of every service, for an operator."""

    def __init__(self, database: Database, service: str = "") -> None:
        self._database = database
        self._service = service

    def keep(self, given: Letter) -> None:
        """Keep a letter: when this returns, it is durable.

        The answer to a request that was answered before is the same letter. One that waits with the same outcome
        stays as it is; else the newer answer takes its place, and is delivered, again where it was delivered.
        """
        values = self._values(given)
        for _ in range(_RACES):
            if self._kept_new(values) or self._kept_again(values):
                checkpoint("outbox.stored")
                return
        raise Conflict("the letter was kept and removed again and again")

    def _values(self, given: Letter) -> dict[str, Any]:
        named = {name: getattr(given, name) for name in (*_given[1:], "content_type", "asked")}
        return {
            **named,
            "id": secrets.token_hex(6),
            "service": self._service,
            "kind": str(given.kind),
            "content": zlib.compress(given.content, 1),
            "size": len(given.content),
        }

    def _kept_new(self, values: Mapping[str, Any]) -> bool:
        try:
            self._run(_KEEP, values)
        except Conflict:
            return False
        return True

    def _kept_again(self, values: Mapping[str, Any]) -> bool:
        """Whether the letter that is there already is, or has become, this one; not where it has just been removed."""
        key = {f"b_{name}": values[name] for name in ("service", "message_id", "digest")}
        changes = {name: values[name] for name in _renewed}
        if self._run(_KEEP_AGAIN, {**changes, **key, "b_outcome": values["outcome"]}):
            return True
        with self._database.read() as work:
            return bool(work.rows(_IS_THERE, key))

    def due(self) -> int:
        """How many letters are due now, of which no more than 64 are counted."""
        with self._database.read() as work:
            [(count,)] = work.rows(_DUE, {"b_service": self._service})
        return int(count)

    def take(self, lease: float, busy: Sequence[str] = ()) -> Taken | None:
        """The next letter that is due, for this caller alone for ``lease`` seconds; none to an address in ``busy``."""
        token = secrets.token_hex(8)
        shut = {f"b_busy{number}": busy[number] if number < len(busy) else "" for number in range(BUSY)}
        values = {"b_service": self._service, "b_lease": token, "b_ms": _ms(lease), **shut}
        with self._database.write(single=True) as work:
            rows = work.rows(_TAKE, values)
            if not rows:
                return None
            work.commit()
        taken = _taken(rows[0], token)
        checkpoint("outbox.taken")
        return taken

    def renew(self, taken: Taken, lease: float) -> bool:
        """Keep a letter for longer; whether it was still held."""
        return bool(self._run(_RENEW, {"b_id": taken.id, "b_lease": taken.lease, "b_ms": _ms(lease)}))

    def retry(self, taken: Taken, pause: float, reason: str, *, counted: bool = True) -> bool:
        """Give a letter back, due after ``pause`` seconds; whether it was still held."""
        values = {"b_id": taken.id, "b_lease": taken.lease, "b_ms": _ms(pause), "reason": reason}
        return bool(self._run(_RETRY, {**values, "b_uncounted": 0 if counted else 1}))

    def end(self, taken: Taken, state: State, reason: str | None = None) -> bool:
        """A letter was delivered, or is dead; whether it was still held, and no newer one had taken its place."""
        values = {"b_id": taken.id, "b_lease": taken.lease, "state": str(state), "reason": reason}
        return bool(self._run(_END, {**values, "b_forget": 0 if state is State.DEAD else 1}))

    def postpone(self, address: str, pause: float) -> int:
        """Let what else is due to an address that does not work wait, too; how many letters that are."""
        return self._run(_POSTPONE, {"b_service": self._service, "b_address": address, "b_ms": _ms(pause)})

    def lines(self, state: State | None, most: int) -> list[Line]:
        """What there is, the oldest first, of every service that shares the database."""
        bounds = {"b_from": state or "", "b_to": state or "~", "b_most": most}
        with self._database.read() as work:
            return [_shown(row) for row in work.rows(_LINES, bounds)]

    def line(self, name: str) -> Line | None:
        """One letter by its id."""
        with self._database.read() as work:
            rows = work.rows(_ONE, {"b_id": name})
        return _shown(rows[0]) if rows else None

    def content(self, name: str) -> tuple[str, bytes] | None:
        """Content-Type and content of a letter; ``None`` where it is not kept any more."""
        with self._database.read() as work:
            rows = work.rows(_CONTENT, {"b_id": name})
        return (rows[0][0], zlib.decompress(rows[0][1])) if rows and rows[0][1] is not None else None

    def replay(self, name: str) -> bool:
        """Have a dead letter delivered after all, as if it were new; whether it was dead."""
        return bool(self._run(_REPLAY, {"b_id": name}))

    def discard(self, name: str, reason: str) -> bool:
        """Let go of a letter that waits or is dead, content and all; whether it was one."""
        return bool(self._run(_DISCARD, {"b_id": name, "reason": reason}))

    def depth(self) -> Depth:
        """How much waits, and how much is dead."""
        with self._database.read() as work:
            found = {
                row[0]: (int(row[1]), int(row[2]) / 1000) for row in work.rows(_COUNT, {"b_service": self._service})
            }
        waiting, oldest = found.get(State.WAITING, (0, 0.0))
        return Depth(waiting, found.get(State.DEAD, (0, 0.0))[0], oldest)

    def sweep(self, older_than: float) -> int:
        """Remove the rows of what ended ``older_than`` seconds ago; how many."""
        return self._run(_SWEEP, {"b_service": self._service, "b_ms": _ms(older_than)})

    def _run(self, statement: Statement, values: Mapping[str, Any]) -> int:
        with self._database.write(single=True) as work:
            if count := work.run(statement, values):
                work.commit()
        return count

    def ping(self) -> None:
        """DatabaseError when the database does not answer, or has no outbox."""
        with self._database.read() as work:
            work.rows(_IS_THERE, {"b_service": "", "b_message_id": "", "b_digest": ""})

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


def _taken(row: Row, token: str) -> Taken:
    name, tries, age, message_id, digest, transaction, correlation, kind, outcome, address = row[:10]
    content = zlib.decompress(row[11])
    named = (message_id, digest, transaction, correlation, Kind(kind), outcome, address, row[10])
    kept = Letter(*named, content, row[12] or "")
    return Taken(name, token, tries, int(age) / 1000, kept)


def _shown(row: Row) -> Line:
    return Line(bool(row[0]), *row[1:])
