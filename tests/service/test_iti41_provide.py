"""ITI-41 and ITI-43 at running services: byte for byte in and out, and nothing left of what was refused."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.model import AssociationType, DocumentEntry, ObjectType, Submission
from common.standard.transactions import ITI_41, ITI_43
from tests.factories import (
    HAS_MEMBER,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_uuid,
    an_oid,
    submit_objects,
)
from tests.running import a_pair, back_end
from tests.service.conftest import BACK_ENDS
from tests.wire import (
    Answer,
    Services,
    answer,
    document_elements,
    envelope,
    mtom,
    mtom_provide,
    provide_body,
    retrieve_body,
)

PDF = b"%PDF-1.4\r\n--a-boundary-of-the-test\r\n\x00\xff\r\n%%EOF"
ALMOST_BOUNDARIES = [b"", b"\r\n", b"--", b"\r\n--a-boundary", b"\r\n--a-boundary-of-the-test", b"\r\n--a-boundary\r\n"]
EMPTY_SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"


def a_letter(**differs: Any) -> DocumentEntry:
    """An entry that leaves hash and size to the repository."""
    return a_document(
        **{"hash": None, "size": None, "repository_unique_id": None, "patient_id": a_patient_id(), **differs}
    )


def provided(services: Services, content: bytes = PDF, **differs: Any) -> DocumentEntry:
    """A document that was provided."""
    entry = a_letter(**differs)
    found = services.provide(a_submission(entry), {entry.entry_uuid: content})
    assert found.registry_status == "Success", found.contexts
    return entry


def is_nowhere(services: Services, entry: DocumentEntry) -> bool:
    """Whether neither registry nor repository has anything of a document."""
    retrieved = services.retrieve(entry.unique_id or "")
    assert retrieved.codes == ["XDSDocumentUniqueIdError"]
    return services.everything(entry.patient_id or "") == []


def test_a_letter_is_provided_found_and_read_back_byte_for_byte(services: Services) -> None:
    entry = provided(services)

    [found] = services.objects("GetDocuments", {"$XDSDocumentEntryUniqueId": f"'{entry.unique_id}'"}).entries
    retrieved = services.retrieve(entry.unique_id or "")

    assert (found.hash, found.size) == (hashlib.sha1(PDF).hexdigest(), str(len(PDF)))
    assert found.repository_unique_id == services.repository_id
    assert retrieved.registry_status == "Success"
    assert retrieved.documents() == {entry.unique_id: PDF}
    assert retrieved.body.findtext(".//{*}mimeType") == entry.mime_type


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=2000) | st.sampled_from(ALMOST_BOUNDARIES), max_size=5))
def test_any_contents_come_back_as_they_were(services: Services, contents: list[bytes]) -> None:
    patient = a_patient_id()
    entries = [a_letter(patient_id=patient) for _ in contents]
    submission = a_submission(*entries, patient_id=patient)

    given_ = {entry.entry_uuid: content for entry, content in zip(entries, contents, strict=True)}
    assert services.provide(submission, given_).registry_status == "Success"

    if entries:
        retrieved = services.retrieve(*(entry.unique_id or "" for entry in entries))
        assert list(retrieved.documents().values()) == contents


def test_an_empty_document_is_a_document(services: Services) -> None:
    entry = provided(services, b"")

    [found] = services.objects("GetDocuments", {"$XDSDocumentEntryUniqueId": f"'{entry.unique_id}'"}).entries
    assert (found.hash, found.size) == (EMPTY_SHA1, "0")
    assert services.retrieve(entry.unique_id or "").documents() == {entry.unique_id: b""}


@pytest.mark.parametrize("size", [1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 9 * 1024 * 1024])
def test_a_large_document_comes_back_whole(services: Services, size: int) -> None:
    content = hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1)
    entry = provided(services, content[:size])

    retrieved = services.retrieve(entry.unique_id or "")

    assert hashlib.sha1(retrieved.documents()[entry.unique_id or ""]).digest() == hashlib.sha1(content[:size]).digest()


def test_a_hundred_documents_travel_in_one_message_each_way(services: Services) -> None:
    patient = a_patient_id()
    entries = [a_letter(patient_id=patient) for _ in range(100)]
    contents = {entry.entry_uuid: entry.entry_uuid.encode() * 100 for entry in entries}
    assert services.provide(a_submission(*entries, patient_id=patient), contents).registry_status == "Success"

    retrieved = services.retrieve(*(entry.unique_id or "" for entry in entries))

    assert retrieved.documents() == {entry.unique_id: contents[entry.entry_uuid] for entry in entries}


def test_many_mid_sized_documents_are_more_than_is_held_in_memory_and_come_back(services: Services) -> None:
    patient = a_patient_id()
    entries = [a_letter(patient_id=patient) for _ in range(12)]
    contents = {entry.entry_uuid: bytes([number]) * 1_000_000 for number, entry in enumerate(entries)}
    assert services.provide(a_submission(*entries, patient_id=patient), contents).registry_status == "Success"

    retrieved = services.retrieve(*(entry.unique_id or "" for entry in entries))

    assert [set(content) for content in retrieved.documents().values()] == [{number} for number in range(12)]
    assert {len(content) for content in retrieved.documents().values()} == {1_000_000}


def test_true_declarations_are_taken_in_any_case(services: Services) -> None:
    entry = provided(services, hash=hashlib.sha1(PDF).hexdigest().upper(), size=str(len(PDF)))

    assert services.retrieve(entry.unique_id or "").documents() == {entry.unique_id: PDF}


def test_the_repository_id_is_always_its_own(services: Services) -> None:
    entry = provided(services, repository_unique_id="1.2.3")

    assert services.retrieve(entry.unique_id or "").registry_status == "Success"
    assert services.retrieve(entry.unique_id or "", repository_id="1.2.3").codes == ["XDSUnknownRepositoryId"]


def test_a_submission_without_documents_is_passed_on(services: Services) -> None:
    patient = a_patient_id()

    assert services.provide(a_submission(a_folder(), patient_id=patient), {}).registry_status == "Success"
    assert len(services.everything(patient)) == 3


def test_extra_metadata_pass_through_unchanged(services: Services) -> None:
    extra = {"urn:example:ward": ("7 <&> 'x'", "文書")}
    entry = provided(services, extra_slots=extra)

    [found] = services.objects("GetDocuments", {"$XDSDocumentEntryUniqueId": f"'{entry.unique_id}'"}).entries

    assert found.extra_slots == extra


def test_a_replaced_document_can_still_be_read(services: Services) -> None:
    old = provided(services, b"old", entry_uuid=a_uuid())
    new = a_letter(patient_id=old.patient_id)

    link = a_link(AssociationType.RPLC, new, old)
    assert services.provide(a_submission(new, link), {new.entry_uuid: b"new"}).registry_status == "Success"

    found = services.retrieve(old.unique_id or "", new.unique_id or "")
    assert found.documents() == {old.unique_id: b"old", new.unique_id: b"new"}


def test_d7_the_same_message_again_is_success_and_one_document(services: Services) -> None:
    entry = a_letter()
    kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: PDF})

    found = [answer(services.post(services.repository, data, kind)) for _ in range(3)]

    assert [each.registry_status for each in found] == ["Success"] * 3
    assert len(services.everything(entry.patient_id or "")) == 3
    assert services.retrieve(entry.unique_id or "").documents() == {entry.unique_id: PDF}


def test_the_same_content_under_the_same_unique_id_is_a_further_entry(services: Services) -> None:
    entry = provided(services)
    again = replace(entry, entry_uuid="again")

    assert services.provide(a_submission(again), {"again": PDF}).registry_status == "Success"
    assert services.retrieve(entry.unique_id or "").documents() == {entry.unique_id: PDF}


def test_d8_a_known_unique_id_with_other_content_is_refused_and_the_first_stays(services: Services) -> None:
    entry = provided(services)
    other = replace(entry, entry_uuid="other")

    found = services.provide(a_submission(other), {"other": b"other"})

    assert found.registry_status == "Failure"
    assert set(found.codes) == {"XDSNonIdenticalHash", "XDSNonIdenticalSize"}
    assert services.retrieve(entry.unique_id or "").documents() == {entry.unique_id: PDF}


def test_r2_one_unique_id_with_two_contents_at_once_has_one_winner_whose_bytes_stay(services: Services) -> None:
    entries = [a_letter(unique_id=an_oid(), patient_id=a_patient_id())]
    entries += [replace(entries[0], entry_uuid=f"e{number}") for number in range(3)]
    barrier = Barrier(4)

    def send(number: int) -> Answer:
        own = services.apart()
        submission = a_submission(entries[number])
        barrier.wait(30)
        return own.provide(submission, {entries[number].entry_uuid: bytes([number]) * 5000})

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(send, range(4)))

    assert sorted(each.registry_status for each in found) == ["Failure"] * 3 + ["Success"]
    assert [each.codes for each in found if each.codes] == [["XDSNonIdenticalHash"]] * 3
    winner = [each.registry_status for each in found].index("Success")
    assert services.retrieve(entries[0].unique_id or "").documents() == {entries[0].unique_id: bytes([winner]) * 5000}


def test_r1_the_same_message_16_times_at_once_is_success_and_one_document(services: Services) -> None:
    entry, name = a_letter(), a_uuid()
    kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: PDF}, message_id=name)
    barrier = Barrier(16)

    def send(_: int) -> Answer:
        own = services.apart()
        barrier.wait(30)
        return answer(own.post(own.repository, data, kind))

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(send, range(16)))

    assert [(each.registry_status, each.contexts) for each in found] == [("Success", [])] * 16
    assert len(services.everything(entry.patient_id or "")) == 3
    assert services.retrieve(entry.unique_id or "").documents() == {entry.unique_id: PDF}


def raw_provide(services: Services, submission: Submission, documents: bytes, parts: Mapping[str, bytes]) -> Answer:
    kind, data = mtom(envelope(ITI_41, provide_body(submission, documents)), parts)
    return answer(services.post(services.repository, data, kind))


def test_m3_an_entry_without_document_is_refused(services: Services) -> None:
    one, other = a_letter(), a_letter()
    other.patient_id = one.patient_id

    found = services.provide(a_submission(one, other), {one.entry_uuid: PDF})

    assert found.codes == ["XDSMissingDocument"]
    assert other.entry_uuid in found.contexts[0]
    assert is_nowhere(services, one)


def test_m3_a_document_without_entry_is_refused(services: Services) -> None:
    entry = a_letter()

    found = services.provide(a_submission(entry), {entry.entry_uuid: PDF, "stray": PDF})

    assert found.codes == ["XDSMissingDocumentMetadata"]
    assert is_nowhere(services, entry)


@pytest.mark.parametrize(
    "differs", [{"hash": "ab" * 20}, {"size": "1"}, {"object_type": ObjectType.ON_DEMAND}, {"unique_id": ""}], ids=str
)
def test_m9_what_is_not_true_of_the_document_is_refused(services: Services, differs: dict[str, Any]) -> None:
    entry = replace(a_letter(), **differs)

    found = services.provide(a_submission(entry), {entry.entry_uuid: PDF})

    assert found.codes[0] == "XDSRepositoryMetadataError"
    assert services.everything(entry.patient_id or "") == []
    if entry.unique_id:
        assert is_nowhere(services, entry)


def test_a_unique_id_twice_in_a_message_is_refused(services: Services) -> None:
    one = a_letter()
    other = replace(one, entry_uuid="other")

    found = services.provide(a_submission(one, other), {one.entry_uuid: PDF, "other": PDF})

    assert found.codes == ["XDSRepositoryDuplicateUniqueIdInMessage"]
    assert is_nowhere(services, one)


def test_m4_two_documents_for_one_entry_are_refused(services: Services) -> None:
    entry = a_letter()
    documents = document_elements({entry.entry_uuid: "1@x"}) + document_elements({entry.entry_uuid: "2@x"})

    found = raw_provide(services, a_submission(entry), documents, {"1@x": b"1", "2@x": b"2"})

    assert found.codes == ["XDSRepositoryMetadataError"]
    assert is_nowhere(services, entry)


def test_what_the_registry_refuses_comes_back_as_it_said_and_the_bytes_are_gone(services: Services) -> None:
    entry = a_letter(language_code=None, creation_time="20261301")

    found = services.provide(a_submission(entry), {entry.entry_uuid: PDF})

    assert found.registry_status == "Failure"
    assert found.codes == ["XDSRegistryMetadataError"] * 2
    assert is_nowhere(services, entry)


def test_documents_travel_inline_as_base64_too_and_mixed_with_parts(services: Services) -> None:
    one, other = a_letter(), a_letter()
    other.patient_id = one.patient_id
    text = base64.encodebytes(PDF * 50).decode()
    documents = f'<xds:Document id="{one.entry_uuid}">\n {text} </xds:Document>'.encode()
    documents += document_elements({other.entry_uuid: "2@x"})

    found = raw_provide(services, a_submission(one, other), documents, {"2@x": b"part"})

    assert found.registry_status == "Success", found.contexts
    assert services.retrieve(one.unique_id or "", other.unique_id or "").documents() == {
        one.unique_id: PDF * 50, other.unique_id: b"part",
    }  # fmt: skip


def test_a_message_without_mtom_is_taken_and_answered_without_mtom(services: Services) -> None:
    entry = a_letter()
    documents = f'<xds:Document id="{entry.entry_uuid}">{base64.b64encode(PDF).decode()}</xds:Document>'.encode()

    found = services.simple(services.repository, envelope(ITI_41, provide_body(a_submission(entry), documents)))
    retrieved = services.simple(services.repository, envelope(ITI_43, _retrieve(services, entry)))

    assert found.registry_status == "Success", found.contexts
    assert found.headers["Content-Type"].startswith("application/soap+xml")
    assert retrieved.headers["Content-Type"].startswith("application/soap+xml")
    assert retrieved.documents() == {entry.unique_id: PDF}


def _retrieve(services: Services, entry: DocumentEntry) -> bytes:
    return retrieve_body([entry.unique_id or ""], services.repository_id)


@pytest.mark.parametrize("text", ["not base64!", "AAA", "QUJD=QUJD", "<x/>", "é"])
def test_inline_text_that_is_not_base64_is_refused(services: Services, text: str) -> None:
    entry = a_letter()
    documents = f'<xds:Document id="{entry.entry_uuid}">{text}</xds:Document>'.encode()

    found = raw_provide(services, a_submission(entry), documents, {})

    assert found.registry_status == "Fault"
    assert is_nowhere(services, entry)


def test_some_documents_of_many_make_a_partial_success(services: Services) -> None:
    one, other, missing = provided(services, b"1"), provided(services, b"2"), an_oid()

    found = services.retrieve(one.unique_id or "", missing, other.unique_id or "")

    assert found.registry_status == "PartialSuccess"
    assert found.documents() == {one.unique_id: b"1", other.unique_id: b"2"}
    [error] = found.body.iter("{*}RegistryError")
    assert (error.get("errorCode"), error.get("location")) == ("XDSDocumentUniqueIdError", missing)


@pytest.mark.parametrize("unique_id", ["1.2.3.4.5", "../../etc/passwd", "x" * 300, "a\u2400", " ", "'", "%00", "."])
def test_x13_documents_that_are_not_here_are_told_by_their_id(services: Services, unique_id: str) -> None:
    found = services.retrieve(unique_id)

    assert found.registry_status == "Failure"
    assert found.codes == ["XDSDocumentUniqueIdError"]
    assert found.documents() == {}


@pytest.mark.parametrize("unique_id", ["../../../x", "a/b\\c", "Ünï–code 文書", "urn:uuid:ABC", "1.2^ext", "x" * 256])
def test_x13_any_unique_id_is_kept_as_it_is(services: Services, unique_id: str) -> None:
    name = (unique_id + str(an_oid()))[-256:] if len(unique_id) < 256 else (an_oid() + unique_id)[:256]
    entry = provided(services, b"x", unique_id=name)

    assert services.retrieve(entry.unique_id or "").documents() == {name: b"x"}
    assert services.retrieve(name.swapcase()).documents() == ({name: b"x"} if name == name.swapcase() else {})


def test_a_document_asked_for_twice_is_answered_twice(services: Services) -> None:
    entry = provided(services)

    found = services.retrieve(entry.unique_id or "", entry.unique_id or "")

    assert found.registry_status == "Success"
    assert len(found.body.findall("{*}DocumentResponse")) == 2


def test_the_home_community_is_given_back_where_it_was_asked_with(services: Services) -> None:
    entry = provided(services)
    home = b"<xds:DocumentRequest><xds:HomeCommunityId>urn:oid:1.2.3</xds:HomeCommunityId>"
    body = _retrieve(services, entry).replace(b"<xds:DocumentRequest>", home)

    found = services.simple(services.repository, envelope(ITI_43, body))

    assert found.body.findtext(".//{*}HomeCommunityId") == "urn:oid:1.2.3"
    assert services.retrieve(entry.unique_id or "").body.find(".//{*}HomeCommunityId") is None


def test_a_retrieval_of_nothing_is_refused(services: Services) -> None:
    body = b'<xds:RetrieveDocumentSetRequest xmlns:xds="urn:ihe:iti:xds-b:2007"/>'

    found = services.simple(services.repository, envelope(ITI_43, body))

    assert (found.registry_status, found.codes) == ("Failure", ["XDSRepositoryError"])


@pytest.fixture(scope="module", params=BACK_ENDS)
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Services, Path]]:
    """A pair with small limits, and its data directory."""
    limits = {
        "MAX_DOCUMENTS": "3",
        "MAX_DOCUMENT_BYTES": "10KiB",
        "MAX_SUBMISSION_BYTES": "64KiB",
        "MAX_METADATA_BYTES": "40KiB",
        "MAX_PART_HEADER_BYTES": "512",
        "MAX_PART_HEADERS": "5",
    }
    data = tmp_path_factory.mktemp("small")
    pair = a_pair(data, back_end(request.param, request) | limits)
    pair.start()
    yield pair.services, data
    pair.stop()


def test_a_document_of_exactly_the_limit_is_taken_and_one_byte_more_is_refused(small: tuple[Services, Path]) -> None:
    services, data = small
    provided(services, bytes(10 * 1024))
    entry = a_letter()

    found = services.provide(a_submission(entry), {entry.entry_uuid: bytes(10 * 1024 + 1)})

    assert (found.status, found.registry_status) == (400, "Fault")
    assert "10240 bytes" in found.fault
    assert is_nowhere(services, entry)
    assert not list(data.glob("documents/**/incoming/*"))


@pytest.mark.parametrize("how", ["declared", "chunked", "inline"])
def test_m8_a_submission_over_the_limit_is_stopped(small: tuple[Services, Path], how: str) -> None:
    services, _ = small
    entries = [a_letter() for _ in range(3)]
    for entry in entries:
        entry.patient_id = entries[0].patient_id
    submission = a_submission(*entries)
    parts = {f"{entry.entry_uuid}@source.example": bytes(10_000) for entry in entries}
    parts |= {f"stray{number}@x": bytes(10_000) for number in range(9)} if how != "inline" else {}
    documents = document_elements({entry.entry_uuid: f"{entry.entry_uuid}@source.example" for entry in entries})
    if how == "inline":
        documents = f'<xds:Document id="x">{base64.b64encode(bytes(60_000)).decode()}</xds:Document>'.encode()
    kind, body = mtom(envelope(ITI_41, provide_body(submission, documents)), parts)

    found = answer(services.post(services.repository, iter([body]) if how == "chunked" else body, kind))

    assert (found.status, found.registry_status) == (400, "Fault")
    assert services.everything(entries[0].patient_id or "") == []


def test_m2_more_documents_than_the_limit_are_refused_both_ways(small: tuple[Services, Path]) -> None:
    services, _ = small
    entries = [a_letter() for _ in range(4)]
    for entry in entries:
        entry.patient_id = entries[0].patient_id

    found = services.provide(a_submission(*entries), {entry.entry_uuid: b"x" for entry in entries})

    assert (found.status, found.registry_status) == (400, "Fault")
    assert is_nowhere(services, entries[0])
    assert services.retrieve("1", "2", "3", "4").codes == ["XDSTooManyResults"]


@pytest.mark.parametrize("headers", [b"X-Pad: " + b"x" * 600, b"\r\n".join(b"X-%d: x" % number for number in range(9))])
def test_m1_huge_or_many_part_headers_are_refused(small: tuple[Services, Path], headers: bytes) -> None:
    services, _ = small
    entry = a_letter()
    kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: PDF})

    padded = data.replace(b"Content-Type: application/octet", headers + b"\r\nContent-Type: application/octet")
    found = answer(services.post(services.repository, padded, kind))

    assert (found.status, found.registry_status) == (400, "Fault")
    assert is_nowhere(services, entry)


def test_the_metadata_of_a_message_are_bounded_at_both_services(small: tuple[Services, Path]) -> None:
    services, _ = small
    entry = a_letter(
        comments=a_document(title=()).title, extra_slots={f"urn:x:{number}": ("y" * 250,) for number in range(200)}
    )

    found = services.provide(a_submission(entry), {entry.entry_uuid: PDF})
    direct = services.register(a_submission(replace(entry, hash="ab" * 20, size="1", repository_unique_id="1.2")))

    assert (found.status, found.registry_status) == (400, "Fault")
    assert (direct.status, direct.registry_status) == (400, "Fault")
    assert is_nowhere(services, entry)


def test_a_folder_and_its_documents_are_provided_together(services: Services) -> None:
    entry, folder = a_letter(), a_folder(entry_uuid=a_uuid())
    folder.patient_id = entry.patient_id
    submission = a_submission(entry, folder, a_link(HAS_MEMBER, folder, entry))

    assert services.provide(submission, {entry.entry_uuid: PDF}).registry_status == "Success"

    found = services.objects("GetFolderAndContents", {"$XDSFolderEntryUUID": f"'{folder.entry_uuid}'"})
    assert [each.unique_id for each in found.entries] == [entry.unique_id]


def test_a_request_that_is_no_submission_is_refused(services: Services) -> None:
    for inner in (b"", b"<x/>", submit_objects(Submission())):
        body = b'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="urn:ihe:iti:xds-b:2007">' + inner
        message = envelope(ITI_41, body + b"</xds:ProvideAndRegisterDocumentSetRequest>")
        found = services.simple(services.repository, message)
        assert found.registry_status == "Failure"
        assert set(found.codes) <= {"XDSRepositoryMetadataError", "XDSRegistryMetadataError"}
