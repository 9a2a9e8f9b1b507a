"""Registry and Repository that want to know who asks (ITI-40), over mutual TLS: each message with its assertion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from common.model import AvailabilityStatus
from common.soap.faults import SOAP, WSSE
from common.standard.transactions import ITI_18
from console import development_ca
from tests.factories import a_document, a_patient_id, a_submission
from tests.running import Pair
from tests.secure import CODES, a_pki, a_portal, a_secure_pair, run
from tests.service.test_mutual_tls import Pki
from tests.wire import Answer, Services, envelope, query_body
from tests.xua import DOCTOR, ISSUER, Sts, as_base64, security

APPROVED = AvailabilityStatus.APPROVED


@pytest.fixture(scope="module")
def sts(tmp_path_factory: pytest.TempPathFactory) -> Sts:
    return Sts(tmp_path_factory.mktemp("sts"))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return a_pki(tmp_path_factory.mktemp("pki") / "pki")


@pytest.fixture(scope="module")
def pair(pki: Pki, sts: Sts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The Repository is a system that acts for itself at the Registry."""
    data = tmp_path_factory.mktemp("data")
    systems = data / "systems"
    systems.write_text(f"sha256:{development_ca.fingerprint((pki.folder / 'node.pem').read_bytes())}\n")
    settings = {"XUA": "required", "XUA_ISSUERS": str(sts.file), "XUA_SYSTEMS": str(systems)}
    made = a_secure_pair(data, pki, settings)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def portal(pair: Pair, pki: Pki) -> Services:
    return a_portal(pair, pki)


def found(portal: Services, header: bytes) -> Answer:
    """FindDocuments with this header."""
    slots = [("$XDSDocumentEntryPatientId", f"'{a_patient_id()}'"), ("$XDSDocumentEntryStatus", f"('{APPROVED}')")]
    message = envelope(ITI_18, query_body("FindDocuments", slots, leaf=False))
    return portal.simple(portal.registry, message.replace(b"</s:Header>", header + b"</s:Header>"))


def subcode(answer: Answer) -> str:
    """Of a fault."""
    [value] = answer.body.xpath("s:Code/s:Subcode/s:Value", namespaces={"s": SOAP})
    prefix, _, local = value.text.strip().partition(":")
    assert value.nsmap[prefix] == WSSE
    return str(local)


def origin(pair: Pair) -> tuple[str, ...]:
    return tuple(each.url.rpartition("/")[0] for each in (pair.registry, pair.repository))


def test_a_user_with_an_assertion_is_answered(pair: Pair, portal: Services, sts: Sts) -> None:
    for audience in origin(pair)[0], pair.registry.url:
        assertion = sts.sign(audiences=(audience,))
        for _ in range(3):  # one assertion serves for many messages
            assert found(portal, security(assertion)).registry_status == "Success"


def test_an_assertion_of_a_key_holder_is_bound_to_the_connection(
    pair: Pair, portal: Services, pki: Pki, sts: Sts
) -> None:
    portals, nodes = ((pki.folder / f"{name}.pem").read_bytes() for name in ("portal", "node"))
    audiences = origin(pair)

    assert (
        found(portal, security(sts.sign(audiences=audiences, holder=as_base64(portals)))).registry_status == "Success"
    )
    refused = found(portal, security(sts.sign(audiences=audiences, holder=as_base64(nodes))))
    assert subcode(refused) == "FailedAuthentication"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda sts: b"", "InvalidSecurity"),
        (lambda sts: security(), "InvalidSecurity"),
        (lambda sts: security(sts.sign()), "InvalidSecurityToken"),  # for somebody else
        (lambda sts: security(sts.sign()) * 2, "InvalidSecurity"),
        (lambda sts: security(sts.sign(), sts.sign()), "UnsupportedSecurityToken"),
    ],
)
def test_any_other_message_gets_its_fault_and_changes_nothing(
    portal: Services, sts: Sts, make: Any, expected: str
) -> None:
    answer = found(portal, make(sts))

    assert subcode(answer) == expected
    assert answer.status == 400


def test_documents_are_not_taken_from_nobody(pair: Pair, portal: Services) -> None:
    letter = a_document(hash=None, size=None, patient_id=a_patient_id())

    answer = portal.provide(a_submission(letter), {letter.entry_uuid: b"a letter"})

    assert subcode(answer) == "InvalidSecurity"


def test_the_command_line_and_the_client_say_who_asks(pair: Pair, sts: Sts, tmp_path: Path) -> None:
    place, patient = tmp_path / "letter.pdf", a_patient_id().partition("^")[0]
    place.write_bytes(b"%PDF-1.4 by a user")
    file = str(tmp_path / "assertion.xml")

    audiences = [part for audience in origin(pair) for part in ("--audience", audience)]
    run(pair, "assertion", str(sts.folder / "sts.pem"), file, "--user", DOCTOR.user, "--issuer", ISSUER, *audiences)
    identified = {"XUA_ASSERTION": file}

    run(pair, "submit", str(place), "--patient", patient, "--title", "By a user", *CODES, **identified)
    assert "By a user" in run(pair, "find", patient, **identified)
    alien = tmp_path / "alien.xml"
    alien.write_bytes(etree.tostring(sts.sign()))
    refused = run(pair, "find", patient, code=1, XUA_ASSERTION=str(alien))
    assert "not meant for this service" in refused
