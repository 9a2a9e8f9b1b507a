from __future__ import annotations

import pytest

from common.access.names import asserted, of_institution, organisation, patient, role

ODS = "2.16.840.1.113883.2.1.3.2.4.19.1"


@pytest.mark.parametrize(
    "told",
    [
        "ZT901", " zt901 ", f"urn:oid:{ODS}:ZT901", f"urn:oid:{ODS}.ZT901", f"{ODS}:zt901", f"ZT901^{ODS}",
        "https://fhir.nhs.uk/Id/ods-organization-code|ZT901", "https://fhir.nhs.uk/Id/ods-organization-code/ZT901",
        "https://fhir.nhs.uk/id/ods-site-code|ZT901",
    ],
)  # fmt: skip
def test_an_organisation_has_one_form(told: str) -> None:
    assert organisation(told) == "ZT901"


@pytest.mark.parametrize("told", ["urn:oid:2.999.826.8.1", "https://elsewhere.example/orgs|ZT901", "ZT-901"])
def test_another_identifier_stays_what_it_is(told: str) -> None:
    assert organisation(told) == told


def test_nothing_is_made_of_what_is_too_long() -> None:
    assert organisation("Z" * 300) == ""
    assert organisation("") == ""


@pytest.mark.parametrize(
    ("xon", "expected"),
    [
        (f"Northbeck General Hospital^^^^^&{ODS}&ISO^^^^ZT901", "ZT901"),
        ("Elsewhere^^^^^&2.999.4&ISO^^^^17", "17^2.999.4"),
        ("Elsewhere^^^^^^^^^urn:oid:2.999.7", "urn:oid:2.999.7"),
        ("A name alone", ""),
        ("Too long^^^^^^^^^" + "X" * 300, ""),
    ],
)
def test_an_institution_names_its_organisation(xon: str, expected: str) -> None:
    assert of_institution(xon) == expected


def test_roles_and_patients_have_one_form() -> None:
    assert role("R8000^^1.2") == role("R8000^1.2") == "R8000^1.2"
    assert role("Nurse") == "Nurse^"
    assert patient("9990001006^^^NHS&2.16.840.1.113883.2.1.4.1&ISO^NH") == ("9990001006", "2.16.840.1.113883.2.1.4.1")
    assert patient("x") == ("x", "")


NHS = "2.16.840.1.113883.2.1.4.1"


@pytest.mark.parametrize(
    "told",
    [
        f"9990001006^^^&{NHS}&ISO", f" 9990001006^^^NHS&{NHS}&ISO^NH", f"999 000 1006^^^&{NHS}&ISO", "9990001006",
        "999 000 1006", "999-000-1006", "https://fhir.nhs.uk/Id/nhs-number|9990001006", f"urn:oid:{NHS}:9990001006",
        f"urn:oid:{NHS}.9990001006",
    ],
)  # fmt: skip
def test_an_assertion_names_a_patient_in_each_form_of_an_nhs_number(told: str) -> None:
    assert asserted(told) == patient(f"9990001006^^^&{NHS}&ISO")


@pytest.mark.parametrize(
    "told", ["9990001007", "9990001006^^^&2.999.1&ISO", "999000100", "", "x", "https://elsewhere.example|9990001006"]
)
def test_what_is_no_nhs_number_is_not_made_one(told: str) -> None:
    assert asserted(told) == patient(told)
