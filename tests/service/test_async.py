"""Asynchronous exchange: 202 now, the answer later at the address that the request names, surely and once."""

from __future__ import annotations

import time

import pytest
import requests

from common.standard.transactions import ITI_18, ITI_42, ITI_43, ITI_51, Transaction
from tests.factories import a_submission
from tests.servers.receiver import a_receiver
from tests.service.async_kit import (
    a_letter,
    a_request,
    an_id,
    ask,
    end,
    fault_of,
    find_body,
    is_accepted,
    provide,
    send,
    with_ends,
)
from tests.wire import NS, Services, answer, envelope, mtom, mtom_provide

NONE = NS["wsa"] + "/none"


def test_iti_41_is_carried_out_and_answered_at_the_address(services: Services) -> None:
    with a_receiver() as receiver:
        message_id = an_id()
        entry, content = provide(services, receiver.url, message_id=message_id)
        [came] = receiver.wait()

    assert services.find(entry.patient_id or "").registry_status == "Success"
    assert services.retrieve(entry.unique_id or "").documents() == {entry.unique_id: content}
    assert came.headers["Content-Type"].startswith("multipart/related")
    assert came.answer.registry_status == "Success"
    assert came.header("RelatesTo") == message_id
    assert came.header("To") == receiver.url
    assert came.header("Action") == "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse"


@pytest.mark.parametrize("as_mtom", [False, True], ids=["simple", "mtom"])
@pytest.mark.parametrize("kind", [ITI_18, ITI_42, ITI_43, ITI_51], ids=lambda kind: kind.label)
def test_every_transaction_is_answered_in_the_form_of_the_request(
    services: Services, kind: Transaction, as_mtom: bool
) -> None:
    entry, content = a_letter()
    if kind is not ITI_42:
        assert services.provide(a_submission(entry), {entry.entry_uuid: content}).registry_status == "Success"
    with a_receiver() as receiver:
        message_id = an_id()
        accepted = ask(services, kind, entry, receiver.url, message_id=message_id, as_mtom=as_mtom)
        assert is_accepted(accepted)
        [came] = receiver.wait()

    assert came.answer.registry_status == "Success", came.answer.contexts
    assert came.headers["Content-Type"].startswith("multipart/related" if as_mtom else "application/soap+xml")
    assert (came.header("RelatesTo"), came.header("Action")) == (message_id, kind.answer_action)
    if kind is ITI_43:
        assert came.answer.documents() == {entry.unique_id: content}
    elif kind is ITI_42:
        assert len(services.find(entry.patient_id or "").ids()) == 1
    else:
        assert [each.get("id") for each in came.answer.objects("ExtrinsicObject")]
    assert came.headers["X-Correlation-Id"] == accepted.headers["X-Correlation-Id"]


def test_a_refusal_is_an_answer_like_any_other(services: Services) -> None:
    entry, _ = a_letter()
    entry.patient_id = "nonsense"
    with a_receiver() as receiver:
        assert is_accepted(ask(services, ITI_42, entry, receiver.url, message_id=an_id()))
        [came] = receiver.wait()

    assert came.answer.registry_status == "Failure"
    assert came.answer.codes


def test_reference_parameters_come_back_as_headers(services: Services) -> None:
    with a_receiver() as receiver:
        held = '<t:Ticket xmlns:t="urn:example:tickets">A-17</t:Ticket>'
        message = with_ends(envelope(ITI_18, find_body("x")), end("ReplyTo", receiver.url, held))
        assert is_accepted(send(services, services.registry, message))
        [came] = receiver.wait()

    ticket = came.answer.root.find("s:Header/{urn:example:tickets}Ticket", NS)
    assert ticket is not None
    assert ticket.text == "A-17"
    assert ticket.get(f"{{{NS['wsa']}}}IsReferenceParameter") == "true"


