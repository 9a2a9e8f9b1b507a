"""What is recorded of each transaction, by each side."""

from __future__ import annotations

from base64 import b64decode

import pytest
from lxml import etree

from common.audit import events
from common.audit.account import Account, Document, Judgement
from common.audit.events import DESTINATION, OTHERS, ROWS, SOURCE, TABLE, Kind, Row, Side, key_of, outcome_of
from common.audit.message import Source
from common.audit.parties import Node
from common.audit.records import Happened, records
from common.standard.transactions import TRANSACTIONS
from tests.unit.common.audit.kit import ASKER, OTHER, PATIENT, an_account, element


def happened(row: Row, outcome: str, account: Account) -> list[etree._Element]:
    node = Node("registry", "https://registry.example/registry", Source("registry", "ZT901"), "registry.example")
    participants = (*ASKER.participants(row.asking), node.participant(row.answering, asks=False))
    told = Happened(row, outcome, account, participants, node.source, "c0ffee", ASKER.purposes)
    return [element(each) for each in records(told)]


def a_full_account() -> Account:
    account = an_account(
        submission_sets=["2.999.1"],
        documents=[Document("2.999.2", "2.999.826.1.1", "urn:oid:2.999")],
        objects=["urn:uuid:6f2c1f0e-2c9b-4f43-9a5d-0d2b7e4c1b01"],
        message_id="MSG1",
    )
    account.asks("urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", b"<query/>")
    return account


def details(record: etree._Element) -> dict[str, str]:
    found = record.iterfind("ParticipantObjectIdentification/ParticipantObjectDetail")
    return {each.get("type", ""): b64decode(each.get("value", "")).decode() for each in found}


def roles(record: etree._Element) -> list[tuple[str, ...]]:
    return [
        tuple(code.get("csd-code", "") for code in each.findall("RoleIDCode"))
        for each in record.findall("ActiveParticipant")
    ]


def objects(record: etree._Element) -> list[tuple[str | None, ...]]:
    names = ("ParticipantObjectTypeCode", "ParticipantObjectTypeCodeRole", "ParticipantObjectID")
    return [tuple(each.get(name) for name in names) for each in record.findall("ParticipantObjectIdentification")]


# The table of the specification once more, by hand: what each side records of each transaction.
EXPECTED = {
    "ITI-41": ("110106 R", "110107 C"),
    "ITI-42": ("110106 R", "110107 C"),
    "ITI-61": ("110106 R", "110107 C"),
    "ITI-43": ("110107 C", "110106 R"),
    "ITI-18": ("110112 E", "110112 E"),
    "ITI-51": ("110112 E", "110112 E"),
    "ITI-45": ("110112 E", "110112 E"),
    "ITI-47": ("110112 E", "110112 E"),
    "ITI-57": ("110106 U", "110107 U"),
    "ITI-92": ("110106 U", "110107 U"),
    "ITI-62": ("110110 D", "110110 D"),
    "ITI-86": ("110110 D", "110110 D"),
    "ITI-8 A01": ("110110 C", "110110 C"),
    "ITI-8 A04": ("110110 C", "110110 C"),
    "ITI-8 A05": ("110110 C", "110110 C"),
    "ITI-8 A08": ("110110 U", "110110 U"),
    "ITI-8 A40": ("110110 U", "110110 U"),
    **{f"ITI-31 {event}": ("110110 U", "110110 U") for event in ("A02", "A03", "A11", "A12", "A13", "A38")},
    "ITI-64 A43": ("110110 U", "110110 U"),
    "ITI-44 PRPA_IN201301UV02": ("110110 C", "110110 C"),
    "ITI-44 PRPA_IN201302UV02": ("110110 U", "110110 U"),
    "ITI-44 PRPA_IN201304UV02": ("110110 U", "110110 U"),
}


def test_every_transaction_that_is_served_is_recorded_by_both_sides() -> None:
    assert {key_of(each) for each in TRANSACTIONS} <= EXPECTED.keys()
    assert set(TABLE) == {(key, side) for key in EXPECTED for side in Side}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.key} {row.side.value}")
