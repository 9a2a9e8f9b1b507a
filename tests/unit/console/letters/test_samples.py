"""The sample letters: plainly made up, deterministic, and acceptable to the shipped affinity domain."""

import pytest
from lxml import etree

from common.codes import load
from common.codes.checks import is_snomed
from common.standard.nhs import nhs_number_problem
from console.letters.cda_header import read_header
from console.letters.headings import _CODES
from console.letters.model import dtm
from console.letters.samples import SampleLetter, sample_letters

SAMPLES = sample_letters()
CDA = [sample for sample in SAMPLES if sample.mime_type == "text/xml"]
NS = {"h": "urn:hl7-org:v3"}

each = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
each_cda = pytest.mark.parametrize("sample", CDA, ids=lambda sample: sample.name)


def test_there_are_six_letters_of_both_kinds_about_three_patients() -> None:
    assert len(SAMPLES) == 6
    assert {sample.mime_type for sample in SAMPLES} == {"application/pdf", "text/xml"}
    assert len({sample.letter.patient.nhs_number for sample in SAMPLES}) == 3
    assert len({sample.letter.unique_id for sample in SAMPLES}) == 6
    assert len({sample.name for sample in SAMPLES}) == 6


def test_they_are_always_the_same_bytes() -> None:
    assert [sample.content for sample in SAMPLES] == [sample.content for sample in sample_letters()]


@each
def test_patients_are_of_the_test_range(sample: SampleLetter) -> None:
    number = sample.letter.patient.nhs_number

    assert number.startswith("999")
    assert nhs_number_problem(number) is None


@each
def test_the_shipped_codes_accept_them(sample: SampleLetter) -> None:
    codes, letter = load(), sample.letter
    given = [
        ("classCode", sample.class_code),
        ("typeCode", letter.type),
        ("formatCode", sample.format_code),
        ("practiceSettingCode", letter.setting),
        ("healthcareFacilityTypeCode", sample.facility_code),
        ("confidentialityCode", sample.confidentiality),
        *(("eventCodeList", event) for event in letter.events),
        ("contentTypeCode", letter.type),
    ]

    assert all(codes.accepts(attribute, term.code, term.scheme) for attribute, term in given)
    assert codes.accepts_mime(sample.mime_type)
    assert codes.accepts_language(sample.language)


@each
def test_times_follow_one_another(sample: SampleLetter) -> None:
    letter = sample.letter

    assert letter.began < letter.ended < letter.written
    assert dtm(letter.written).isdigit()


@each
def test_every_section_says_something(sample: SampleLetter) -> None:
    assert all(part.paragraphs or part.table for part in sample.letter.sections)
    tables = [part.table for part in sample.letter.sections if part.table]
    assert all(len(row) == len(table.head) == len(table.widths) for table in tables for row in table.rows)


def test_section_codes_have_right_check_digits() -> None:
    assert all(is_snomed(code) for code in _CODES.values() if code)


@each_cda
def test_a_cda_says_what_the_letter_says(sample: SampleLetter) -> None:
    root, letter = etree.fromstring(sample.content), sample.letter
    text = " ".join(str(part) for part in root.itertext())
    sections = root.findall(".//h:section", NS)

    assert [part.findtext("h:title", namespaces=NS) for part in sections] == [p.heading for p in letter.sections]
    for part in letter.sections:
        assert all(paragraph in text for paragraph in part.paragraphs)
        assert all(cell in text for row in (part.table.rows if part.table else ()) for cell in row)


@each_cda
def test_the_elements_of_the_header_stand_in_the_order_of_the_schema(sample: SampleLetter) -> None:
    root = etree.fromstring(sample.content)

    assert [etree.QName(child).localname for child in root] == [
        *("realmCode", "typeId", "id", "code", "title", "effectiveTime", "confidentialityCode", "languageCode"),
        *("setId", "versionNumber", "recordTarget", "author", "custodian", "informationRecipient"),
        *("legalAuthenticator", "componentOf", "component"),
    ]


@each_cda
def test_a_header_is_read_as_it_was_written(sample: SampleLetter) -> None:
    header, letter = read_header(sample.content), sample.letter

    assert header.unique_id == letter.unique_id
    assert header.title == letter.title
    assert header.type is not None
    assert (header.type.code, header.type.scheme) == (letter.type.code, letter.type.scheme)
    assert header.creation_time == dtm(letter.written)
    assert (header.service_start, header.service_stop) == (dtm(letter.began), dtm(letter.ended))
    assert header.patient.patient_id == letter.patient.patient_id
    assert header.patient.source_patient_id == letter.patient.source_patient_id
    assert header.patient.source_patient_info == letter.patient.source_patient_info[:4]
    assert header.author_person == header.legal_authenticator == letter.author.xcn
    assert header.author_institution == (
        f"{letter.hospital.name}^^^^^&2.16.840.1.113883.2.1.3.2.4.19.1&ISO^^^^{letter.hospital.ods}"
    )
    assert header.language == sample.language
    assert header.confidentiality is not None
    assert header.confidentiality.code == "N"
