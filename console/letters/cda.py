"""Writes a letter as a CDA Release 2 document with the PRSB headings."""

from datetime import datetime
from typing import Any, Final

from lxml import etree

from console.letters.model import (
    CONFIDENTIALITY,
    HOSPITAL_NUMBERS,
    NHS_NUMBER,
    ODS,
    SDS_USER,
    SNOMED,
    Clinician,
    Letter,
    Organisation,
    Patient,
    Section,
    Table,
    Term,
)

HL7: Final = "urn:hl7-org:v3"
_PREFIXES: Final[dict[Any, str]] = {None: HL7, "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
_SCHEME_NAMES: Final = {SNOMED: "SNOMED CT", CONFIDENTIALITY: "Confidentiality"}
_SEXES: Final = {"F": "Female", "M": "Male"}
_ENCOUNTERS: Final = {True: ("IMP", "inpatient encounter"), False: ("AMB", "ambulatory")}

Element = etree._Element


def cda(letter: Letter) -> bytes:
    """The letter as a CDA document in UTF-8."""
    root = etree.Element(f"{{{HL7}}}ClinicalDocument", nsmap=_PREFIXES)
    _about(root, letter)
    _patient(_add(root, "recordTarget"), letter.patient)
    _author(root, letter)
    custodian = _add(_add(_add(root, "custodian"), "assignedCustodian"), "representedCustodianOrganization")
    _organisation(custodian, letter.hospital)
    _recipient(root, letter.practice)
    _authenticator(root, letter)
    _encounter(root, letter)
    body = _add(_add(root, "component"), "structuredBody")
    for section in letter.sections:
        _section(body, section)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def ts(moment: datetime) -> str:
    """A moment as HL7 writes it, with the offset of its zone."""
    return moment.strftime("%Y%m%d%H%M%S%z")


def _add(parent: Element, name: str, text: str | None = None, **attributes: str) -> Element:
    child = etree.SubElement(parent, f"{{{HL7}}}{name}", attributes)
    child.text = text
    return child


def _coded(parent: Element, name: str, term: Term) -> None:
    _add(
        parent,
        name,
        code=term.code,
        codeSystem=term.scheme,
        codeSystemName=_SCHEME_NAMES.get(term.scheme, ""),
        displayName=term.display,
    )


def _about(root: Element, letter: Letter) -> None:
    _add(root, "realmCode", code="GB")
    _add(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    _add(root, "id", root=letter.unique_id)
    _coded(root, "code", letter.type)
    _add(root, "title", letter.title)
    _add(root, "effectiveTime", value=ts(letter.written))
    _coded(root, "confidentialityCode", Term("N", "normal", CONFIDENTIALITY))
    _add(root, "languageCode", code="en-GB")
    _add(root, "setId", root=letter.unique_id)
    _add(root, "versionNumber", value="1")


def _patient(target: Element, patient: Patient) -> None:
    role = _add(target, "patientRole")
    _add(role, "id", root=NHS_NUMBER, extension=patient.nhs_number)
    _add(role, "id", root=HOSPITAL_NUMBERS, extension=patient.local_id)
    address = _add(role, "addr", use="H")
    _add(address, "streetAddressLine", patient.street)
    _add(address, "city", patient.city)
    _add(address, "postalCode", patient.postcode)
    person = _add(role, "patient")
    name = _add(person, "name", use="L")
    _add(name, "prefix", patient.prefix)
    _add(name, "given", patient.given)
    _add(name, "family", patient.family)
    _add(
        person,
        "administrativeGenderCode",
        code=patient.sex,
        codeSystem="2.16.840.1.113883.5.1",
        displayName=_SEXES.get(patient.sex, "Undifferentiated"),
    )
    _add(person, "birthTime", value=patient.birth)


def _author(root: Element, letter: Letter) -> None:
    author = _add(root, "author")
    _add(author, "time", value=ts(letter.written))
    assigned = _add(author, "assignedAuthor")
    _add(assigned, "id", root=SDS_USER, extension=letter.author.sds)
    _person(_add(assigned, "assignedPerson"), letter.author)
    _organisation(_add(assigned, "representedOrganization"), letter.hospital)


def _authenticator(root: Element, letter: Letter) -> None:
    authenticator = _add(root, "legalAuthenticator")
    _add(authenticator, "time", value=ts(letter.written))
    _add(authenticator, "signatureCode", code="S")
    assigned = _add(authenticator, "assignedEntity")
    _add(assigned, "id", root=SDS_USER, extension=letter.author.sds)
    _person(_add(assigned, "assignedPerson"), letter.author)


def _person(parent: Element, clinician: Clinician) -> None:
    name = _add(parent, "name")
    _add(name, "prefix", clinician.prefix)
    _add(name, "given", clinician.given)
    _add(name, "family", clinician.family)


def _organisation(parent: Element, organisation: Organisation) -> None:
    _add(parent, "id", root=ODS, extension=organisation.ods)
    _add(parent, "name", organisation.name)


def _recipient(root: Element, practice: Organisation) -> None:
    recipient = _add(_add(root, "informationRecipient", typeCode="PRCP"), "intendedRecipient")
    _organisation(_add(recipient, "receivedOrganization"), practice)


def _encounter(root: Element, letter: Letter) -> None:
    encounter = _add(_add(root, "componentOf"), "encompassingEncounter")
    code, display = _ENCOUNTERS[letter.inpatient]
    _add(encounter, "code", code=code, codeSystem="2.16.840.1.113883.5.4", displayName=display)
    time = _add(encounter, "effectiveTime")
    _add(time, "low", value=ts(letter.began))
    _add(time, "high", value=ts(letter.ended))


def _section(body: Element, section: Section) -> None:
    element = _add(_add(body, "component"), "section")
    if section.code:
        _coded(element, "code", Term(section.code, section.heading))
    _add(element, "title", section.heading)
    text = _add(element, "text")
    for paragraph in section.paragraphs:
        _add(text, "paragraph", paragraph)
    if section.table:
        _table(text, section.table)


def _table(text: Element, table: Table) -> None:
    element = _add(text, "table")
    head = _add(_add(element, "thead"), "tr")
    for title in table.head:
        _add(head, "th", title)
    body = _add(element, "tbody")
    for row in table.rows:
        line = _add(body, "tr")
        for cell in row:
            _add(line, "td", cell)
