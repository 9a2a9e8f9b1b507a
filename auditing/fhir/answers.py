"""Answers of ITI-81: bundles, what went wrong, what is served; as JSON, or as XML made of the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from lxml import etree

from auditing.fhir.asking import KNOWN, Question
from auditing.fhir.audit_event import Resource

JSON: Final = "application/fhir+json"
XML: Final = "application/fhir+xml"
_NAMESPACE: Final = "http://hl7.org/fhir"
_FORMATS: Final = {
    "json": JSON,
    "application/json": JSON,
    JSON: JSON,
    "application/json+fhir": JSON,
    "xml": XML,
    "application/xml": XML,
    "text/xml": XML,
    XML: XML,
    "application/xml+fhir": XML,
}


def format_of(asked: str, accept: str) -> str | None:
    """The media type of the answer, `_format` before Accept; None where none of those wanted is spoken here."""
    if asked:
        # A plus in an address that was not encoded is a space.
        return _FORMATS.get(asked.partition(";")[0].strip().replace(" ", "+").lower())
    wanted = [each.partition(";")[0].strip().lower() for each in accept.split(",") if each.strip()]
    found = [_FORMATS[each] for each in wanted if each in _FORMATS]
    if found:
        return found[0]
    return JSON if not wanted or any(each in ("*/*", "application/*", "text/html") for each in wanted) else None


def bundle(base: str, asked: Question, resources: Sequence[Resource], last: tuple[int, int] | None) -> Resource:
    """A page of what was found; ``last`` is where it ended if there may be more."""
    links = [{"relation": "self", "url": _address(base, asked.parameters, asked.before)}]
    if last is not None:
        links.append({"relation": "next", "url": _address(base, asked.parameters, last)})
    entries = [
        {"fullUrl": f"{base}/AuditEvent/{each['id']}", "resource": each, "search": {"mode": "match"}}
        for each in resources
    ]
    made: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
    return {**made, "entry": entries} if entries else made


def _address(base: str, parameters: Sequence[tuple[str, str]], cursor: tuple[int, int] | None) -> str:
    more = [("_cursor", f"{cursor[0]}.{cursor[1]}")] if cursor else []
    return f"{base}/AuditEvent?{urlencode([*parameters, *more])}"


def outcome(code: str, told: str) -> Resource:
    """What went wrong (OperationOutcome)."""
    issue = {"severity": "error", "code": code, "diagnostics": told}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def capability(base: str, version: str, date: str, *, tokens: bool) -> Resource:
    """What is served (CapabilityStatement)."""
    service = {"coding": [{"system": "https://profiles.ihe.net/fhir/ihe.securityTypes", "code": "IUA"}]}
    security = {"security": {"service": [service]}} if tokens else {}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "Portolan", "version": version},
        "implementation": {"description": "Audit record repository (ITI-81)", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json", "xml"],
        "rest": [
            {
                "mode": "server",
                **security,
                "resource": [
                    {
                        "type": "AuditEvent",
                        "interaction": [{"code": "read"}, {"code": "search-type"}],
                        "searchParam": [{"name": name, "type": _kind(name)} for name in KNOWN],
                    }
                ],
            }
        ],
    }


def _kind(name: str) -> str:
    if name == "date":
        return "date"
    return "string" if name in ("address", "agent-name") else "token"


def written(resource: Resource, media: str) -> bytes:
    """In the form that was asked for."""
    if media == JSON:
        return json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return bytes(etree.tostring(_xml(resource), encoding="utf-8", xml_declaration=True))


def _xml(resource: Mapping[str, Any]) -> etree._Element:
    """FHIR's XML says the same as its JSON, element for element, in the order of the resource."""
    root = etree.Element(f"{{{_NAMESPACE}}}{resource['resourceType']}", nsmap={None: _NAMESPACE})  # type: ignore[dict-item]
    _fill(root, resource)
    return root


def _fill(parent: etree._Element, told: Mapping[str, Any]) -> None:
    for name, value in told.items():
        if name == "resourceType":
            continue
        for each in value if isinstance(value, list) else [value]:
            child = etree.SubElement(parent, f"{{{_NAMESPACE}}}{name}")
            if name == "resource":
                child.append(_xml(each))
            elif isinstance(each, dict):
                _fill(child, each)
            else:
                child.set("value", str(each).lower() if isinstance(each, bool) else _clean(str(each)))


def _clean(text: str) -> str:
    """Without what XML cannot hold; FHIR knows no other control characters either."""
    return "".join(char if char.isprintable() or char in "\t\n\r" else " " for char in text)