def test_reference_parameters_come_back_with_documents_too(services: Services) -> None:
    entry, content = a_letter()
    services.provide(a_submission(entry), {entry.entry_uuid: content})
    with a_receiver() as receiver:
        url, body = a_request(ITI_43, entry, content, services)
        held = '<t:Ticket xmlns:t="urn:example:tickets">A-18</t:Ticket>'
        kind, data = mtom(with_ends(envelope(ITI_43, body), end("ReplyTo", receiver.url, held)), {})
        assert is_accepted(send(services, url, data, kind=kind))
        [came] = receiver.wait()

    assert came.answer.root.findtext("s:Header/{urn:example:tickets}Ticket", "", NS) == "A-18"
    assert came.answer.documents() == {entry.unique_id: content}


def test_an_answer_that_nobody_wants_is_dropped_and_the_action_is_carried_out(services: Services) -> None:
    entry, content = a_letter()
    kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: content}, reply_to=NONE)

    assert is_accepted(send(services, services.repository, data, kind=kind))

    assert len(services.find(entry.patient_id or "").ids()) == 1


@pytest.mark.parametrize("kind", [ITI_18, ITI_43], ids=lambda kind: kind.label)
def test_a_question_whose_answer_nobody_wants_is_accepted(services: Services, kind: Transaction) -> None:
    assert is_accepted(ask(services, kind, a_letter()[0], NONE, message_id=an_id()))


BAD_BODY = b'<x:x xmlns:x="urn:x"/>'


def test_a_fault_goes_to_fault_to(services: Services) -> None:
    with a_receiver() as answers, a_receiver() as faults:
        message_id = an_id()
        message = envelope(ITI_18, BAD_BODY, message_id=message_id)
        message = with_ends(message, end("ReplyTo", answers.url), end("FaultTo", faults.url, "<Mark>m</Mark>"))
        assert is_accepted(send(services, services.registry, message))
        [came] = faults.wait()
        assert answers.received == []

    assert came.answer.registry_status == "Fault"
    assert came.header("RelatesTo") == message_id
    assert came.header("To") == faults.url
    assert came.answer.root.findtext("s:Header/Mark", "", NS) == "m"


def test_a_fault_goes_to_reply_to_where_there_is_no_fault_to(services: Services) -> None:
    with a_receiver() as receiver:
        message = envelope("urn:x", BAD_BODY, message_id=an_id(), reply_to=receiver.url)
        assert is_accepted(send(services, services.registry, message))
        [came] = receiver.wait()

    assert came.answer.body.findtext("s:Code/s:Subcode/s:Value", "", NS) == "wsa:ActionNotSupported"
    assert came.header("Action") == f"{NS['wsa']}/fault"


def test_a_fault_is_given_at_once_where_fault_to_asks_for_that(services: Services) -> None:
    with a_receiver() as receiver:
        ends = (end("ReplyTo", receiver.url), end("FaultTo", NS["wsa"] + "/anonymous"))
        response = send(services, services.registry, with_ends(envelope(ITI_18, BAD_BODY), *ends))
        assert response.status_code == 400
        assert fault_of(response).fault
        time.sleep(0.2)
        assert receiver.asked == 0


def test_a_fault_that_nobody_wants_is_dropped(services: Services) -> None:
    with a_receiver() as receiver:
        ends = (end("ReplyTo", receiver.url), end("FaultTo", NONE))
        assert is_accepted(send(services, services.registry, with_ends(envelope(ITI_18, BAD_BODY), *ends)))
        time.sleep(0.2)
        assert receiver.asked == 0


def test_an_answer_in_the_response_and_faults_elsewhere(services: Services) -> None:
    with a_receiver() as faults:
        anonymous = end("ReplyTo", NS["wsa"] + "/anonymous")
        good = with_ends(envelope(ITI_18, find_body("x")), anonymous, end("FaultTo", faults.url))
        assert answer(send(services, services.registry, good)).registry_status != "Fault"
        bad = with_ends(envelope(ITI_18, BAD_BODY), anonymous, end("FaultTo", faults.url))
        assert is_accepted(send(services, services.registry, bad))
        [came] = faults.wait()

    assert came.answer.registry_status == "Fault"


def test_a_fault_of_iti_41_found_after_the_documents_goes_there_too(services: Services) -> None:
    entry, content = a_letter()
    with a_receiver() as receiver:
        kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: content}, reply_to=receiver.url)
        data = data.replace(b'href="cid:', b'href="cid:no-such-')
        assert is_accepted(send(services, services.repository, data, kind=kind))
        [came] = receiver.wait()

    assert came.answer.registry_status == "Fault"
    assert services.find(entry.patient_id or "").ids() == []


