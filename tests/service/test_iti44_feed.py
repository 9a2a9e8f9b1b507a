"""ITI-44 against running services: each interaction's answer, and what it does to queries and submissions."""

from __future__ import annotations

import uuid
from xml.sax.saxutils import quoteattr

import pytest

from common.standard.transactions import ITI_44_ADD, ITI_44_MERGE, ITI_44_REVISE, Transaction
from tests.factories import AUTHORITY, a_document, a_patient_id, a_submission
from tests.feeds import a_pas, merged
from tests.wire import Answer, Services, envelope

V3 = {"v3": "urn:hl7-org:v3"}
FOREIGN = "X1^^^&2.999.9&ISO"


def ii(patient_id: str) -> str:
    """A CX as an instance identifier."""
    number, _, authority = patient_id.partition("^^^")
    return f"<id root={quoteattr(authority.split('&')[1])} extension={quoteattr(number)}/>"


def message(transaction: Transaction, *ids: str, prior: tuple[str, ...] = (), number: str = "") -> bytes:
    """The least that an interaction needs."""
    name = transaction.root.rpartition("}")[2]
    replaced = "".join(
        f"<replacementOf><priorRegistration><subject1><priorRegisteredRole>{ii(each)}</priorRegisteredRole></subject1>"
        "</priorRegistration></replacementOf>"
        for each in prior
    )
    device = '<device classCode="DEV" determinerCode="INSTANCE"><id root="2.999.826.5.{}"/></device>'
    return (
        f'<{name} xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0">'
        f'<id root="2.999.6.1" extension="{number or uuid.uuid4()}"/>'
        f'<creationTime value="20260306093000"/><processingCode code="T"/>'
        f"<receiver>{device.format(2)}</receiver><sender>{device.format(1)}</sender>"
        '<controlActProcess classCode="CACT" moodCode="EVN"><subject><registrationEvent>'
        f"<subject1><patient>{''.join(map(ii, ids))}</patient></subject1>{replaced}"
        f"</registrationEvent></subject></controlActProcess></{name}>"
    ).encode()


def odd(transaction: Transaction) -> bytes:
    """An interaction in which everything is odd."""
    name = transaction.root.rpartition("}")[2]
    return (
        f'<{name} xmlns="urn:hl7-org:v3"><id root="&lt;&amp;&gt;" extension="&quot;\'&lt;"/>'
        '<processingCode code="&lt;"/><sender><device><id root="not an OID"/><id/></device></sender>'
        f"<controlActProcess/></{name}>"
    ).encode()


def sent(services: Services, transaction: Transaction, body: bytes) -> Answer:
    return services.simple(services.registry, envelope(transaction, body))


def code(answer: Answer) -> str:
    return str(answer.body.find("v3:acknowledgement/v3:typeCode", V3).get("code"))


def detail(answer: Answer) -> tuple[str, str, str]:
    found = answer.body.find("v3:acknowledgement/v3:acknowledgementDetail", V3)
    return (
        found.find("v3:code", V3).get("code"),
        found.findtext("v3:text", "", V3),
        found.findtext("v3:location", "", V3),
    )


@pytest.mark.parametrize("transaction", [ITI_44_ADD, ITI_44_REVISE], ids=["add", "revise"])
def test_ids_of_the_domain_become_known_and_the_answer_goes_back(services: Services, transaction: Transaction) -> None:
    body = message(transaction, FOREIGN, a_patient_id(), number="77")

    for _ in range(2):
        answer = sent(services, transaction, body)
        assert code(answer) == "CA"
        assert answer.body.tag == "{urn:hl7-org:v3}MCCI_IN000002UV01"
        assert answer.root.findtext(".//{*}Action") == "urn:hl7-org:v3:MCCI_IN000002UV01"
        target = answer.body.find("v3:acknowledgement/v3:targetMessage/v3:id", V3)
        assert (target.get("root"), target.get("extension")) == ("2.999.6.1", "77")
        assert answer.body.find("v3:receiver/v3:device/v3:id", V3).get("root") == "2.999.826.5.1"
        assert answer.body.find("v3:processingCode", V3).get("code") == "T"


def test_a_merge_gives_everything_to_the_survivor(services: Services) -> None:
    old, new = a_patient_id(), a_patient_id()
    services.register(a_submission(a_document(patient_id=old)))
    body = message(ITI_44_MERGE, new, prior=(old,))

    assert code(sent(services, ITI_44_MERGE, body)) == "CA"
    assert code(sent(services, ITI_44_MERGE, body)) == "CA"  # the same again
    assert code(sent(services, ITI_44_MERGE, message(ITI_44_MERGE, new, prior=(old,)))) == "CE"  # another one
    assert (len(services.find(old).ids()), len(services.find(new).ids())) == (0, 1)
    assert services.register(a_submission(a_document(patient_id=old))).codes == ["XDSUnknownPatientId"]


@pytest.mark.parametrize("case", ["itself", "foreign", "foreign prior", "nobody", "no prior", "two priors", "number"])
def test_what_is_wrong_is_told_with_its_code_and_place(services: Services, case: str) -> None:
    one, two = a_patient_id(), a_patient_id()
    transaction, body, expected, where = {
        "itself": (ITI_44_MERGE, message(ITI_44_MERGE, one, prior=(one,)), "205", "priorRegisteredRole/id"),
        "foreign": (ITI_44_ADD, message(ITI_44_ADD, FOREIGN), "204", "/patient/id"),
        "foreign prior": (ITI_44_MERGE, message(ITI_44_MERGE, one, prior=(FOREIGN,)), "204", "priorRegisteredRole/id"),
        "nobody": (ITI_44_ADD, message(ITI_44_ADD), "101", "/patient/id"),
        "no prior": (ITI_44_MERGE, message(ITI_44_MERGE, one), "101", "priorRegisteredRole/id"),
        "two priors": (ITI_44_MERGE, message(ITI_44_MERGE, one, prior=(two, a_patient_id())), "205", "Role/id"),
        "number": (ITI_44_REVISE, message(ITI_44_REVISE, f"9990001007^^^&{AUTHORITY}&ISO"), "204", "/patient/id"),
    }[case]

    answer = sent(services, transaction, body)

    assert (answer.status, code(answer)) == (200, "CE")
    found, text, location = detail(answer)
    assert found == expected
    assert location.endswith(where)
    assert "999" not in text.split("[")[0]


def test_w9_a_merge_is_known_whichever_way_it_came(services: Services) -> None:
    first, second, third = (a_patient_id() for _ in range(3))
    services.register(a_submission(a_document(patient_id=first)))
    with a_pas(services.mllp) as pas:
        assert pas.send(merged(first, second)).code == "AA"
    assert code(sent(services, ITI_44_MERGE, message(ITI_44_MERGE, third, prior=(second,)))) == "CA"
    assert len(services.find(third).ids()) == 1
    assert detail(sent(services, ITI_44_MERGE, message(ITI_44_MERGE, first, prior=(third,))))[0] == "204"


def test_a_body_of_another_interaction_is_a_fault(services: Services) -> None:
    answer = sent(services, ITI_44_ADD, message(ITI_44_MERGE, a_patient_id()))

    assert answer.registry_status == "Fault"
    assert "PRPA_IN201301UV02" in answer.fault
