"""The report for a patient: what a record means in plain English; and the record of who read the trail."""

from __future__ import annotations

import base64
import csv
import io
import time
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from auditing.accesses import HEADINGS, access, covers
from auditing.event import Coded
from auditing.own import Use, message
from auditing.reading import read_event
from auditing.syslog import read
from common.paper.pdf import Pages
from console.trail import reporting
from tests.unit.auditing.kit import AT, OLD_FORM, an_event, syslog

SCHEMA = Path(__file__).resolve().parents[3].parent / "shared/schemas/audit/dicom2017c.xsd"


def told(**event: Any) -> Any:
    """The line of an event."""
    return access(7, AT, read_event(syslog(an_event(**event))))


def test_a_line_says_who_did_what_and_why() -> None:
    line = told(purpose="1")

    assert line.cells() == (
        "11 Mar 2026 14:20:23",
        "A. Nurse (555000000001)",
        "Clinical Practitioner",
        "Northbeck Trust",
        "Opened documents",
        "2.999.1.1",
        "Clinical care of the patient",
        "Done",
        "7",
    )
    assert len(line.cells()) == len(HEADINGS)


@pytest.mark.parametrize(
    ("event", "did"),
    [
        ({"transaction": "ITI-18"}, "Searched the list of documents"),
        ({"transaction": "ITI-41"}, "Added documents"),
        ({"transaction": "110127"}, "Used emergency access"),
        ({"transaction": "ITI-999", "event": ("999", "Something new"), "action": "U"}, "Changed: Something new"),
    ],
)
def test_transactions_have_words_of_their_own(event: dict[str, Any], did: str) -> None:
    assert told(**event).did == did


def detail(kind: str, value: str) -> str:
    """A detail as it is sent."""
    return f'<ParticipantObjectDetail type="{kind}" value="{base64.b64encode(value.encode()).decode()}"/>'


def test_a_refusal_says_by_which_rule_and_an_emergency_for_which_reason() -> None:
    refused = detail("Access Decision", "denied") + detail("Access Rule", "no legitimate relationship")
    emergency = detail("Access Decision", "allowed") + detail("Emergency Reason", "unconscious")

    assert told(details=refused).result == "Refused (no legitimate relationship)"
    assert told(outcome="8").result == "Refused or failed (XDSDocumentUniqueIdError)"
    assert told(details=emergency).why == "Emergency: unconscious"
    assert told(purpose="BTG").why == "Emergency access"


def test_where_nobody_was_named_a_system_is() -> None:
    nobody = told(user="http://www.w3.org/2005/08/addressing/anonymous", name="")
    assert nobody.who == "A system (192.0.2.7)"
    assert access(1, AT, read_event(syslog(OLD_FORM))).who == "consumer"


def test_spreadsheets_take_every_cell_for_text() -> None:
    names = ("=cmd|' /C calc'!A0", "+1", "-1+2", "@SUM(A1)", "\t=1", "\n=1", "a,b", 'a"b', " =1")
    lines = list(reporting.csv_lines(HEADINGS, [(name,) for name in names]))
    cells = [row[0] for row in csv.reader(io.StringIO("".join(lines), newline=""))][1:]

    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in cells)
    assert [cell.lstrip("'") for cell in cells] == [" ".join(name.split()) for name in names]


def test_a_report_as_pdf_holds_all_lines_on_pages(tmp_path: Path) -> None:
    lines = [told(document=f"2.999.1.{number}" + ".1" * 30, name="(A) \\ Nürse") for number in range(60)]
    paragraphs = covers("999 000 1006", "2026-01-01", "", "11 March 2026", len(lines))
    made = reporting.pdf("999 000 1006", lines, paragraphs, "20260311142023")

    assert made.startswith(b"%PDF-1.7")
    assert made.count(b"/Type /Page ") > 3
    assert b"60 in all" in made
    assert made == reporting.pdf("999 000 1006", lines, paragraphs, "20260311142023")
    assert b"No access was reported" in reporting.pdf("1", [], paragraphs, "20260311142023")
    assert Pages().y > 0


USE = Use(
    "555000000001",
    "portolan audit report",
    '{"patient": "9990001006"}',
    "host",
    "A. <b>Officer\x00",
    "192.0.2.9",
    "9990001006^^^&2.999&ISO",
    roles=(Coded("R1", "2.999.5", "Officer"),),
    purposes=(Coded("PATRQT", "2.999.6"),),
    transaction=Coded("ITI-81", "IHE Transactions", "Retrieve ATNA Audit Event"),
)


@pytest.mark.parametrize("use", [USE, Use("u", "b", "q", "h", refused="The token lacks the scope x.")])
def test_our_own_record_is_one_of_dicom(use: Use) -> None:
    before = time.time_ns() // 1000
    made, again = (message(use, "https://audit.example/audit") for _ in range(2))

    event = read_event(made)
    assert made != again
    assert before <= event.at <= time.time_ns() // 1000 + 2
    assert (event.id.code, event.outcome) == ("110101", "8" if use.refused else "0")
    assert event.participants[0].user_id == use.user
    assert event.objects[-1].query.decode() == use.question
    assert [each.id for each in event.patients] == ([use.patient] if use.patient else [])
    if not SCHEMA.exists():
        pytest.skip("the official schemas are not here (../shared/schemas)")
    schema = etree.XMLSchema(etree.parse(SCHEMA))
    schema.assertValid(etree.fromstring(read(made).content))


def test_the_messages_that_are_tested_with_are_as_the_schema_has_them() -> None:
    if not SCHEMA.exists():
        pytest.skip("the official schemas are not here (../shared/schemas)")
    schema = etree.XMLSchema(etree.parse(SCHEMA))
    for message_ in (an_event(), an_event(purpose="1", outcome="8")):
        schema.assertValid(etree.fromstring(message_))
