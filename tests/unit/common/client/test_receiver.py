"""The listener for asynchronous answers: takes what is waited for, within bounds, and nothing else."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing
from urllib.parse import urlsplit

import pytest
import requests

from common.client import AsyncReceiver, FaultReceived, NoAnswer
from common.client.service import Service
from common.standard.transactions import ITI_18
from tests.unit.common.client.peer import a_peer, answering, envelope, http

BODY = b"<an-answer/>"
QUESTION = {"ResponseOption": {"returnType": "ObjectRef"}, "AdhocQuery": {"id": "urn:uuid:1", "Slot": []}}
XML = "application/soap+xml"


def post(url: str, body: bytes = BODY, **headers: str) -> int:
    return requests.post(url, data=body, headers={"Content-Type": XML, **headers}, timeout=5).status_code


def test_an_answer_reaches_whoever_waits_for_it() -> None:
    with AsyncReceiver() as receiver, receiver.expecting() as one, receiver.expecting() as other:
        assert one.url != other.url
        assert post(other.url, b"<other/>") == 202
        assert post(one.url) == 202
        arrived, second = one.wait(), other.wait()

        assert (arrived.content_type, arrived.read(), arrived.read()) == (XML, BODY, b"")
        assert second.read() == b"<other/>"
        arrived.close()
        second.close()


def test_an_answer_may_come_in_chunks() -> None:
    with AsyncReceiver() as receiver, receiver.expecting() as expected:
        sent = requests.post(expected.url, data=iter([b"<an-", b"answer/>"]), headers={"Content-Type": XML}, timeout=5)
        arrived = expected.wait()

        assert (sent.status_code, arrived.read()) == (202, BODY)
        arrived.close()


def test_an_answer_that_comes_twice_is_taken_once_and_acknowledged_twice() -> None:
    with AsyncReceiver() as receiver:
        with receiver.expecting() as expected:
            assert [post(expected.url), post(expected.url, b"<again/>")] == [202, 202]
            arrived = expected.wait()
            assert arrived.read() == BODY
            arrived.close()
        assert post(expected.url) == 202


def test_what_nobody_waits_for_is_refused() -> None:
    with AsyncReceiver() as receiver, receiver.expecting() as expected:
        assert post(expected.url + "x") == 404
        assert post(expected.url.rpartition("/")[0]) == 404
        assert requests.get(expected.url, timeout=5).status_code == 501


def test_an_answer_that_is_too_large_is_refused() -> None:
    with AsyncReceiver(max_bytes=100) as receiver, receiver.expecting() as expected:
        assert post(expected.url, b"x" * 101) == 413
        chunked = requests.post(expected.url, data=iter([b"x" * 60, b"x" * 60]), timeout=5)
        assert chunked.status_code == 413
        assert post(expected.url, b"x" * 100) == 202


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: +5\r\n\r\nhello",
        b"\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 2000 + b"\r\n",
        b"Content-Length: 50\r\n\r\ncut short",
    ],
)
def test_a_body_without_a_proper_length_is_refused_and_nobody_is_told_of_it(sent: bytes) -> None:
    with AsyncReceiver(patience=0.2) as receiver, receiver.expecting() as expected:
        place = urlsplit(expected.url)
        with socket.create_connection((place.hostname or "", place.port or 0), 5) as client:
            client.sendall(b"POST " + place.path.encode() + b" HTTP/1.1\r\nHost: x\r\n" + sent)
            client.shutdown(socket.SHUT_WR)
            told = client.recv(1000)
        assert told.split(b" ")[1] in (b"400", b"411"), told
        with pytest.raises(NoAnswer):
            expected.wait()


def test_a_sender_that_falls_silent_is_let_go() -> None:
    with AsyncReceiver(idle_timeout=0.3) as receiver, receiver.expecting() as expected:
        place = urlsplit(expected.url)
        with socket.create_connection((place.hostname or "", place.port or 0), 5) as client:
            client.sendall(f"POST {place.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nx".encode())
            began = time.monotonic()
            assert b" 408 " in client.recv(1000)
            assert time.monotonic() - began < 3


def test_more_connections_than_are_served_are_closed_and_the_next_is_taken() -> None:
    with AsyncReceiver(connections=1, idle_timeout=5) as receiver, receiver.expecting() as expected:
        place = urlsplit(expected.url)
        with socket.create_connection((place.hostname or "", place.port or 0), 5) as first:
            first.sendall(b"POST ")
            time.sleep(0.2)
            with pytest.raises(requests.ConnectionError):
                post(expected.url)
        time.sleep(0.2)
        assert post(expected.url) == 202


def test_an_answer_that_does_not_come_is_told_in_time() -> None:
    with (
        AsyncReceiver(patience=0.2) as receiver,
        receiver.expecting() as expected,
        pytest.raises(NoAnswer, match="no answer came"),
    ):
        expected.wait()


def asked_with(receiver: AsyncReceiver, reply: bytes) -> str:
    """What comes of a question whose answer says this, and was only accepted at first."""
    with a_peer(answering(http(b"", status=202))) as peer:
        service = Service(peer.url, connect_timeout=1, answer_timeout=2, receiver=receiver)

        def answer_it() -> None:
            while not peer.received:
                time.sleep(0.01)
            sent = peer.received[0].decode()
            url = sent.partition("ReplyTo>")[2].partition("Address>")[2].partition("<")[0]
            post(url, reply)

        threading.Thread(target=answer_it, daemon=True).start()
        with closing(service), service.ask(ITI_18, QUESTION, message_id="urn:uuid:7") as answer:
            return str(answer.body.tag)


def test_a_service_that_accepts_is_heard_later() -> None:
    with AsyncReceiver(patience=5) as receiver:
        assert asked_with(receiver, envelope("<x/>", relates_to="urn:uuid:7")) == "x"


@pytest.mark.parametrize("relates_to", [None, "urn:uuid:8"])
def test_what_does_not_say_that_it_is_the_answer_is_none(relates_to: str | None) -> None:
    with AsyncReceiver(patience=5) as receiver, pytest.raises(NoAnswer, match="another message"):
        asked_with(receiver, envelope("<x/>", relates_to=relates_to))


def test_a_service_that_answers_at_once_is_heard_too() -> None:
    fault = "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text>no</s:Text></s:Reason></s:Fault>"
    with AsyncReceiver(patience=5) as receiver, a_peer(answering(http(envelope(fault), status=400))) as peer:
        service = Service(peer.url, connect_timeout=1, answer_timeout=2, receiver=receiver)
        with closing(service), pytest.raises(FaultReceived), service.ask(ITI_18, QUESTION, message_id="urn:uuid:7"):
            pass