def test_a_row_says_what_the_standard_does(row: Row) -> None:
    [record] = happened(row, "Success", a_full_account())

    event = record[0]
    found = f"{event[0].get('csd-code')} {event.get('EventActionCode')}"
    assert found == EXPECTED[row.key][row.side is Side.ANSWERED]
    assert event[1].get("csd-code") == row.key.partition(" ")[0]
    assert event[1].get("codeSystemName") == "IHE Transactions"
    assert event.get("EventOutcomeIndicator") == "0"
    asking = SOURCE if not row.key.startswith("ITI-43") else DESTINATION
    assert roles(record)[0] == (asking.code,)
    kinds = {("1", "1"): Kind.PATIENT, ("2", "20"): Kind.SUBMISSION_SET, ("2", "24"): Kind.QUERY}
    told = [kinds.get((one or "", two or "")) for one, two, _ in objects(record)]
    for kind in (Kind.PATIENT, Kind.SUBMISSION_SET, Kind.QUERY):
        assert (kind in told) is (kind in row.kinds)
    assert (("2", "3") in [each[:2] for each in objects(record)]) is bool({Kind.DOCUMENT, Kind.OBJECT} & set(row.kinds))
    if row.message:
        assert details(record)[row.message] == "MSG1"


def test_a_user_is_told_with_roles_and_purpose() -> None:
    [record] = happened(TABLE["ITI-18", Side.ANSWERED], "Success", a_full_account())

    system, user, ours = record.findall("ActiveParticipant")
    assert user.get("UserName") == "Dr Test<555021935107@https://id.northbeck.example>"
    assert user.find("RoleIDCode").get("csd-code") == "R8000"  # type: ignore[union-attr]
    assert record[0].find("PurposeOfUse").get("csd-code") == "1"  # type: ignore[union-attr]
    assert (system.get("UserName"), system.get("NetworkAccessPointID")) == ("CN=portal.example", "192.0.2.7")
    assert ours.get("UserID") == "https://registry.example/registry"
    assert (ours.get("AlternativeUserID") or "").isdigit()


def test_a_query_that_was_answered_in_part_is_a_success_and_a_failure() -> None:
    account = a_full_account()
    account.problems = ["XDSRegistryError", "XDSUnavailableCommunity"]

    good, bad = happened(TABLE["ITI-18", Side.ANSWERED], "PartialSuccess", account)

    assert (good[0].get("EventOutcomeIndicator"), bad[0].get("EventOutcomeIndicator")) == ("0", "12")
    assert bad[0].findtext("EventOutcomeDescription") == "XDSRegistryError, XDSUnavailableCommunity"
    assert good[0].findtext("EventOutcomeDescription") is None


def test_documents_that_were_given_and_those_that_were_not_are_told_apart() -> None:
    account = Account()
    account.documents = [Document("2.1", "2.999"), Document("2.2", "2.999", problem="XDSDocumentUniqueIdError")]
    account.judgements = [Judgement(False, "consent: withdrawn", objects=("2.2",))]

    good, bad = happened(TABLE["ITI-43", Side.ANSWERED], "PartialSuccess", account)

    assert [each[2] for each in objects(good)] == ["2.1"]
    assert [each[2] for each in objects(bad)] == ["2.2"]
    assert (good[0].get("EventOutcomeIndicator"), bad[0].get("EventOutcomeIndicator")) == ("0", "8")
    assert bad[0].findtext("EventOutcomeDescription") == "XDSDocumentUniqueIdError"
    assert "Access Rule" not in details(good)
    assert details(bad)["Access Rule"] == "consent: withdrawn"
    assert details(bad)["Access Decision"] == "denied"
    assert details(bad)["Repository Unique Id"] == "2.999"


def test_documents_of_different_patients_are_told_apart() -> None:
    account = Account(documents=[Document("2.1", patient_id=PATIENT), Document("2.2", patient_id=OTHER)])

    found = happened(TABLE["ITI-43", Side.ANSWERED], "Success", account)

    assert [[each[2] for each in objects(record)] for record in found] == [[PATIENT, "2.1"], [OTHER, "2.2"]]