def test_who_is_still_sending_hears_of_a_broken_message_at_once(services: Services) -> None:
    entry, content = a_letter()
    with a_receiver() as receiver:
        kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: content}, reply_to=receiver.url)
        response = send(services, services.repository, data[:-40], kind=kind)
        assert response.status_code == 400
        assert fault_of(response).fault
        time.sleep(0.2)
        assert receiver.asked == 0


def test_x7_an_address_that_is_not_allowed_is_refused_before_anything_is_done(services: Services) -> None:
    entry, content = a_letter()
    kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: content}, reply_to="http://192.0.2.7/answers")

    found = fault_of(send(services, services.repository, data, kind=kind))

    assert found.status == 400
    assert "async_reply_to" in found.fault
    assert found.body.findtext(".//s:Subcode/s:Subcode/s:Value", "", NS) == "wsa:InvalidAddress"
    assert services.find(entry.patient_id or "").ids() == []


def test_x7_not_even_a_fault_is_sent_to_an_address_that_is_not_allowed(services: Services) -> None:
    ends = (end("ReplyTo", NS["wsa"] + "/anonymous"), end("FaultTo", "http://169.254.169.254/latest"))

    found = fault_of(send(services, services.registry, with_ends(envelope(ITI_18, find_body("x")), *ends)))

    assert found.body.findtext(".//s:Subcode/s:Subcode/s:Value", "", NS) == "wsa:InvalidAddress"


def test_x7_a_redirect_is_not_followed(services: Services) -> None:
    with a_receiver("redirect") as receiver:
        ask(services, ITI_18, a_letter()[0], receiver.url, message_id=an_id())
        [came] = receiver.wait()

    assert came.path == "/answers"
    assert receiver.asked == 2


@pytest.mark.parametrize("act", [500, 503, 404, "reset"])
def test_n13_a_receiver_that_fails_is_asked_again(services: Services, act: int | str) -> None:
    with a_receiver(act) as receiver:
        provide(services, receiver.url, message_id=an_id())
        [came] = receiver.wait()

    assert came.answer.registry_status == "Success"
    assert receiver.asked == 2


def test_a_receiver_that_says_yes_before_it_has_everything_is_not_believed(services: Services) -> None:
    entry, content = a_letter(500_000)
    assert services.provide(a_submission(entry), {entry.entry_uuid: content}).registry_status == "Success"
    with a_receiver("early") as receiver:
        ask(services, ITI_43, entry, receiver.url, message_id=an_id(), as_mtom=True)
        [came] = receiver.wait()

    assert receiver.asked == 2
    assert came.answer.documents() == {entry.unique_id: content}


@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_answer_that_was_taken_is_not_sent_again(services: Services, status: int) -> None:
    with a_receiver(status, status) as receiver:
        ask(services, ITI_18, a_letter()[0], receiver.url, message_id=an_id())
        receiver.wait()
        time.sleep(2.5)

        assert receiver.asked == 1


def test_n13_a_receiver_that_was_down_hears_later(services: Services) -> None:
    with a_receiver() as receiver:
        receiver.stop()
        message_id = an_id()
        provide(services, receiver.url, message_id=message_id)
        time.sleep(1)
        receiver.start()
        [came] = receiver.wait()

    assert came.header("RelatesTo") == message_id


def test_n13_a_receiver_that_hangs_holds_up_nobody(services: Services) -> None:
    with a_receiver(*["silent"] * 50, hold=8) as slow, a_receiver() as quick:
        for _ in range(6):
            ask(services, ITI_18, a_letter()[0], slow.url, message_id=an_id())
        slow.wait_asked(1)
        began = time.monotonic()

        for number in range(5):
            ask(services, ITI_18, a_letter()[0], quick.url, message_id=an_id())
            quick.wait(number + 1, 5)
        assert services.find("x").status == 200

        assert time.monotonic() - began < 7.5  # who holds on does so for eight seconds


