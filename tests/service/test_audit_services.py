"""What services leave in the audit trail of what is done at them, over mutual TLS all the way (ITI-20)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import ssl
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import etree

from common.audit.segments import Destination, waiting
from common.soap.envelope import ANONYMOUS
from common.standard.transactions import ITI_18, ITI_42, ITI_43, ITI_51
from common.tls import Files, Role
from common.tls.contexts import made
from tests.factories import a_document, a_patient_id, a_submission, a_uuid, submit_objects
from tests.feeds import Pas, admitted, merged
from tests.running import Pair
from tests.secure import a_pki, a_portal, a_secure_pair, run
from tests.servers.audit_repository import AuditRepository
from tests.unit.common.audit.kit import schema
from tests.wire import STATUS, Services, envelope, mtom, mtom_provide, query_body, retrieve_body
from tests.xua import DOCTOR, Sts, security


@dataclass
class Trail:
    """Everything that was asked for, by the correlation id that went with it, and all that came of it."""

    pair: Pair
    patient: str
    other: str
    unique_id: str
    submission_set: str
    records: list[etree._Element]

    def of(self, correlation: str) -> list[etree._Element]:
        """The records of one request."""
        return [each for each in self.records if details(each).get("Correlation") == correlation]

    def events(self, correlation: str) -> list[str]:
        """In short: source, transaction, event, action, outcome."""
        return sorted(map(short, self.of(correlation)))


def short(record: etree._Element) -> str:
    event = record[0]
    codes = [each.get("csd-code", "") for each in event if each.tag in ("EventID", "EventTypeCode")]
    source = record.find("AuditSourceIdentification").get("AuditSourceID")  # type: ignore[union-attr]
    return " ".join([str(source), *codes, event.get("EventActionCode", ""), event.get("EventOutcomeIndicator", "")])


def details(record: etree._Element) -> dict[str, str]:
    found = record.iterfind("ParticipantObjectIdentification/ParticipantObjectDetail")
    return {each.get("type", ""): b64decode(each.get("value", "")).decode() for each in found}


def objects(record: etree._Element) -> list[str | None]:
    return [each.get("ParticipantObjectID") for each in record.findall("ParticipantObjectIdentification")]


def name(number: int) -> str:
    """A correlation id."""
    return f"{number:032x}"


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    """One story, told to both services and recorded by them."""
    folder = tmp_path_factory.mktemp("audit")
    pki, sts = a_pki(folder / "pki"), Sts(folder / "sts")
    pki.issue("audit", "127.0.0.1")
    repository = AuditRepository(folder, (str(pki.folder / "audit.pem"), pki.ca))
    repository.start()
    settings = {
        "AUDIT": "true",
        "AUDIT_REPOSITORIES": repository.address,
        "AUDIT_SITE": "ZT901",
        "XUA": "optional",
        "XUA_ISSUERS": str(sts.file),
        "XUA_AUDIENCES": DOCTOR.audiences[0],
    }
    pair = a_secure_pair(folder / "data", pki, settings)
    pair.start()
    try:
        told = _story(pair, a_portal(pair, pki), sts, pki.folder)
        until = time.monotonic() + 20
        while waiting(folder / "data/audit", Destination("127.0.0.1", repository.port)).records:
            assert time.monotonic() < until
            time.sleep(0.2)
        pair.stop()
        told.records = repository.records()
        yield told
    finally:
        with contextlib.suppress(AssertionError):
            pair.stop()
        repository.kill()


def _story(pair: Pair, portal: Services, sts: Sts, pki: Path) -> Trail:
    patient, other = a_patient_id(), a_patient_id()
    content = b"a letter"
    entry = a_document(patient_id=patient, hash=hashlib.sha1(content).hexdigest(), size=str(len(content)))
    submission = a_submission(entry)
    kind, data = mtom_provide(submission, {entry.entry_uuid: content}, message_id=a_uuid())
    unique_id = entry.unique_id or ""

    def post(number: int, url: str, message: bytes, kind: str = "application/soap+xml; charset=UTF-8") -> None:
        portal.post(url, message, kind, X_Correlation_Id=name(number))

    def with_user(message: bytes, assertion: bytes) -> bytes:
        return message.replace(b"</s:Header>", security(assertion) + b"</s:Header>", 1)

    find = [("$XDSDocumentEntryPatientId", f"'{patient}'"), ("$XDSDocumentEntryStatus", f"('{STATUS}Approved')")]
    query = envelope(ITI_18, query_body("FindDocuments", find, leaf=False))
    post(1, portal.repository, data, kind)
    post(2, portal.registry, with_user(query, sts.sign()))
    retrieval = mtom(envelope_of_retrieval(portal, unique_id, "2.999.404"), {})
    post(3, portal.repository, retrieval[1], retrieval[0])
    post(4, portal.registry, envelope(ITI_42, submit_objects(a_submission(a_document(patient_id="no patient")))))
    post(5, portal.registry, b"<no-soap/>")
    post(6, portal.registry, query.replace(b"RegistryStoredQuery", b"SomethingElse"))
    post(7, portal.registry, with_user(query, sts.sign(audiences=("https://elsewhere.example",))))
    both = [("$XDSDocumentEntryPatientId", (f"'{patient}'", f"'{other}'")), find[1]]
    both.append(("$XDSDocumentEntryClassCode", "('823651000000106^^2.16.840.1.113883.2.1.3.2.4.15')"))
    post(8, portal.registry, envelope(ITI_51, query_body("FindDocumentsForMultiplePatients", both, leaf=False)))  # type: ignore[arg-type]
    portal.remove_documents(unique_id)
    context = made(Files(str(pki / "portal.pem"), "", str(pki / "ca.pem"), check_names=False), Role.CLIENT)
    pas = Pas(portal.mllp, context)
    pas.send(admitted(other, control="AUDIT1"))
    pas.send(merged(other, patient, control="AUDIT2"))
    pas.close()
    stranger = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", pair.registry.port)) as plain,
        stranger.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.recv(1)
    run(pair, "find", "9990001006", TLS_CERTIFICATE=str(pki / "portal.pem"))
    return Trail(pair, patient, other, unique_id, submission.submission_set.unique_id or "", [])


def envelope_of_retrieval(portal: Services, *unique_ids: str) -> bytes:
    return envelope(ITI_43, retrieve_body(unique_ids, portal.repository_id))


def test_every_record_is_valid_and_says_where_it_is_from(trail: Trail) -> None:
    official = schema()
    for record in trail.records:
        if official is not None:
            official.assertValid(record)
        source = record.find("AuditSourceIdentification")
        assert source is not None
        assert source.get("AuditEnterpriseSiteID") == "ZT901"


def test_a_submission_is_recorded_by_both_services_in_each_of_their_parts(trail: Trail) -> None:
    assert trail.events(name(1)) == [
        "registry 110107 ITI-42 C 0",
        "repository 110106 ITI-42 R 0",
        "repository 110107 ITI-41 C 0",
    ]
    for record in trail.of(name(1)):
        assert objects(record) == [trail.patient, trail.submission_set]


def test_a_query_is_recorded_with_its_user_and_what_was_asked(trail: Trail) -> None:
    [record] = trail.of(name(2))

    system, user, ours = record.findall("ActiveParticipant")
    assert short(record) == "registry 110112 ITI-18 E 0"
    assert (system.get("UserID"), system.get("NetworkAccessPointID")) == (ANONYMOUS, "127.0.0.1")
    assert "CN=portal" in system.get("UserName", "")
    assert user.get("UserName") == f"{DOCTOR.name}<{DOCTOR.user}@https://sts.example>"
    assert user[0].get("csd-code") == "R8000"
    assert record[0].find("PurposeOfUse").get("csd-code") == "1"  # type: ignore[union-attr]
    assert ours.get("UserID") == trail.pair.registry.url
    asked = record[-1].findtext("ParticipantObjectQuery") or ""
    assert etree.fromstring(b64decode(asked)).tag.endswith("AdhocQueryRequest")
    assert objects(record) == [trail.patient, "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"]


def test_what_was_given_and_what_was_not_are_told_apart(trail: Trail) -> None:
    assert trail.events(name(3)) == ["repository 110106 ITI-43 R 0", "repository 110106 ITI-43 R 8"]
    good, bad = sorted(trail.of(name(3)), key=short)
    assert (objects(good), objects(bad)) == ([trail.unique_id], ["2.999.404"])
    assert bad[0].findtext("EventOutcomeDescription") == "XDSDocumentUniqueIdError"


def test_what_is_refused_is_recorded_with_its_codes(trail: Trail) -> None:
    [record] = trail.of(name(4))

    assert short(record) == "registry 110107 ITI-42 C 8"
    assert "XDSRegistryMetadataError" in (record[0].findtext("EventOutcomeDescription") or "")


@pytest.mark.parametrize("number", [5, 6])
def test_what_is_not_understood_is_an_alert(trail: Trail, number: int) -> None:
    [record] = trail.of(name(number))

    assert short(record) == "registry 110113 E 4"
    assert objects(record) == [trail.pair.registry.url]


def test_a_user_who_is_not_believed_is_recorded_twice_and_not_by_name(trail: Trail) -> None:
    assert trail.events(name(7)) == ["registry 110112 ITI-18 E 8", "registry 110114 110122 E 8"]
    for record in trail.of(name(7)):
        assert "InvalidSecurityToken" in (record[0].findtext("EventOutcomeDescription") or "")
        assert DOCTOR.user not in etree.tostring(record, encoding="unicode")


def test_a_query_about_two_patients_is_two_records(trail: Trail) -> None:
    assert [objects(each)[0] for each in trail.of(name(8))] == [trail.patient, trail.other]
    assert trail.events(name(8)) == ["registry 110112 ITI-51 E 0"] * 2


def test_a_removal_is_recorded_by_the_repository_and_its_question_about_holds_by_both(trail: Trail) -> None:
    found = [each for each in trail.records if "ITI-86" in short(each)]
    [record] = found

    assert short(record) == "repository 110110 ITI-86 D 0"
    assert record[-1].get("ParticipantObjectDataLifeCycle") == "15"
    asked = trail.events(details(record)["Correlation"])
    assert asked == ["registry 110112 ITI-18 E 0", "repository 110110 ITI-86 D 0", "repository 110112 ITI-18 E 0"]


def test_feeds_are_recorded_with_the_ids_of_their_messages(trail: Trail) -> None:
    found = [each for each in trail.records if " ITI-8 " in short(each)]

    told = sorted((details(each)["MSH-10"], short(each), objects(each)[0]) for each in found)
    assert told == sorted(
        [
            ("AUDIT1", "registry-mllp 110110 ITI-8 C 0", trail.other),
            ("AUDIT2", "registry-mllp 110110 ITI-8 D 0", trail.other),
            ("AUDIT2", "registry-mllp 110110 ITI-8 U 0", trail.patient),
        ]
    )
    assert all("CN=portal" in each[1].get("UserName", "") for each in found)


def test_a_connection_that_is_refused_is_recorded_with_the_reason(trail: Trail) -> None:
    [record] = [each for each in trail.records if "110126" in short(each)]

    assert short(record) == "registry 110113 110126 E 8"
    assert record[0].findtext("EventOutcomeDescription") == "the other side gave no certificate"
    assert objects(record) == [trail.pair.registry.url]


def test_the_command_line_records_what_it_asks(trail: Trail) -> None:
    [record] = [each for each in trail.records if short(each).startswith("command-line")]

    assert short(record) == "command-line 110112 ITI-18 E 0"
    assert objects(record)[0] == "9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO"
    assert record[1].get("UserIsRequestor") == "true"


def test_services_record_that_they_start_and_stop(trail: Trail) -> None:
    found = [short(each) for each in trail.records if " 110100 " in short(each)]

    for service in ("registry", "repository", "registry-mllp"):
        for code in ("110120", "110121"):
            assert f"{service} 110100 {code} E 0" in found


def test_nothing_came_twice_and_nothing_waits(trail: Trail) -> None:
    told = json.loads(run(trail.pair, "audit", "spool", "--json"))

    assert [each["records"] for each in told] == [0]
