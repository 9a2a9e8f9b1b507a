"""ITI-8 over MLLP against running services: every event's answer, and what it does to queries and submissions."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from common.model import AssociationType
from tests.factories import (
    HAS_MEMBER,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_submission_set,
    a_uuid,
    an_nhs_number,
    included,
    submit_objects,
)
from tests.feeds import Pas, a_control_id, a_pas, admitted, adt, hl7, merged, pid
from tests.wire import STATUS, Services

FOREIGN = "X123^^^&2.999.1.2.3&ISO"


@pytest.fixture
def pas(services: Services) -> Iterator[Pas]:
    """A connection to the Registry's listener."""
    made = Pas(services.mllp)
    yield made
    made.close()


def found(services: Services, patient_id: str) -> list[str]:
    return services.find(patient_id).ids()


def a_registered(services: Services, patient_id: str, count: int = 1) -> list[str]:
    documents = [a_document(patient_id=patient_id) for _ in range(count)]
    assert services.register(a_submission(*documents)).registry_status == "Success"
    return [str(item.unique_id) for item in documents]


@pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08"])
def test_a_patient_is_made_known_and_repeats_are_harmless(pas: Pas, event: str) -> None:
    message = admitted(a_patient_id(), event=event, control="C77")

    for _ in range(2):
        answer = pas.send(message)
        assert (answer.code, answer.control_id) == ("AA", "C77")
        assert answer.segments["MSH"][2:6] == ["XDSREG", "ZT901", "PAS", "ZT901"]


def test_ids_of_other_domains_are_ignored_and_a_namespace_may_mean_ours(pas: Pas) -> None:
    assert pas.send(adt("A04", pid(FOREIGN, a_patient_id()))).code == "AA"
    assert pas.send(adt("A04", pid(f"{an_nhs_number()}^^^NHS^NH"))).code == "AA"


@pytest.mark.parametrize(
    ("message", "code", "error"),
    [
        (adt("A01", pid(FOREIGN)), "AE", "PID^1^3^204&"),
        (adt("A01", pid("9990001007^^^&2.16.840.1.113883.2.1.4.1&ISO")), "AE", "PID^1^3^204&"),
        (adt("A01", "PID|||"), "AE", "PID^1^3^101&"),
        (adt("A01", "PV1||I"), "AE", "PID^1^^100&"),
        (adt("A01", pid(a_patient_id(), a_patient_id())), "AE", "PID^1^3^205&"),
        (adt("A03", pid(a_patient_id())), "AR", "MSH^1^9^201&"),
        (hl7("MSH|^~\\&|A|B|C|D|1||ORU^R01|M9|P|2.3.1"), "AR", "MSH^1^9^200&"),
        (hl7("MSH|^~\\&|A|B|C|D|1||ADT^A01||P|2.3.1"), "AE", "MSH^1^10^101&"),
        (hl7("MSH|^~\\&|A|B|C|D|1||ADT^A01|M9|P|3"), "AR", "MSH^1^12^203&"),
        (b"MSH|^^^^|A", "AR", "MSH^1^2^102&"),
        (b"PID|||1\r", "AR", "MSH^1^^100&"),
        (b"", "AR", "MSH^1^^100&"),
        (admitted(a_patient_id()) * 2, "AR", "MSH^2^^100&"),
        (merged(a_patient_id(), FOREIGN), "AE", "PID^1^3^204&"),
        (merged(FOREIGN, a_patient_id()), "AE", "MRG^1^1^204&"),
        (adt("A40", pid(a_patient_id())), "AE", "MRG^1^^100&"),
        (adt("A40", pid(a_patient_id()), "MRG|"), "AE", "MRG^1^1^101&"),
        (adt("A40", f"MRG|{a_patient_id()}"), "AE", "PID^1^^100&"),
        (adt("A40", pid(a_patient_id()), f"MRG|{a_patient_id()}", f"MRG|{a_patient_id()}"), "AR", "MRG^2^^100&"),
    ],
    ids=range(19),
)  # fmt: skip
def test_what_is_wrong_is_answered_with_its_place_and_code(pas: Pas, message: bytes, code: str, error: str) -> None:
    answer = pas.send(message)

    assert answer.code == code
    assert answer.error.startswith(f"ERR|{error}")
    assert len(answer.segments["MSA"][3]) > 10
    assert pas.send(admitted(a_patient_id())).code == "AA"  # the conversation goes on


def test_w8_a_connection_whose_framing_breaks_is_closed_and_the_service_lives(services: Services) -> None:
    for stream in (b"GET / HTTP/1.1\r\n" * 100, b"\x0bMSH|\x0bMSH|\x1c\r", b"\x0b" + b"x" * (1024 * 1024 + 10)):
        with a_pas(services.mllp) as bad:
            with contextlib.suppress(OSError):
                bad.write(stream)
            assert bad.is_closed()
    with a_pas(services.mllp) as good:
        assert good.send(admitted(a_patient_id())).code == "AA"


