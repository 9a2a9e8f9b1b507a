"""A record as a FHIR R4 AuditEvent: the mapping from DICOM that FHIR itself gives (AuditEvent, section Mappings)."""

from __future__ import annotations

import base64
from typing import Any, Final

from auditing.event import Coded, Event, Object, Participant
from auditing.reading import moment, patient_term

Resource = dict[str, Any]

_SYSTEMS: Final = {
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "IHE Transactions": "urn:ihe:event-type-code",
    "RFC-3881": "http://terminology.hl7.org/CodeSystem/rfc-3881",
}
ENTITY_TYPE: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ENTITY_ROLE: Final = "http://terminology.hl7.org/CodeSystem/object-role"
_LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle"
_SOURCE_TYPE: Final = "http://terminology.hl7.org/CodeSystem/security-source-type"
_OURS: Final = "urn:portolan:audit"
_ACTIONS: Final = frozenset("CRUDE")
_OUTCOMES: Final = frozenset(("0", "4", "8", "12"))
_NETWORKS: Final = frozenset("12345")


def audit_event(number: int, at: int, event: Event) -> Resource:
    """Its elements stand in the order of the resource, as XML needs it."""
    made: Resource = _pruned(
        {
            "resourceType": "AuditEvent",
            "id": str(number),
            "type": _coding(event.id) or {"system": _OURS, "code": "unknown"},
            "subtype": [_coding(each) for each in event.types],
            "action": event.action if event.action in _ACTIONS else "",
            "recorded": instant(at),
            "outcome": event.outcome if event.outcome in _OUTCOMES else "",
            "outcomeDesc": event.description,
            "purposeOfEvent": [_concept(each) for each in event.purposes],
            "agent": [_agent(each) for each in event.participants] or [{"requestor": False}],
            "source": _source(event),
            "entity": [_entity(each) for each in event.objects],
        }
    )
    return made


def unreadable(number: int, at: int, problem: str) -> Resource:
    """A record that is kept and cannot be read: that it is there is all that can be told of it."""
    return {
        "resourceType": "AuditEvent",
        "id": str(number),
        "type": {"system": _OURS, "code": "unreadable"},
        "recorded": instant(at),
        "outcomeDesc": problem or "it could not be read",
        "agent": [{"requestor": False}],
        "source": {"observer": {"display": "unknown"}},
    }


def instant(at: int) -> str:
    """Microseconds since 1970, as FHIR has times."""
    return moment(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def system_of(name: str) -> str:
    """The URI of a code system; an OID as `urn:oid:`."""
    if name in _SYSTEMS:
        return _SYSTEMS[name]
    if name.replace(".", "").isdigit():
        return f"urn:oid:{name}"
    return name if ":" in name else ""


def _coding(code: Coded) -> Resource:
    return {"system": system_of(code.system), "code": code.code, "display": code.display} if code.code else {}


def _concept(code: Coded) -> Resource:
    coding = _coding(code)
    return {"coding": [coding], "text": "" if coding else code.display} if coding or code.display else {}


def _agent(who: Participant) -> Resource:
    kinds, roles = [each for each in who.roles if each.system == "DCM"], []
    roles = [each for each in who.roles if each not in kinds[:1]]
    return {
        "type": _concept(kinds[0]) if kinds else {},
        "role": [_concept(each) for each in roles],
        "who": {"identifier": {"value": who.user_id}, "display": who.name},
        "altId": who.alternative,
        "name": who.name,
        "requestor": who.requestor,
        "network": {"address": who.network, "type": who.network_type if who.network_type in _NETWORKS else ""},
    }


def _source(event: Event) -> Resource:
    observer = {"identifier": {"value": event.source}} if event.source else {"display": "unknown"}
    return {
        "site": event.site,
        "observer": observer,
        "type": [
            {"system": _SOURCE_TYPE if each.code.isdigit() else system_of(each.system), "code": each.code}
            for each in event.source_types
            if each.code
        ],
    }


def _entity(what: Object) -> Resource:
    system = ""
    value = what.id
    if (what.type, what.role) == ("1", "1"):
        number, _, authority = patient_term(what.id).partition("|")
        value, system = number, system_of(authority)
    return {
        "what": {"identifier": {"type": _concept(what.id_type), "system": system, "value": value}},
        "type": {"system": ENTITY_TYPE, "code": what.type},
        "role": {"system": ENTITY_ROLE, "code": what.role},
        "lifecycle": {"system": _LIFECYCLE, "code": what.lifecycle} if what.lifecycle else {},
        # One of both (constraint sev-1).
        "name": "" if what.query else what.name,
        "query": base64.b64encode(what.query).decode("ascii") if what.query else "",
        "detail": [
            {"type": kind, "valueBase64Binary": base64.b64encode(value).decode("ascii")}
            for kind, value in what.details
            if kind and value
        ],
    }


def _pruned(value: Any) -> Any:
    """Without what is empty, which FHIR does not know."""
    if isinstance(value, dict):
        found = {name: _pruned(each) for name, each in value.items()}
        kept = {name: each for name, each in found.items() if each not in ("", None, [], {})}
        # A system without a code says nothing.
        return {} if set(kept) == {"system"} else kept
    if isinstance(value, list):
        return [each for each in map(_pruned, value) if each not in ("", None, [], {})]
    return value.strip() if isinstance(value, str) else value