def test_the_same_request_again_is_answered_again_with_the_same_answer(services: Services) -> None:
    entry, content = a_letter()
    with a_receiver() as receiver:
        message_id = an_id()
        kind, data = mtom_provide(
            a_submission(entry), {entry.entry_uuid: content}, message_id=message_id, reply_to=receiver.url
        )
        for number in (1, 2):
            assert is_accepted(send(services, services.repository, data, kind=kind))
            receiver.wait(number)

    assert [each.answer.registry_status for each in receiver.received] == ["Success", "Success"]
    assert {each.header("RelatesTo") for each in receiver.received} == {message_id}
    assert len(services.find(entry.patient_id or "").ids()) == 1


def test_the_same_request_again_before_the_answer_was_taken_is_answered_once(services: Services) -> None:
    entry, content = a_letter()
    with a_receiver(500) as receiver:
        kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: content}, reply_to=receiver.url)
        assert is_accepted(send(services, services.repository, data, kind=kind))
        receiver.wait_asked(1)
        for _ in range(3):
            assert is_accepted(send(services, services.repository, data, kind=kind))
        receiver.wait()
        time.sleep(1.5)

        assert len(receiver.received) == 1


def test_many_answers_at_once_come_each_to_its_question(services: Services) -> None:
    with a_receiver() as receiver:
        asked = {an_id() for _ in range(60)}
        for message_id in asked:
            assert is_accepted(ask(services, ITI_18, a_letter()[0], receiver.url, message_id=message_id))
        came = receiver.wait(60)

    assert sorted(each.header("RelatesTo") for each in came) == sorted(asked)


def test_a_question_that_cannot_be_answered_is_told_in_the_answer(services: Services) -> None:
    with a_receiver() as receiver:
        assert is_accepted(ask(services, ITI_43, a_letter()[0], receiver.url, message_id=an_id(), as_mtom=True))
        [came] = receiver.wait()

    assert came.answer.codes == ["XDSDocumentUniqueIdError"]


def test_a_readiness_check_includes_the_outbox(services: Services) -> None:
    for url in (services.registry, services.repository):
        told = requests.get(f"{url.rpartition('/')[0]}/ready", timeout=10).json()
        assert told["checks"]["outbox"] == "ok"


def test_the_metrics_tell_of_deliveries(services: Services) -> None:
    with a_receiver(500) as receiver:
        ask(services, ITI_18, a_letter()[0], receiver.url, message_id=an_id())
        receiver.wait()
    time.sleep(0.3)

    told = requests.get(f"{services.registry.rpartition('/')[0]}/metrics", timeout=10).text

    for outcome in ("delivered", "failed"):
        assert f'portolan_outbox_total{{outcome="{outcome}",service="registry"}}' in told
    for name in ("waiting", "dead", "oldest_seconds"):
        assert f"portolan_outbox_{name}{{" in told


@pytest.mark.slow
def test_a_large_answer_of_iti_43_streams(services: Services) -> None:
    entry, content = a_letter(3_000_000)
    assert services.provide(a_submission(entry), {entry.entry_uuid: content}).registry_status == "Success"
    with a_receiver() as receiver:
        ask(services, ITI_43, entry, receiver.url, message_id=an_id(), as_mtom=True)
        [came] = receiver.wait(1, 60)

    assert len(content) > 64 * 2**20
    assert len(content) < came.length < len(content) + 10_000


def test_the_registry_itself_is_asked_synchronously(services: Services) -> None:
    """What the Repository asks the Registry (ITI-42) is answered in the response, whatever the source wants."""
    with a_receiver() as receiver:
        provide(services, receiver.url, message_id=an_id())
        receiver.wait()
        time.sleep(0.3)

        assert receiver.asked == 1


def test_one_message_id_with_two_contents_is_two_requests(services: Services) -> None:
    """One MessageID with two contents is an error of the sender's, and each is answered."""
    message_id = an_id()
    with a_receiver() as receiver:
        for _ in range(2):
            _, body = a_request(ITI_42, a_letter()[0], b"", services)
            message = envelope(ITI_42, body, message_id=message_id, reply_to=receiver.url)
            assert is_accepted(send(services, services.registry, message))
        receiver.wait(2)

    assert [each.answer.registry_status for each in receiver.received] == ["Success", "Success"]
