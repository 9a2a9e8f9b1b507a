"""ITI-47 against a running service: who is found by what, in portions, and what is wrong with a query."""

from __future__ import annotations

import uuid

import pytest

from common.standard.transactions import ITI_47, ITI_47_CANCEL, ITI_47_CONTINUE
from tests.factories import a_patient_id
from tests.service.identity_kit import (
    GP,
    LAB,
    NGH,
    NHS,
    Identity,
    a_parameter,
    by_address,
    by_birth,
    by_id,
    by_name,
    by_sex,
    continuation,
    mrn,
    pdq_query,
    scoped,
)
from tests.service.test_iti44_feed import code


def a_family() -> str:
    """A family name that nobody else has."""
    return "Q" + "".join(chr(ord("a") + int(each, 16)) for each in uuid.uuid4().hex[:12])


def test_a_person_is_found_by_everything_that_was_told(identity: Identity) -> None:
    family, number, local = a_family(), a_patient_id(), mrn()
    rest = "|||12 SAMPLE LANE^^NORTHBECK^^ZZ99 3VZ^GBR||0113 496 0001"
    identity.tell(local, number, name=f"{family}^Zoë^Mary^^MRS", birth="19420317", sex="F", rest=rest)

    queries = [
        (by_name(family),),
        (by_name(family.upper(), "ZOE"),),
        (by_name(family, "zoë", "Mary"),),
        (by_name(family), by_birth("19420317"), by_sex("F")),
        (by_name(family), by_birth("1942")),
        (by_name(family), by_address(postalCode="zz993vz")),
        (by_name(family), by_address(streetAddressLine="12 Sample Lane", city="Northbeck")),
        (by_name(family), a_parameter("patientTelecom", '<value value="tel:+441134960001"/>')),
        (by_id(local),),
        (by_id(number), by_name(family)),
        (
            by_name(family),
            a_parameter("livingSubjectBirthTime", '<value><low value="1942"/><high value="194203"/></value>'),
        ),
    ]
    for query in queries:
        found = identity.pdq(*query)
        assert found.codes == ("AA", "OK"), query
        assert found.patients == [[number, local]]
    person = identity.pdq(by_id(local)).answer.body.find(".//{*}patientPerson")
    assert person.findtext("{*}name/{*}family") == family
    assert [each.text for each in person.iterfind("{*}name/{*}given")] == ["Zoë", "Mary"]
    assert person.find("{*}birthTime").get("value") == "19420317"
    assert person.findtext("{*}addr/{*}postalCode") == "ZZ99 3VZ"
    assert identity.pdq(by_id(local)).answer.body.find(".//{*}queryMatchObservation/{*}value").get("value") == "100"


def test_who_does_not_match_in_everything_is_not_found(identity: Identity) -> None:
    family, local = a_family(), mrn()
    identity.tell(local, name=f"{family}^MAUD", birth="19420317", sex="F")

    for query in (
        (by_name(family[:-1]),),
        (by_name(family, "Mau"),),
        (by_name(family, "Maud", "Ann"),),
        (by_name(family), by_birth("19420318")),
        (by_name(family), by_sex("M")),
        (by_name(family), by_address(postalCode="ZZ99 3VZ")),
        (by_id(mrn()), by_name(family)),
    ):
        assert identity.pdq(*query).codes == ("AA", "NF"), query


def test_what_was_told_last_counts(identity: Identity) -> None:
    before, after, local = a_family(), a_family(), mrn()
    identity.tell(local, name=f"{before}^MAUD")
    identity.tell(local, name=f"{after}^MAUD", event="A08")

    assert identity.pdq(by_name(before)).patients == []
    assert identity.pdq(by_name(after)).patients == [[local]]


def test_a_person_is_found_once_by_what_any_authority_told(identity: Identity) -> None:
    maiden, married, number, local, practice = a_family(), a_family(), a_patient_id(), mrn(), mrn(GP)
    identity.tell(local, number, name=f"{maiden}^MAUD")
    identity.tell(practice, number, name=f"{married}^MAUD")

    assert identity.pdq(by_name(maiden)).ids == identity.pdq(by_name(married)).ids == {number, local, practice}
    assert len(identity.pdq(by_name(maiden)).patients) == 1


