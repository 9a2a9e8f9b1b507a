"""Reads from the header of any CDA document what its metadata in the registry is made of.

The file may be hostile: only the header is read, it is bounded, and a document type is refused unread.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from common.hl7.types import is_oid
from common.standard.nhs import nhs_number_problem
from console.letters import hl7
from console.letters.cda_time import to_date, to_dtm
from console.letters.cda_xml import CdaError, Element, all_of, attribute, first, header_of, text_of
from console.letters.model import NHS_NUMBER, SDS_USER

__all__ = ["CdaError", "CdaHeader", "CdaPatient", "Coded", "read_header"]

_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_Name = tuple[str, str, str, str, str]
_NAMELESS: Final[_Name] = ("", "", "", "", "")
_SEXES: Final = {"M": "M", "F": "F", "UN": "O"}


@dataclass(frozen=True)
class Coded:
    """A code as the document has it."""

    code: str
    scheme: str
    display: str | None


@dataclass(frozen=True)
class CdaPatient:
    """Whom the document is about; what the document does not say is None."""

    nhs_number: str | None
    local_id: str | None
    local_root: str | None
    name: str | None
    birth: str | None
    sex: str | None

    @property
    def patient_id(self) -> str | None:
        """The NHS Number as a CX."""
        return hl7.cx(self.nhs_number, NHS_NUMBER) if self.nhs_number else None

    @property
    def source_patient_id(self) -> str | None:
        """The local id as a CX, or the NHS Number where there is no local one."""
        if self.local_id and self.local_root:
            return hl7.cx(self.local_id, self.local_root)
        return self.patient_id

    @property
    def source_patient_info(self) -> tuple[str, ...]:
        """The values of sourcePatientInfo."""
        fields = ((3, self.source_patient_id), (5, self.name), (7, self.birth), (8, self.sex))
        return tuple(f"PID-{number}|{value}" for number, value in fields if value)


@dataclass(frozen=True)
class CdaHeader:
    """The metadata that a document's header gives; times are DTM in UTC, what is not there is None."""

    unique_id: str | None
    title: str | None
    type: Coded | None
    creation_time: str | None
    confidentiality: Coded | None
    language: str | None
    patient: CdaPatient
    author_person: str | None
    author_institution: str | None
    legal_authenticator: str | None
    service_start: str | None
    service_stop: str | None


def read_header(content: bytes) -> CdaHeader:
    """The header of a CDA document; CdaError, in one sentence without patient data, when it cannot be used."""
    root = header_of(content)
    author = first(root, "author/assignedAuthor")
    start, stop = _service(root)
    return CdaHeader(
        unique_id=_unique_id(first(root, "id")),
        title=text_of(first(root, "title")),
        type=_coded(first(root, "code")),
        creation_time=_time(first(root, "effectiveTime"), "effectiveTime", to_dtm),
        confidentiality=_coded(first(root, "confidentialityCode")),
        language=attribute(first(root, "languageCode"), "code"),
        patient=_patient(root),
        author_person=_person(author),
        author_institution=_institution(
            first(author, "representedOrganization"),
            first(root, "custodian/assignedCustodian/representedCustodianOrganization"),
        ),
        legal_authenticator=_person(first(root, "legalAuthenticator/assignedEntity")),
        service_start=start,
        service_stop=stop,
    )


def _patient(root: Element) -> CdaPatient:
    targets = all_of(root, "recordTarget/patientRole")
    if len(targets) > 1:
        raise CdaError("The document is about more than one patient; it must be split before it is registered.")
    role = targets[0] if targets else None
    identifiers = [_identifier(element) for element in all_of(role, "id")]
    local = next(
        ((root, extension) for root, extension in identifiers if root and root != NHS_NUMBER and extension), None
    )
    name = _name(first(role, "patient"))
    return CdaPatient(
        nhs_number=_nhs_number([extension for root, extension in identifiers if root == NHS_NUMBER and extension]),
        local_id=local[1] if local else None,
        local_root=local[0] if local else None,
        name=hl7.person_name(*name) if name else None,
        birth=_time(first(role, "patient/birthTime"), "birthTime", to_date),
        sex=_sex(first(role, "patient/administrativeGenderCode")),
    )


