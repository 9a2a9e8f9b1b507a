"""Code sets: what they accept, from our own form and from a codes.xml."""

from pathlib import Path

import pytest

from common.codes import CodesError, load
from common.codes.sets import CodeSets

SNOMED = "2.16.840.1.113883.6.96"

OWN = """
[systems]
snomed = "2.16.840.1.113883.6.96"
[authorities]
"2.999.4.1" = "Hospital numbers"
[typeCode.snomed]
373942005 = "Discharge summary"
[typeCode."local words"]
letter = "Letter"
[eventCodeList.snomed]
any = true
[classCode]
any = true
[formatCode."*"]
"urn:x" = "X"
[mimeType]
"Application/PDF" = "PDF"
[languageCode]
en-GB = "English"
"""

XML = """<?xml version="1.0"?>
<Codes>
  <CodeType name="types" classScheme="urn:uuid:F0306F51-975f-434e-a61c-c59651d33983">
    <Code code="373942005" display="Discharge summary" codingScheme="2.16.840.1.113883.6.96"/>
    <Code code="letter" display="Letter"/>
  </CodeType>
  <CodeType name="mimeType"><Code code="application/pdf" ext="pdf"/></CodeType>
  <CodeType name="anything"><Code code="shared" display="Shared" codingScheme="2.999.1"/></CodeType>
  <AssigningAuthority id="&amp;2.999.4.1&amp;ISO" display="Hospital numbers"/>
</Codes>
"""


def sets(folder: Path, content: str) -> CodeSets:
    file = folder / "codes"
    file.write_text(content, encoding="utf-8")
    return load(file)


@pytest.fixture
def own(tmp_path: Path) -> CodeSets:
    return sets(tmp_path, OWN)


@pytest.fixture
def xml(tmp_path: Path) -> CodeSets:
    return sets(tmp_path, XML)


def test_a_code_is_accepted_with_its_own_scheme_only(own: CodeSets) -> None:
    assert own.accepts("typeCode", "373942005", SNOMED)
    assert own.accepts("typeCode", "letter", "local words")
    assert not own.accepts("typeCode", "letter", SNOMED)
    assert not own.accepts("typeCode", "373942006", SNOMED)
    assert not own.accepts("typeCode", "", SNOMED)


def test_a_set_may_be_open(own: CodeSets) -> None:
    assert own.accepts("classCode", "anything", "2.999")
    assert own.accepts("eventCodeList", "233604007", SNOMED)
    assert not own.accepts("eventCodeList", "", SNOMED)
    assert not own.accepts("eventCodeList", "233604007", "2.999")


def test_a_code_may_have_any_scheme(own: CodeSets) -> None:
    assert own.accepts("formatCode", "urn:x", "2.999")
    assert own.display("formatCode", "urn:x", "2.999") == "X"


def test_an_attribute_without_a_set_accepts_everything(own: CodeSets) -> None:
    assert own.of("practiceSettingCode") is None
    assert own.accepts("practiceSettingCode", "x", "y")
    assert own.display("practiceSettingCode", "x", "y") is None


def test_a_mime_type_or_language_is_compared_without_case(own: CodeSets) -> None:
    assert own.accepts_mime("application/PDF")
    assert not own.accepts_mime("text/plain")
    assert own.accepts_language("EN-gb")
    assert not own.accepts_language("fr")


def test_a_folders_codes_have_two_names(tmp_path: Path) -> None:
    found = sets(tmp_path, '[folderCodeList."2.999.1"]\na = "A"\n')

    assert found.accepts("codeList", "a", "2.999.1")
    assert not found.accepts("codeList", "b", "2.999.1")


def test_displays_and_authorities_are_given(own: CodeSets) -> None:
    assert own.display("typeCode", "373942005", SNOMED) == "Discharge summary"
    assert own.display("typeCode", "373942006", SNOMED) is None
    assert own.authorities == {"2.999.4.1": "Hospital numbers"}


def test_a_codes_xml_is_read_by_content(xml: CodeSets) -> None:
    assert xml.accepts("typeCode", "373942005", SNOMED)
    assert xml.accepts_mime("application/pdf")
    assert xml.authorities == {"2.999.4.1": "Hospital numbers"}


def test_in_a_codes_xml_a_code_without_scheme_has_any(xml: CodeSets) -> None:
    assert xml.accepts("typeCode", "letter", "2.999.7")
    assert not xml.accepts("typeCode", "373942005", "2.999.7")


def test_in_a_codes_xml_a_type_without_scheme_holds_everywhere(xml: CodeSets) -> None:
    assert xml.accepts("typeCode", "shared", "2.999.1")
    assert not xml.accepts("typeCode", "shared", "2.999.2")


def test_x1_a_document_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("kept", encoding="utf-8")
    hostile = f'<!DOCTYPE Codes [<!ENTITY x SYSTEM "{tmp_path}/secret">]><Codes>&x;</Codes>'

    with pytest.raises(CodesError, match="DOCTYPE"):
        sets(tmp_path, hostile)


def test_a_utf_16_codes_xml_is_read(tmp_path: Path) -> None:
    file = tmp_path / "codes.xml"
    file.write_bytes(XML.replace("?>", ' encoding="UTF-16"?>', 1).encode("utf-16"))

    assert load(file).accepts("typeCode", "373942005", SNOMED)


def test_the_sets_cannot_be_changed(own: CodeSets) -> None:
    with pytest.raises(TypeError):
        own.sets["typeCode"] = own.sets["classCode"]  # type: ignore[index]
