"""Prints docs/reference/audit-events.md from the table: ``python -m common.audit.reference``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from common.audit.events import OTHERS, ROWS, Kind, Row, Side

_HEAD: Final = """# Audit events

Printed from the table in `common/audit/events.py`; a test finds it out of date. [The guide](../guide/audit.md)
says what else a record holds.
"""
_NAMES: Final = {
    Kind.PATIENT: "patient",
    Kind.SUBMISSION_SET: "submission set",
    Kind.QUERY: "query",
    Kind.DOCUMENT: "documents",
    Kind.OBJECT: "registry objects",
}


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    titles = list(head)
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _told(row: Row) -> tuple[str, ...]:
    ours, other = (row.asking, row.answering) if row.side is Side.ASKED else (row.answering, row.asking)
    objects = ", ".join(_NAMES[kind] for kind in row.kinds)
    more = [f"detail `{row.message}`"] if row.message else []
    more += [f"life cycle {row.lasts}"] if row.lasts else []
    return (
        row.key,
        row.type.text,
        "asks" if row.side is Side.ASKED else "answers",
        f"{row.event.text} ({row.event.code})",
        row.action,
        ours.text,
        other.text,
        "; ".join([objects, *more]),
    )


def reference() -> str:
    """The whole page."""
    lines = [_HEAD, "## Transactions\n"]
    head = ("transaction", "name", "this side", "EventID", "action", "its role", "the other's", "objects")
    lines += _table(head, map(_told, ROWS))
    lines.append("\nIn a merge the record of the patient who was subsumed has the action D.\n\n## Other events\n")
    others = (
        (
            f"{row.event.text} ({row.event.code})",
            f"{row.type.text} ({row.type.code})" if row.type else "",
            row.action,
            str(row.outcome),
            row.meaning,
        )
        for row in OTHERS
    )
    lines += _table(("EventID", "EventTypeCode", "action", "outcome", "when"), others)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(reference(), end="")