@pytest.mark.parametrize("key", ["ITI-51", "ITI-47", "ITI-62"])
def test_a_record_is_about_one_patient(key: str) -> None:
    account = a_full_account()
    account.concerns(OTHER)
    account.objects = ["urn:uuid:1", "urn:uuid:2"]
    account.owners = {"urn:uuid:1": PATIENT, "urn:uuid:2": OTHER}

    found = happened(TABLE[key, Side.ANSWERED], "Success", account)

    assert [objects(each)[0][2] for each in found] == [PATIENT, OTHER]
    if key == "ITI-62":
        assert [[each[2] for each in objects(record)[1:]] for record in found] == [["urn:uuid:1"], ["urn:uuid:2"]]


@pytest.mark.parametrize("key", ["ITI-8 A40", "ITI-44 PRPA_IN201304UV02"])
def test_a_merge_is_two_records(key: str) -> None:
    account = Account(message_id="M7")
    account.merges(PATIENT, OTHER)

    found = happened(TABLE[key, Side.ANSWERED], "AA", account)

    assert [(each[0].get("EventActionCode"), objects(each)[0][2]) for each in found] == [("D", PATIENT), ("U", OTHER)]
    assert [set(details(each).values()) for each in found] == [{"M7", "c0ffee"}] * 2


def test_what_is_removed_is_gone_for_good() -> None:
    for key in ("ITI-62", "ITI-86"):
        [record] = happened(TABLE[key, Side.ANSWERED], "Success", a_full_account())
        assert record.findall("ParticipantObjectIdentification")[-1].get("ParticipantObjectDataLifeCycle") == "15"


def test_many_objects_are_told_in_several_records() -> None:
    account = Account(documents=[Document(f"2.{number}") for number in range(1001)])

    found = happened(TABLE["ITI-86", Side.ANSWERED], "Success", account)

    assert [len(objects(each)) for each in found] == [1000, 1]


def test_what_was_withheld_is_told() -> None:
    account = a_full_account()
    account.judgements = [Judgement(False, "relationship: none", PATIENT, count=3)]

    [record] = happened(TABLE["ITI-18", Side.ANSWERED], "Success", account)

    told = details(record)
    assert (told["Access Decision"], told["Access Rule"], told["Access Count"]) == ("denied", "relationship: none", "3")
    assert told["Correlation"] == "c0ffee"


def test_an_emergency_is_an_alert_as_well() -> None:
    account = a_full_account()
    account.judgements = [Judgement(True, "emergency", PATIENT, emergency="patient unconscious")]

    query, alert = happened(TABLE["ITI-18", Side.ANSWERED], "Success", account)

    assert query[0][0].get("csd-code") == "110112"
    assert [each.get("csd-code") for each in alert[0][:2]] == ["110113", "110127"]
    assert details(alert)["Emergency Reason"] == "patient unconscious"
    assert objects(alert)[0][2] == PATIENT


def test_a_refusal_without_any_object_is_found_by_its_correlation() -> None:
    [record] = happened(TABLE["ITI-42", Side.ANSWERED], "Fault", Account(problems=["Sender"]))

    assert record[0].get("EventOutcomeIndicator") == "4"
    assert objects(record) == [("4", "4", "c0ffee")]


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        (("XDSUnknownPatientId",), 8),
        (("Sender",), 4),
        (("Sender", "FailedCheck"), 8),
        (("XDSRegistryBusy",), 12),
        ((), 8),
    ],
)
def test_an_outcome_says_whose_fault_it_was(codes: tuple[str, ...], outcome: int) -> None:
    assert outcome_of(codes) == outcome


def test_other_events_have_names_of_their_own() -> None:
    assert len({each.name for each in OTHERS}) == len(OTHERS)
    assert events.NOT_ADMITTED.outcome == events.NOT_IDENTIFIED.outcome == 8