def _nhs_number(found: list[str]) -> str | None:
    """The one NHS Number; CdaError when there are two, or when it is none."""
    numbers = {re.sub(r"[\s-]", "", number) for number in found}
    if len(numbers) > 1:
        raise CdaError("The patient has two different NHS Numbers; correct the document before it is registered.")
    number = next(iter(numbers), None)
    if number is not None and nhs_number_problem(number):
        raise CdaError("The patient's NHS Number is not valid: ten digits with a right check digit are needed.")
    return number


def _sex(element: Element | None) -> str | None:
    """The sex as in PID-8; a code that HL7 does not have counts as unknown."""
    code = attribute(element, "code")
    return _SEXES.get(code, "U") if code else None


def _identifier(element: Element) -> tuple[str | None, str | None]:
    """Root, when it is an OID, and extension."""
    root = attribute(element, "root")
    return (root if root and is_oid(root) else None), attribute(element, "extension")


def _unique_id(element: Element | None) -> str | None:
    """`root^extension` or root (ITI TF-3 section 4.2.3.2.26); for a UUID as root, the OID that stands for it."""
    root, extension = attribute(element, "root"), attribute(element, "extension")
    if root is None:
        return None
    if _UUID.fullmatch(root):
        root = f"2.25.{UUID(root).int}"
    return f"{root}^{extension}" if extension else root


def _coded(element: Element | None) -> Coded | None:
    code, scheme = attribute(element, "code"), attribute(element, "codeSystem")
    return Coded(code, scheme, attribute(element, "displayName")) if code and scheme else None


def _time(element: Element | None, name: str, convert: Callable[[str], str]) -> str | None:
    value = attribute(element, "value")
    if value is None:
        return None
    try:
        return convert(value)
    except ValueError:
        raise CdaError(f"The document's {name} is not a time in the form YYYYMMDDhhmmss with an offset.") from None


def _service(root: Element) -> tuple[str | None, str | None]:
    """When the care was given: that of the encounter, else that of the first service event."""
    for path in ("componentOf/encompassingEncounter/effectiveTime", "documentationOf/serviceEvent/effectiveTime"):
        time = first(root, path)
        moment = _time(time, "time of service", to_dtm)
        start = _time(first(time, "low"), "start of service", to_dtm) or moment
        stop = _time(first(time, "high"), "end of service", to_dtm) or moment
        if start or stop:
            return start, stop
    return None, None


def _name(person: Element | None) -> _Name | None:
    """Family, given, further, suffix and prefix of the legal name, or else of the first."""
    names = all_of(person, "name")
    if not names:
        return None
    name = next((name for name in names if "L" in (name.get("use") or "").split()), names[0])
    family, given = " ".join(_parts(name, "family")), _parts(name, "given")
    suffix, prefix = " ".join(_parts(name, "suffix")), " ".join(_parts(name, "prefix"))
    if not family and not given:
        # A name without parts is still the person's: better whole in one component than not at all.
        whole = text_of(name)
        return (whole, "", "", "", "") if whole else None
    return family, "".join(given[:1]), " ".join(given[1:]), suffix, prefix


def _parts(name: Element, kind: str) -> list[str]:
    return [text for text in map(text_of, all_of(name, kind)) if text]


def _person(entity: Element | None) -> str | None:
    """A person with the SDS user id, or else the first id whose authority is an OID, as an XCN."""
    person = first(entity, "assignedPerson")
    identifiers = [
        (root, extension) for root, extension in map(_identifier, all_of(entity, "id")) if root and extension
    ]
    identifiers.sort(key=lambda pair: pair[0] != SDS_USER)
    root, extension = identifiers[0] if identifiers else ("", "")
    name = _name(person)
    if person is None or not (name or extension):
        return None
    return hl7.xcn(*(name or _NAMELESS), identifier=extension, authority=root)


def _institution(*organisations: Element | None) -> str | None:
    """The first of the organisations that has a name, as an XON."""
    for organisation in organisations:
        name = text_of(first(organisation, "name"))
        if name:
            found = ((root, extension) for root, extension in map(_identifier, all_of(organisation, "id")))
            root, extension = next(((r, e) for r, e in found if r and e), ("", ""))
            return hl7.xon(name, extension, root)
    return None
