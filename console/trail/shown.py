"""How records of the trail are shown."""

from __future__ import annotations

from typing import Any

from auditing.event import Event
from auditing.reading import Unreadable, moment, read_event
from auditing.store.searching import Found
from console.output import safe


def text(cell: object) -> str:
    """A cell on one line."""
    return ", ".join(cell) if isinstance(cell, tuple) else str(cell)


def row(found: Found) -> tuple[Any, ...]:
    """A record as a line of a table."""
    when = moment(found.at).strftime("%Y-%m-%d %H:%M:%S")
    try:
        event = read_event(found.raw)
    except Unreadable as error:
        return (found.number, when, f"unreadable: {error}", "", "", "", "", "")
    return (
        found.number,
        when,
        event.id.shown,
        tuple(each.code for each in event.types),
        event.outcome,
        tuple(each.name or each.user_id for each in event.participants if each.requestor),
        tuple(each.id for each in event.patients),
        event.source,
    )


def first_patient(found: Found | None) -> str:
    """The patient that a record is about, as it names them."""
    try:
        return next((each.id for each in read_event(found.raw).patients), "") if found else ""
    except Unreadable:
        return ""


def as_json(found: Found) -> dict[str, Any]:
    """Everything that a record says."""
    times = {"record": found.number, "received": moment(found.received_at).isoformat()}
    try:
        event = read_event(found.raw)
    except Unreadable as error:
        return {**times, "unreadable": str(error), "raw": found.raw.decode("utf-8", "backslashreplace")}
    return {**times, **_event_json(event)}


def _event_json(event: Event) -> dict[str, Any]:
    return {
        "at": moment(event.at).isoformat() if event.at is not None else "",
        "event": f"{event.id.code} {event.id.display}".strip(),
        "types": [f"{each.code} {each.display}".strip() for each in event.types],
        "action": event.action,
        "outcome": event.outcome,
        "description": event.description,
        "purposes": [f"{each.code} {each.display}".strip() for each in event.purposes],
        "participants": [
            {
                "user": each.user_id,
                "name": each.name,
                "alternative": each.alternative,
                "requestor": each.requestor,
                "network": each.network,
                "roles": [role.shown for role in each.roles],
            }
            for each in event.participants
        ],
        "source": event.source,
        "site": event.site,
        "objects": [
            {
                "id": each.id,
                "type": each.type,
                "role": each.role,
                "kind": each.id_type.shown,
                "name": each.name,
                "query": each.query.decode("utf-8", "replace"),
                "details": [f"{kind}: {value.decode('utf-8', 'replace')}" for kind, value in each.details],
            }
            for each in event.objects
        ],
    }


def shown(value: Any) -> Any:
    """A value of ``as_json`` for a table: what is within it in one line, what is a list in several."""
    if isinstance(value, list):
        return tuple(shown(each) for each in value)
    if isinstance(value, dict):
        return "; ".join(f"{name} {text(shown(each))}" for name, each in value.items() if each not in ("", [], None))
    return safe(value)