def test_scopes_choose_whose_ids_come(identity: Identity) -> None:
    family, number, local, practice = a_family(), a_patient_id(), mrn(), mrn(GP)
    identity.tell(mrn(LAB))
    identity.tell(local, number, practice, name=f"{family}^MAUD")

    assert identity.pdq(by_name(family), scoped(GP)).patients == [[practice]]
    assert identity.pdq(by_name(family), scoped(NGH, NHS)).ids == {local, number}
    assert identity.pdq(by_name(family), scoped(LAB)).codes == ("AA", "NF")
    unknown = identity.pdq(by_name(family), scoped("2.999.77"))
    assert unknown.codes == ("AE", "AE")
    assert unknown.detail[0] == "204"
    assert unknown.detail[1].endswith("/parameterList/otherIDsScopingOrganization/value")


@pytest.mark.parametrize("case", ["nothing", "unsupported", "wildcard", "birth", "sex", "id", "address", "many"])
def test_what_is_wrong_with_a_query_is_told(identity: Identity, case: str) -> None:
    parameters, expected, where = {
        "nothing": ((), "101", "/parameterList"),
        "unsupported": (
            (a_parameter("mothersMaidenName", "<value><family>X</family></value>"),),
            "103",
            "/mothersMaidenName",
        ),
        "wildcard": ((by_name("Fen*"),), "102", "/livingSubjectName"),
        "birth": ((by_birth("in spring"),), "102", "/livingSubjectBirthTime"),
        "sex": ((by_sex("x"),), "103", "/livingSubjectAdministrativeGender"),
        "id": ((a_parameter("livingSubjectId", '<value root="1.2"/>'),), "102", "/livingSubjectId"),
        "address": ((by_address(country="GB"),), "101", "/patientAddress"),
        "many": (tuple(by_name("X") for _ in range(11)), "102", "/livingSubjectName"),
    }[case]

    found = identity.pdq(*parameters)

    assert found.codes == ("AE", "AE")
    assert found.detail[0] == expected
    assert found.detail[1].endswith(where)


def test_an_answer_comes_in_portions(identity: Identity) -> None:
    family, query_id = a_family(), uuid.uuid4().hex
    people = [mrn() for _ in range(7)]
    for each in people:
        identity.tell(each, name=f"{family}^MAUD")

    first = identity.pdq(by_name(family), query_id=query_id, quantity=3)
    second = identity.ask(ITI_47_CONTINUE, continuation(query_id, quantity=3))
    repeated = identity.ask(ITI_47_CONTINUE, continuation(query_id, quantity=3, start=4))
    last = identity.ask(ITI_47_CONTINUE, continuation(query_id))
    none = identity.ask(ITI_47_CONTINUE, continuation(query_id, quantity=3))

    assert [each.counts() for each in (first, second, repeated, last, none)] == [
        (7, 3, 4), (7, 3, 1), (7, 3, 1), (7, 1, 0), (7, 0, 0),
    ]  # fmt: skip
    assert second.ids == repeated.ids
    assert first.ids | second.ids | last.ids == set(people)
    assert none.codes == ("AA", "NF")
    assert second.answer.body.find(".//{*}queryByParameter/{*}queryId").get("extension") == query_id


def test_a_query_that_is_cancelled_is_forgotten(identity: Identity) -> None:
    family, query_id = a_family(), uuid.uuid4().hex
    for _ in range(2):
        identity.tell(mrn(), name=f"{family}^MAUD")
    identity.pdq(by_name(family), query_id=query_id, quantity=1)
    body = continuation(query_id, cancel=True)

    answer = identity.post(ITI_47_CANCEL, body)

    assert code(answer) == "CA"
    assert answer.body.tag == "{urn:hl7-org:v3}MCCI_IN000002UV01"
    assert code(identity.post(ITI_47_CANCEL, body.replace(b"UV01_Cancel", b"UV01"))) == "CE"
    gone = identity.ask(ITI_47_CONTINUE, continuation(query_id))
    assert gone.codes == ("AE", "AE")
    assert gone.detail == ("204", "/QUQI_IN000003UV01/controlActProcess/queryContinuation/queryId")


def test_nothing_of_sql_and_xml_means_anything_in_a_value(identity: Identity) -> None:
    family = a_family()
    identity.tell(mrn(), name=f"{family}^MAUD")

    for hostile in (f"{family}' OR '1'='1", f"{family}_", "' --", f"<{family}>", "\\", "_" * 300):
        assert identity.pdq(by_name(f"x {hostile}")).codes == ("AA", "NF")


def test_a_message_without_a_query_is_answered(identity: Identity) -> None:
    body = pdq_query().replace(b"queryByParameter", b"other")

    assert identity.ask(ITI_47, body).codes == ("AE", "AE")
