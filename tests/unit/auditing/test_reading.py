"""Audit messages in both forms, and those that cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditing.event import Coded
from auditing.indexing import indexed
from auditing.reading import Unreadable, microseconds, moment, patient_term, read_event
from tests.unit.auditing.kit import AT, OLD_FORM, a_patient, an_event, syslog


def test_everything_of_dicoms_form_is_read() -> None:
    event = read_event(syslog(an_event(purpose="1", outcome="8")))

    assert event.id == Coded("110106", "DCM", "Export")
    assert [each.code for each in event.types] == ["ITI-43"]
    assert (event.action, event.outcome, event.description) == ("R", "8", "XDSDocumentUniqueIdError")
    assert event.at == AT
    assert event.purposes == (Coded("1", "1.0.14265.1", "1"),)
    assert event.participants[2].name == "A. Nurse<555000000001@urn:example:idp>"
    assert event.participants[2].roles == (Coded("S8000", "NHS", "Clinical Practitioner"),)
    assert [each.requestor for each in event.participants] == [False, True, True]
    assert (event.source, event.site) == ("repository", "Northbeck Trust")
    assert event.source_types[0].code == "4"
    assert event.objects[1].detail("Repository Unique Id") == "2.999.826.1.1"


def test_the_older_form_says_the_same() -> None:
    event = read_event(syslog(OLD_FORM))

    assert event.id == Coded("110112", "DCM", "Query")
    assert event.at == AT - 120_000
    assert event.objects[1].query == b"<query/>"
    assert ("patient", "9990001006|2.16.840.1.113883.2.1.4.1") in indexed(syslog(OLD_FORM), 0).terms


def test_a_record_is_found_by_whom_it_names() -> None:
    found = indexed(syslog(an_event(purpose="1")), 5)

    assert found.at == AT
    assert {value for kind, value in found.terms if kind == "user"} >= {
        "555000000001",
        "A. Nurse",
        "A. Nurse<555000000001@urn:example:idp>",
        "555000000001@urn:example:idp",
        "4712",
    }
    assert {value for kind, value in found.terms if kind == "patient"} == {"9990001006|2.16.840.1.113883.2.1.4.1"}
    assert {value for kind, value in found.terms if kind == "object"} == {"2.999.1.1"}
    assert ("network", "192.0.2.7") in found.terms
    assert found.kinds == " 1/1 2/3 "


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (b"", "no header"),
        (b"hello", "no header"),
        (b"<999>1 - - - - - - x", "no header"),
        (b"<85>1 - h a 1 IHE+RFC-3881 -", "not XML"),
        (b"<85>1 - h a 1 IHE+RFC-3881 - \x00\xff\xfe\x80", "not"),
        (syslog(b'<!DOCTYPE a [<!ENTITY b "c">]><AuditMessage/>'), "DOCTYPE"),
        (syslog(b"<a>" * 5_000), "nested"),
        (syslog(b"<a>" * 100 + b"</a>" * 100), "nested"),
        (syslog(b"<AuditMessage>"), "not well formed"),
        (syslog(b"<AuditMessage/>"), "no EventIdentification"),
        (syslog(b"<Other/>"), "no AuditMessage"),
    ],
)
def test_what_cannot_be_read_says_why_and_is_indexed_all_the_same(message: bytes, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        read_event(message)

    found = indexed(message, 42)
    assert found.at == 42
    assert found.problem


@given(st.binary(max_size=400))
def test_garbage_is_unreadable_and_nothing_else(data: bytes) -> None:
    for message in (data, syslog(data)):
        indexed(message, 1)


def test_structured_data_and_a_mark_of_encoding_are_taken() -> None:
    message = b'<85>1 - h a 1 x [one a="b\\]c"][two] \xef\xbb\xbf' + an_event()

    assert read_event(message).source == "repository"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-11T14:20:23.120Z", AT),
        ("2026-03-11T15:20:23.12+01:00", AT),
        ("2026-03-11T14:20:23.120000999", AT),
        ("2026-13-11T14:20:23Z", None),
        ("now", None),
        ("10000-01-01T00:00:00Z", None),
    ],
)
def test_times_are_those_of_xml(text: str, at: int | None) -> None:
    assert microseconds(text) == at


def test_a_moment_is_what_was_read() -> None:
    assert moment(AT).isoformat(timespec="milliseconds") == "2026-03-11T14:20:23.120+00:00"


@pytest.mark.parametrize(
    ("cx", "term"),
    [
        (a_patient(), "9990001006|2.16.840.1.113883.2.1.4.1"),
        ("x^^^NHS&1.2&ISO^NI", "x|1.2"),
        ("x^^^NHS", "x|NHS"),
        ("x", "x|"),
    ],
)
def test_a_patient_is_known_by_id_and_authority(cx: str, term: str) -> None:
    assert patient_term(cx) == term