def test_w8_many_idle_connections_and_half_messages_do_not_hurt(services: Services) -> None:
    idle = [socket.create_connection(("127.0.0.1", services.mllp)) for _ in range(300)]
    for each in idle[::2]:
        each.sendall(b"\x0bMSH|")
    with a_pas(services.mllp) as good:
        assert good.send(admitted(a_patient_id())).code == "AA"
    for each in idle:
        each.close()


def test_a_message_may_come_byte_by_byte_and_several_at_once(pas: Pas) -> None:
    message = b"\x0b" + admitted(a_patient_id()) + b"\x1c\r"
    for at in range(len(message)):
        pas.write(message[at : at + 1])
    assert pas.read().code == "AA"

    controls = [a_control_id() for _ in range(20)]
    pas.write(b"".join(b"\x0b" + admitted(a_patient_id(), control=each) + b"\x1c\r" for each in controls))
    assert [pas.read().control_id for _ in controls] == controls


def test_a_merge_gives_everything_to_the_survivor(services: Services, pas: Pas) -> None:
    old, new = a_patient_id(), a_patient_id()
    document, folder = a_document(patient_id=old), a_folder(patient_id=old)
    services.register(a_submission(document, folder, a_link(HAS_MEMBER, folder, document)))
    a_registered(services, new)
    before = set(services.everything(old)) | set(services.everything(new))

    assert pas.send(merged(old, new)).code == "AA"

    assert set(services.everything(new)) == before
    assert services.everything(old) == []
    both = f"('{STATUS}Approved')"
    slots = {"$patientId": f"'{new}'"} | {
        f"$XDS{kind}Status": both for kind in ("DocumentEntry", "SubmissionSet", "Folder")
    }
    everything = services.objects("GetAll", slots)
    for item in (*everything.entries, *everything.folders, *everything.submission_sets):
        assert item.patient_id == new
    assert {item.source_patient_id for item in everything.entries} == {"NGH4471893^^^&2.999.826.4.1&ISO"}
    assert len(everything.entries) == 2
    refused = services.register(a_submission(a_document(patient_id=old)))
    assert refused.codes == ["XDSUnknownPatientId"]


def test_merges_chain(services: Services, pas: Pas) -> None:
    first, second, third = (a_patient_id() for _ in range(3))
    for each in (first, second, third):
        a_registered(services, each)

    assert pas.send(merged(first, second)).code == "AA"
    assert pas.send(merged(second, third)).code == "AA"

    assert [len(found(services, each)) for each in (first, second, third)] == [0, 0, 3]


def test_w9_a_merge_that_cannot_be_is_refused_and_changes_nothing(services: Services, pas: Pas) -> None:
    old, new, other = (a_patient_id() for _ in range(3))
    a_registered(services, old)
    a_registered(services, other)
    message = merged(old, new, control=a_control_id())

    assert pas.send(merged(old, old)).error.startswith("ERR|MRG^1^1^205&")
    assert pas.send(message).code == "AA"
    assert pas.send(message).code == "AA"  # the same again: its answer may have been lost
    assert pas.send(merged(old, new)).error.startswith("ERR|MRG^1^1^204&")  # another one
    assert pas.send(merged(new, old)).error.startswith("ERR|PID^1^3^204&")  # in a circle
    assert pas.send(merged(other, old)).error.startswith("ERR|PID^1^3^204&")  # into who is gone
    assert [len(found(services, each)) for each in (old, new, other)] == [0, 1, 1]


def test_relationships_work_across_what_was_merged(services: Services, pas: Pas) -> None:
    old, new = a_patient_id(), a_patient_id()
    submission = a_submission(a_document(patient_id=old, entry_uuid=a_uuid()))
    services.register(submission)
    pas.send(merged(old, new))
    successor = a_document(patient_id=new)
    replacing = a_submission(successor, a_link(AssociationType.RPLC, successor, submission.entries[0].entry_uuid))

    assert services.register(replacing).registry_status == "Success"
    assert len(found(services, new)) == 1


def test_a_lost_answer_to_a_registration_is_repeated_after_a_merge(services: Services, pas: Pas) -> None:
    old, new = a_patient_id(), a_patient_id()
    message, name = submit_objects(a_submission(a_document(patient_id=old))), a_uuid()
    assert services.register(message, message_id=name).registry_status == "Success"
    pas.send(merged(old, new))

    assert services.register(message, message_id=name).registry_status == "Success"
    owner = a_submission_set(patient_id=new)
    links = included(owner, services.find(new).ids()[0])
    assert services.register(a_submission(links, owner=owner, patient_id=new)).registry_status == "Success"
