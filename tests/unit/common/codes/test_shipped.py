"""The shipped NHS codes: clean, and enough for the messages that must pass."""

from pathlib import Path

import pytest
from lxml import etree

from common.codes import SHIPPED, check, load

SNOMED = "2.16.840.1.113883.6.96"
IHE_FORMAT = "1.3.6.1.4.1.19376.1.2.3"
SHARED = Path(__file__).parents[5] / "shared"
RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"

# A UK sender's discharge letter.
LETTER = [
    ("classCode", "371531000", SNOMED),
    ("typeCode", "373942005", SNOMED),
    ("confidentialityCode", "N", "2.16.840.1.113883.5.25"),
    ("eventCodeList", "58000006", SNOMED),
    ("contentTypeCode", "58000006", SNOMED),
    ("formatCode", "urn:ihe:iti:xds-sd:pdf:2008", IHE_FORMAT),
    ("healthcareFacilityTypeCode", "22232009", SNOMED),
    ("practiceSettingCode", "394802001", SNOMED),
]

ATTRIBUTE_BY_SCHEME = {
    "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a": "classCode",
    "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f": "confidentialityCode",
    "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4": "eventCodeList",
    "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d": "formatCode",
    "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1": "healthcareFacilityTypeCode",
    "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead": "practiceSettingCode",
    "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983": "typeCode",
    "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500": "contentTypeCode",
    "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5": "codeList",
    "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3": "associationDocumentation",
}


def test_the_shipped_file_is_clean() -> None:
    assert check(SHIPPED) == []


@pytest.mark.parametrize(("attribute", "code", "scheme"), LETTER)
def test_a_discharge_letter_is_accepted(attribute: str, code: str, scheme: str) -> None:
    codes = load()

    assert codes.accepts(attribute, code, scheme)
    assert codes.display(attribute, code, scheme)
    assert not codes.accepts(attribute, code, "2.999.1")
    assert not codes.accepts(attribute, "unheard-of", "2.999.1")


@pytest.mark.parametrize("mime_type", ["application/pdf", "text/xml", "text/plain", "application/fhir+json"])
def test_usual_mime_types_are_accepted(mime_type: str) -> None:
    assert load().accepts_mime(mime_type)


def test_odd_mime_types_are_refused() -> None:
    assert not load().accepts_mime("text/goofy")


def test_any_diagnosis_in_snomed_is_accepted_as_event() -> None:
    codes = load()

    assert codes.accepts("eventCodeList", "44054006", SNOMED)
    assert not codes.accepts("eventCodeList", "E11", "2.999.1")


def test_what_the_project_s_example_messages_use_is_accepted() -> None:
    files = sorted((SHARED / "examples").glob("iti*.xml"))
    if not files:
        pytest.skip("the example messages are not beside this checkout")
    codes, seen = load(), 0
    for file in files:
        for item in etree.parse(file).iter(f"{RIM}Classification", f"{RIM}ExtrinsicObject"):
            if mime_type := item.get("mimeType"):
                assert codes.accepts_mime(mime_type), file.name
            attribute = ATTRIBUTE_BY_SCHEME.get(item.get("classificationScheme", ""))
            if attribute and (code := item.get("nodeRepresentation")):
                [scheme] = item.xpath("*[@name='codingScheme']//*[local-name()='Value']/text()")
                assert codes.accepts(attribute, code, str(scheme)), f"{file.name}: {attribute} {code}"
                seen += 1
    assert seen > 50


def test_the_test_tools_own_domain_can_be_moved_in() -> None:
    file = SHARED / "conformance" / "toolkitx" / "environment" / "default" / "codes.xml"
    if not file.exists():
        pytest.skip("the test tools' codes.xml is not beside this checkout")
    codes = load(file)

    assert codes.accepts("typeCode", "18842-5", "2.16.840.1.113883.6.1")
    assert codes.accepts_mime("text/goofy")
    assert "1.3.6.1.4.1.21367.13.20.1000" in codes.authorities
    assert not codes.accepts("typeCode", "373942005", SNOMED)
