"""What a record means in plain English, for a patient who asks who has looked at their records.

Words come from the tables here; what a record names, it names as its sender did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from auditing.event import DOCUMENT, Event, Object, Participant
from auditing.reading import moment

# By transaction where the standard has one, else by the event.
_DID: Final[Mapping[str, str]] = {
    "ITI-8": "Updated the patient's details in the index",
    "ITI-18": "Searched the list of documents",
    "ITI-38": "Searched the list of documents from another community",
    "ITI-39": "Opened documents from another community",
    "ITI-41": "Added documents",
    "ITI-42": "Listed new documents in the index",
    "ITI-43": "Opened documents",
    "ITI-44": "Updated the patient's details in the index",
    "ITI-45": "Looked up the patient's identifiers",
    "ITI-47": "Looked the patient up by their details",
    "ITI-51": "Searched documents of several patients",
    "ITI-57": "Changed how documents are listed",
    "ITI-61": "Listed a document that is made on demand",
    "ITI-62": "Removed documents from the index",
    "ITI-64": "Linked the patient's records",
    "ITI-65": "Added documents",
    "ITI-66": "Searched the list of documents",
    "ITI-67": "Searched the list of documents",
    "ITI-68": "Opened a document",
    "ITI-81": "Read the record of accesses",
    "ITI-86": "Removed documents",
    "110127": "Used emergency access",
    "110101": "Read the record of accesses",
    "110106": "Sent information",
    "110107": "Received information",
    "110110": "Changed the patient's record",
    "110112": "Searched",
    "110113": "Raised a security alert",
    "110114": "Signed in",
}
_ACTIONS: Final = {"C": "Created", "R": "Read", "U": "Changed", "D": "Deleted", "E": "Carried out"}
# ISO 14265, and codes that v3 PurposeOfUse has for the same.
_WHY: Final[Mapping[str, str]] = {
    "1": "Clinical care of the patient",
    "2": "Emergency care of the patient",
    "3": "Management of the patient's care",
    "4": "Support of care by administrators",
    "5": "Payment for care",
    "6": "Management of the service",
    "7": "Public health",
    "8": "Public safety",
    "9": "Research",
    "10": "Education",
    "11": "Request of the patient",
    "TREAT": "Clinical care of the patient",
    "ETREAT": "Emergency care of the patient",
    "BTG": "Emergency access",
    "PATRQT": "Request of the patient",
    "COVERAGE": "Payment for care",
    "HOPERAT": "Management of the service",
    "PUBHLTH": "Public health",
    "HRESCH": "Research",
}
_ISO_14265: Final = "1.0.14265.1"
_ANONYMOUS: Final = "http://www.w3.org/2005/08/addressing/anonymous"
# RoleIDCode of systems (DCM): application, launcher, destination, source.
_SYSTEM_ROLES: Final = frozenset(("110150", "110151", "110152", "110153"))

HEADINGS: Final = ("When (UTC)", "Who", "Role", "Recorded by", "What they did", "Documents", "Why", "Result", "Record")


@dataclass(frozen=True, slots=True)
class Access:
    """One line of the report; ``number`` is the record's."""

    number: int
    at: datetime
    who: str
    role: str
    organisation: str
    did: str
    documents: tuple[str, ...]
    why: str
    result: str

    def cells(self) -> tuple[str, ...]:
        """Under the headings."""
        when = self.at.strftime("%d %b %Y %H:%M:%S")
        documents = ", ".join(self.documents)
        return (
            when,
            self.who,
            self.role,
            self.organisation,
            self.did,
            documents,
            self.why,
            self.result,
            str(self.number),
        )


def access(number: int, at: int, event: Event) -> Access:
    """From a record of the trail; ``at`` is the time that it is found by."""
    people = _people(event)
    return Access(
        number=number,
        at=moment(at).astimezone(UTC),
        who=", ".join(dict.fromkeys(_who(each) for each in people)) or _system(event),
        role=", ".join(dict.fromkeys(role.shown for each in people for role in each.roles if role.code)),
        organisation=event.site or event.source,
        did=_did(event),
        documents=tuple(each.id for each in event.objects if (each.type, each.role) == DOCUMENT),
        why=_why(event),
        result=_result(event),
    )


def _people(event: Event) -> list[Participant]:
    """Those who asked and are no systems."""
    return [
        each
        for each in event.participants
        if each.requestor and not _is_system(each) and each.user_id and each.user_id != _ANONYMOUS
    ]


def _is_system(who: Participant) -> bool:
    roles = {role.code for role in who.roles}
    return bool(roles) and roles <= _SYSTEM_ROLES


def _who(person: Participant) -> str:
    alias, found, rest = person.name.partition("<")
    name = alias.strip() if found else person.name.strip()
    user = person.user_id or rest.partition("@")[0]
    return f"{name} ({user})" if name and name != user else user


def _system(event: Event) -> str:
    """Nobody was named: which system it was, by its address where it has no name."""
    asked = next((each for each in event.participants if each.requestor), None)
    if asked is None:
        return "A system"
    named = asked.name or ("" if asked.user_id == _ANONYMOUS else asked.user_id) or asked.network
    return f"A system ({named})" if named else "A system"


def _did(event: Event) -> str:
    codes = [code.code for code in event.types] + [event.id.code]
    if "110127" in codes:
        return _DID["110127"]
    told = next((_DID[code] for code in codes if code in _DID), "")
    if told:
        return told
    return f"{_ACTIONS.get(event.action, 'Did')}: {event.id.shown or 'something unnamed'}"


def _why(event: Event) -> str:
    found = [
        _WHY[code.code]
        if code.code in _WHY and (not code.code.isdigit() or code.system in (_ISO_14265, "ISO 14265", ""))
        else code.shown
        for code in event.purposes
    ]
    reasons = dict.fromkeys(each.detail("Emergency Reason") for each in event.objects)
    found += [f"Emergency: {reason}" for reason in reasons if reason]
    if any(code.code == "110127" for code in event.types) and event.description and not any(reasons):
        found.append(f"Emergency: {event.description}")
    return "; ".join(found)


def _result(event: Event) -> str:
    denied = any(each.detail("Access Decision") == "denied" for each in event.objects)
    if denied:
        rules = dict.fromkeys(_rule(each) for each in event.objects if each.detail("Access Decision") == "denied")
        return "Refused" + "".join(f" ({rule})" for rule in rules if rule)
    if event.failed:
        return "Refused or failed" + (f" ({event.description})" if event.description else "")
    return "Done"


def _rule(what: Object) -> str:
    return what.detail("Access Rule")


def covers(patient: str, since: str, until: str, now: str, count: int) -> tuple[str, ...]:
    """What the report covers and does not, in paragraphs for the patient."""
    times = f"from {since or 'the first record'} to {until or 'now'}"
    covered = (
        f"This report lists every access to the record of NHS number {patient} that was reported to this audit record "
        f"repository {times}: {count} in all. It was made on {now}. Times are in UTC, which in winter is the time in "
        "the United Kingdom, and in summer is one hour behind it."
    )
    twice = (
        "An access that was refused is listed too, and so is each reading of this list itself. Where two systems took "
        "part in one access, such as the one that asked and the one that answered, both report it, and it stands here "
        "twice."
    )
    left_out = (
        "It does not list accesses in systems that do not report to this repository, what was read on paper or on a "
        "screen that was open already, nor records that could not be read by machine and name no patient in a form "
        "that can be searched. A user is named as their own organisation named them."
    )
    return covered, twice, left_out, "Questions about an entry are answered by the organisation that recorded it."
