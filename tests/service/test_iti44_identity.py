"""ITI-44 to the cross-reference service: each interaction's answer, and what it does to queries."""

from __future__ import annotations

import pytest

from common.standard.transactions import ITI_44_ADD, ITI_44_MERGE, ITI_44_REVISE, Transaction
from tests.factories import a_patient_id
from tests.service.identity_kit import GP, NHS, Identity, mrn
from tests.service.test_iti44_feed import V3, code, detail, ii, message, odd


def others(*ids: str) -> bytes:
    """patientPerson with asOtherIDs."""
    inner = "".join(f'<asOtherIDs classCode="PAT">{ii(each)}</asOtherIDs>' for each in ids)
    return f"<patientPerson><name><family>Fenwick</family></name>{inner}</patientPerson></patient>".encode()


@pytest.mark.parametrize("transaction", [ITI_44_ADD, ITI_44_REVISE], ids=["add", "revise"])
def test_ids_of_one_patient_are_of_one_person(identity: Identity, transaction: Transaction) -> None:
    number, local, practice = a_patient_id(), mrn(), mrn(GP)
    body = message(transaction, local, number).replace(b"</patient>", others(practice))

    for _ in range(2):
        answer = identity.post(transaction, body)
        assert code(answer) == "CA"
        assert answer.body.tag == "{urn:hl7-org:v3}MCCI_IN000002UV01"
        assert answer.root.findtext(".//{*}Action") == "urn:hl7-org:v3:MCCI_IN000002UV01"

    assert identity.pix(local).ids == {number, practice}


def test_a_merge_subsumes_the_prior_registration(identity: Identity) -> None:
    first, second, local = a_patient_id(), a_patient_id(), mrn()
    identity.post(ITI_44_ADD, message(ITI_44_ADD, local, second))
    body = message(ITI_44_MERGE, first, prior=(second,))

    assert code(identity.post(ITI_44_MERGE, body)) == "CA"
    assert code(identity.post(ITI_44_MERGE, body)) == "CA"  # the same again
    assert code(identity.post(ITI_44_MERGE, message(ITI_44_MERGE, first, prior=(second,)))) == "CE"  # another one

    assert identity.pix(local, NHS).ids == {first}


@pytest.mark.parametrize(
    "case", ["itself", "unknown prior", "other domain", "nobody", "no prior", "two priors", "number", "conflict"]
)
def test_what_is_wrong_is_told_with_its_code_and_place(identity: Identity, case: str) -> None:
    one, two, local = mrn(), mrn(), mrn()
    number = a_patient_id()
    identity.post(ITI_44_ADD, message(ITI_44_ADD, local, number))
    transaction, body, expected, where = {
        "itself": (ITI_44_MERGE, message(ITI_44_MERGE, one, prior=(one,)), "205", "priorRegisteredRole/id"),
        "unknown prior": (ITI_44_MERGE, message(ITI_44_MERGE, one, prior=(two,)), "204", "priorRegisteredRole/id"),
        "other domain": (ITI_44_MERGE, message(ITI_44_MERGE, mrn(GP), prior=(local,)), "204", "/patient/id"),
        "nobody": (ITI_44_ADD, message(ITI_44_ADD), "101", "/patient/id"),
        "no prior": (ITI_44_MERGE, message(ITI_44_MERGE, one), "101", "priorRegisteredRole/id"),
        "two priors": (ITI_44_MERGE, message(ITI_44_MERGE, one, prior=(two, mrn())), "205", "Role/id"),
        "number": (ITI_44_REVISE, message(ITI_44_REVISE, f"9990001007^^^&{NHS}&ISO"), "204", "/patient/id"),
        "conflict": (ITI_44_REVISE, message(ITI_44_REVISE, local, a_patient_id()), "205", "/patient/id"),
    }[case]

    answer = identity.post(transaction, body)

    assert (answer.status, code(answer)) == (200, "CE")
    found, text, location = detail(answer)
    assert found == expected
    assert location.endswith(where)
    assert "999" not in text.split("[")[0]
    assert identity.pix(local, NHS).ids == {number}


def test_w8_odd_messages_are_answered(identity: Identity) -> None:
    answer = identity.post(ITI_44_MERGE, odd(ITI_44_MERGE))

    assert code(answer) == "CE"
    assert answer.body.find("v3:acknowledgement/v3:targetMessage/v3:id", V3).get("nullFlavor") == "NI"


def test_a_body_of_another_interaction_is_a_fault(identity: Identity) -> None:
    answer = identity.post(ITI_44_ADD, message(ITI_44_MERGE, mrn()))

    assert answer.registry_status == "Fault"
