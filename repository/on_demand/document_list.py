"""The shipped generators: a patient's documents as a list, in PDF and in CDA R2.

They say the day they were made, and nothing finer: asked twice on a day in which nothing changed, they give the same
bytes, and so the same document.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from lxml import etree

from common.model import DocumentEntry
from common.paper.pdf import HEADING, SMALL, TITLE, Pages, pdf_file
from repository.on_demand.generator import Generated, Order

_HEAD: Final = ("Date", "Document", "Type", "From", "Id")
_SHARES: Final = (2, 5, 4, 5)
_HL7: Final = "urn:hl7-org:v3"
_NAMES: Final[dict[Any, str]] = {None: _HL7}
_TITLE: Final = "Documents of this patient"


def as_pdf(order: Order) -> Generated:
    """The list as PDF."""
    rows = _rows(order.documents())
    page = Pages()
    page.text(_TITLE, TITLE, bold=True)
    page.rule()
    page.text(f"Patient {_patient(order.entry)}. As on {order.now:%d/%m/%Y}; {len(rows)} current documents.", HEADING)
    page.space(8)
    page.table(_HEAD[:-1], [row[:-1] for row in rows], _SHARES)
    page.space(8)
    page.text("Made when it was asked for, from the registry's index. It is not a clinical summary.", SMALL)
    footer = f"document {order.entry.unique_id}"
    content = pdf_file(page, title=_TITLE, created=f"{order.now:%Y%m%d}000000", footer=footer)
    return Generated(content, "application/pdf")


def as_cda(order: Order) -> Generated:
    """The list as a CDA R2 document with one section (HL7 CDA R2 section 4)."""
    root = etree.Element(f"{{{_HL7}}}ClinicalDocument", nsmap=_NAMES)
    _add(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    name = uuid5(NAMESPACE_OID, f"{order.entry.unique_id} {order.now:%Y%m%d}")
    _add(root, "id", root=str(name).upper())
    type_code = order.entry.type_code
    if type_code:
        _add(root, "code", code=type_code.code, codeSystem=type_code.scheme, displayName=type_code.label)
    _add(root, "title", text=_TITLE)
    _add(root, "effectiveTime", value=f"{order.now:%Y%m%d}")
    _add(root, "confidentialityCode", code="N", codeSystem="2.16.840.1.113883.5.25")
    _add(root, "languageCode", code="en-GB")
    number, _, authority = (order.entry.patient_id or "").partition("^^^&")
    patient = _add(_add(root, "recordTarget"), "patientRole")
    _add(patient, "id", root=authority.partition("&")[0], extension=number)
    author = _add(root, "author")
    _add(author, "time", value=f"{order.now:%Y%m%d}")
    made = _add(author, "assignedAuthor")
    _add(made, "id", root=order.entry.repository_unique_id or "")
    _add(_add(made, "assignedAuthoringDevice"), "softwareName", text="Portolan")
    custodian = _add(_add(root, "custodian"), "assignedCustodian")
    _add(_add(custodian, "representedCustodianOrganization"), "id", root=order.entry.repository_unique_id or "")
    section = _add(_add(_add(_add(root, "component"), "structuredBody"), "component"), "section")
    _add(section, "title", text=_TITLE)
    _table(_add(section, "text"), _rows(order.documents()))
    return Generated(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True), "text/xml")


def _table(text: etree._Element, rows: Sequence[Sequence[str]]) -> None:
    table = _add(text, "table")
    head = _add(_add(table, "thead"), "tr")
    for title in _HEAD:
        _add(head, "th", text=title)
    body = _add(table, "tbody")
    for row in rows or [("", "No current documents", "", "", "")]:
        line = _add(body, "tr")
        for cell in row:
            _add(line, "td", text=cell)


def _add(parent: etree._Element, name: str, *, text: str | None = None, **attributes: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{_HL7}}}{name}", attributes)
    child.text = text
    return child


def _rows(documents: Sequence[DocumentEntry]) -> list[tuple[str, ...]]:
    """Newest first."""
    ordered = sorted(documents, key=lambda each: (each.creation_time or "", each.unique_id or ""), reverse=True)
    return [_row(each) for each in ordered]


def _row(entry: DocumentEntry) -> tuple[str, ...]:
    day = entry.creation_time or ""
    written = f"{day[6:8]}/{day[4:6]}/{day[:4]}" if len(day) >= 8 else day
    title = entry.title[0].value if entry.title else "(untitled)"
    institutions = [name.split("^")[0] for author in entry.authors for name in author.institutions]
    kind = entry.type_code.label if entry.type_code else ""
    return written, title, kind, ", ".join(dict.fromkeys(institutions)), entry.unique_id or ""


def _patient(entry: DocumentEntry) -> str:
    number = (entry.patient_id or "").partition("^")[0]
    return f"{number[:3]} {number[3:6]} {number[6:]}" if len(number) == 10 and number.isdigit() else number
