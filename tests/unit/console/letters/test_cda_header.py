"""Reading CDA headers: what is there, what is not, and what must not be let in."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.letters.cda_header import CdaError, CdaHeader, Coded, read_header
from console.letters.cda_time import to_date, to_dtm
from console.letters.samples import sample_letters

SAMPLE = next(sample.content for sample in sample_letters() if sample.mime_type == "text/xml")
PATIENT = (
    '<recordTarget><patientRole><id root="2.16.840.1.113883.2.1.4.1" extension="{}"/>{}</patientRole></recordTarget>'
)


def document(header: str = "", prolog: str = "") -> bytes:
    return f'{prolog}<ClinicalDocument xmlns="urn:hl7-org:v3">{header}<component/></ClinicalDocument>'.encode()


def read(header: str) -> CdaHeader:
    return read_header(document(header))


def test_what_is_not_there_is_none() -> None:
    header = read("")

    assert header.unique_id is header.title is header.type is header.creation_time is header.author_person is None
    assert header.patient.nhs_number is header.patient.name is header.patient.source_patient_id is None
    assert header.patient.source_patient_info == ()


@pytest.mark.parametrize(
    ("element", "unique_id"),
    [
        ('<id root="2.999.1"/>', "2.999.1"),
        ('<id root="2.999.1" extension="A7"/>', "2.999.1^A7"),
        ('<id root="00000000-0000-0000-0000-00000000000A"/>', "2.25.10"),
        ('<id nullFlavor="UNK"/>', None),
        ('<id extension="A7"/>', None),
    ],
)
def test_the_id_becomes_the_unique_id(element: str, unique_id: str | None) -> None:
    assert read(element).unique_id == unique_id


def test_a_code_needs_its_scheme() -> None:
    assert read('<code code="1" codeSystem="2.999" displayName="One"/>').type == Coded("1", "2.999", "One")
    assert read('<code code="1"/>').type is None
    assert read('<code code="1" codeSystem="2.999" nullFlavor="OTH"/>').type is None


@pytest.mark.parametrize(
    ("name", "pid5"),
    [
        ("<name><family>Fenwick</family></name>", "Fenwick"),
        (
            "<name><prefix>Mrs</prefix><given>Maud</given><given>Ada</given><family>Fenwick</family></name>",
            "Fenwick^Maud^Ada^^Mrs",
        ),
        ("<name><family>Fen<!-- x -->wick</family></name>", "Fenwick"),
        ("<name><family>Fen<![CDATA[wi]]>ck</family></name>", "Fenwick"),
        ("<name><family>A^B&amp;C|D~E\\F</family></name>", r"A\S\B\T\C\F\D\R\E\E\F"),
        ("<name>Maud\n  Fenwick</name>", "Maud Fenwick"),
        ("<name><family>Old</family></name><name use='L'><family>Legal</family></name>", "Legal"),
        ("<name/>", None),
    ],
)
def test_a_name_is_written_whole_and_escaped(name: str, pid5: str | None) -> None:
    assert read(PATIENT.format("9990001006", f"<patient>{name}</patient>")).patient.name == pid5


@pytest.mark.parametrize(("code", "sex"), [("M", "M"), ("F", "F"), ("UN", "O"), ("X", "U")])
def test_the_sex_is_that_of_pid_8(code: str, sex: str) -> None:
    patient = f'<patient><administrativeGenderCode code="{code}"/></patient>'

    assert read(PATIENT.format("9990001006", patient)).patient.sex == sex


def test_an_nhs_number_may_have_spaces() -> None:
    assert read(PATIENT.format("999 000 1006", "")).patient.patient_id == "9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO"


@pytest.mark.parametrize("number", ["9990001007", "999000100", "999000100X", "٩٩٩0001006"])
def test_s15_a_wrong_number_is_refused_and_not_repeated(number: str) -> None:
    with pytest.raises(CdaError) as refused:
        read(PATIENT.format(number, ""))

    assert number not in str(refused.value)


def test_s12_two_patients_are_refused() -> None:
    with pytest.raises(CdaError, match="more than one patient"):
        read(PATIENT.format("9990001006", "") + PATIENT.format("9990001014", ""))
    with pytest.raises(CdaError, match="two different NHS Numbers"):
        read(PATIENT.format("9990001006", '<id root="2.16.840.1.113883.2.1.4.1" extension="9990001014"/>'))


AUTHOR = (
    "<author><assignedAuthor>{}<assignedPerson><name><family>Okafor</family></name></assignedPerson>"
    "</assignedAuthor></author>"
)


@pytest.mark.parametrize(
    ("identifiers", "xcn"),
    [
        ("", "^Okafor"),
        ('<id nullFlavor="NI"/>', "^Okafor"),
        ('<id root="2.999.1"/>', "^Okafor"),
        ('<id root="not an oid" extension="1"/>', "^Okafor"),
        ('<id root="2.999.1" extension="1"/>', "1^Okafor^^^^^^^&2.999.1&ISO"),
        (
            '<id root="2.999.1" extension="1"/><id root="1.2.826.0.1285.0.2.0.65" extension="555021935107"/>',
            "555021935107^Okafor^^^^^^^&1.2.826.0.1285.0.2.0.65&ISO",
        ),
    ],
)
def test_a_person_has_an_id_only_with_an_authority(identifiers: str, xcn: str) -> None:
    assert read(AUTHOR.format(identifiers)).author_person == xcn


def test_a_device_is_no_person() -> None:
    device = '<author><assignedAuthor><id root="2.999.1" extension="1"/></assignedAuthor></author>'

    assert read(device).author_person is None


def test_the_custodian_stands_in_for_an_author_without_institution() -> None:
    custodian = (
        "<custodian><assignedCustodian><representedCustodianOrganization>"
        "<name>Northbeck</name></representedCustodianOrganization></assignedCustodian></custodian>"
    )

    assert read(AUTHOR.format("") + custodian).author_institution == "Northbeck"


def test_the_service_event_stands_in_for_a_missing_encounter() -> None:
    event = "<documentationOf><serviceEvent><effectiveTime value='20260301'/></serviceEvent></documentationOf>"

    assert (read(event).service_start, read(event).service_stop) == ("20260301", "20260301")


@pytest.mark.parametrize(
    ("value", "dtm"),
    [
        ("2026", "2026"),
        ("20260311", "20260311"),
        ("20260311+0100", "20260311"),
        ("20260311142000+0000", "20260311142000"),
        ("20260422103000+0100", "20260422093000"),
        ("20260422103000.123-0430", "20260422150000"),
        ("2026042210+0530", "202604220430"),
        ("20260311142000", "20260311142000"),
        ("20260422103000", "20260422093000"),
        ("20260329005959", "20260329005959"),
        ("20260329020000", "20260329010000"),
        ("20261025015959", "20261025005959"),
        ("20261025020000", "20261025020000"),
        ("20260101003000+0100", "20251231233000"),
    ],
)
def test_times_become_utc(value: str, dtm: str) -> None:
    assert to_dtm(value) == dtm


@pytest.mark.parametrize(
    "value", ["", "today", "20260230", "202603111", "20260311250000", "00000101", "00010101000000+1400", "2026-03-11"]
)
def test_what_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        to_dtm(value)
    if value:
        with pytest.raises(CdaError, match="effectiveTime"):
            read(f'<effectiveTime value="{value}"/>')


def test_a_birthday_stays_where_it_is() -> None:
    assert to_date("19420317003000+0100") == "19420317"


@pytest.mark.parametrize(
    "prolog",
    [
        "<!DOCTYPE ClinicalDocument>",
        '<!DOCTYPE ClinicalDocument SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        "<?xml version='1.0'?><!-- x --><!DOCTYPE x [<!ENTITY % p SYSTEM 'http://127.0.0.1:1/'> %p;]>",
    ],
)
def test_x1_x2_a_document_type_is_refused(prolog: str) -> None:
    with pytest.raises(CdaError, match="DOCTYPE"):
        read_header(document("", prolog))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_x5_usual_encodings_are_read(encoding: str) -> None:
    content = document("<title>Brief für Zoë</title>").decode().encode(encoding)

    assert read_header(content).title == "Brief für Zoë"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<",
        b"%PDF-1.7",
        b"<ClinicalDocument/>",
        b'<x xmlns="urn:hl7-org:v3"/>',
        b'<?xml version="1.0" encoding="utf-7"?>+ADw-x/+AD4-',
        document()[:-30],
        document("<title>&unknown;</title>"),
        document("<a>" * 300 + "</a>" * 300),
        document("<title>" + "x" * 2000 + "</title>"),
        document("<a/>" * 300_000),
        document("<title" + "".join(f' a{number}="1"' for number in range(110_000)) + "/>"),
    ],
)
def test_what_cannot_be_used_is_explained(content: bytes) -> None:
    with pytest.raises(CdaError) as refused:
        read_header(content)

    assert str(refused.value).endswith(".")


def test_the_body_is_not_read() -> None:
    body = document("<title>Large</title>").replace(b"<component/>", b"<component>" + b"A" * 30_000_000)

    assert read_header(body).title == "Large"


def test_x4_nothing_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept", encoding="utf-8")
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{tmp_path}/kept" parse="text"/>'

    assert read(f"<title>{include}</title>").title is None


@given(st.binary(max_size=400))
def test_garbage_ends_in_an_error(content: bytes) -> None:
    with pytest.raises(CdaError):
        read_header(content)


@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 40), st.binary(max_size=20))
def test_any_change_is_read_or_refused(at: int, removed: int, added: bytes) -> None:
    with suppress(CdaError):
        read_header(SAMPLE[:at] + added + SAMPLE[at + removed :])


@given(st.text(max_size=60))
def test_any_text_in_the_header_is_read_or_refused(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    header = (
        f'<id root="{escaped}"/><title>{escaped}</title><effectiveTime value="{escaped}"/>'
        f'<languageCode code="{escaped}"/>'
    )
    with suppress(CdaError):
        read_header(document(header))
