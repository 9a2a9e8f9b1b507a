"""Fetching from repositories that fail half way, or do not do as the standard says."""

from __future__ import annotations

import hashlib
import threading

import pytest

from common.client import DocumentConsumer, FetchedDocument, NoAnswer, fetching
from common.client.fetching import Errand, Fetched
from common.client.operations import _Disk
from common.client.spool import IN_MEMORY, Spool
from common.model import DocumentEntry
from tests.factories import a_document
from tests.unit.common.client.peer import Peer, a_peer, answering, http, multipart
from tests.unit.common.client.test_service import include, response_of, retrieve_response

CONTENTS = {"1": b"first", "2": b"x" * 500_000}


def entries() -> list[DocumentEntry]:
    return [
        a_document(unique_id=name, repository_unique_id="1.1", hash=hashlib.sha1(data).hexdigest(), size=str(len(data)))
        for name, data in CONTENTS.items()
    ]


def an_answer(*names: str) -> tuple[str, bytes]:
    root = retrieve_response("".join(response_of(name, include(f"cid:{name}@x")) for name in names))
    return multipart(root, [(f"{name}@x", CONTENTS[name]) for name in names])


def a_consumer(peer: Peer) -> DocumentConsumer:
    return DocumentConsumer("http://127.0.0.1:9/", {"1.1": peer.url}, answer_timeout=2)


def fetched(body: bytes, content_type: str, *, cut: int = 0) -> tuple[list[FetchedDocument], Fetched]:
    """What comes of an answer, the last bytes of which are cut off."""
    whole = http(body, content_type)
    with a_peer(answering(whole[: len(whole) - cut])) as peer, a_consumer(peer) as consumer:
        result = consumer.fetch(entries())
        return list(result), result


def test_an_answer_that_breaks_off_keeps_what_came_whole() -> None:
    content_type, body = an_answer("1", "2")

    [document], result = fetched(body, content_type, cut=1000)

    assert (document.entry.unique_id, document.content, document.sha1_ok) == ("1", b"first", True)
    [(entry, error)] = result.errors
    assert entry.unique_id == "2"
    assert isinstance(error, NoAnswer)


def test_a_document_that_is_passed_over_in_silence_is_told() -> None:
    content_type, body = an_answer("2")

    [document], result = fetched(body, content_type)

    assert document.size == 500_000
    [(entry, error)] = result.errors
    assert entry.unique_id == "1"
    assert "neither" in str(error)


def test_documents_that_nobody_asked_for_are_left_alone() -> None:
    root = retrieve_response(response_of("3", include("cid:3@x")) + response_of("1", include("cid:1@x")))
    content_type, body = multipart(root, [("3@x", b"?"), ("1@x", b"first")])

    documents, _ = fetched(body, content_type)

    assert [document.content for document in documents] == [b"first"]


def test_a_breakdown_of_ours_is_raised_where_the_documents_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fetching, "_run_errand", broken)
    with pytest.raises(ZeroDivisionError):
        list(Fetched([Errand((a_document(),))], 8))


def test_workers_end_when_nobody_reads_any_more() -> None:
    content_type, body = an_answer("1")
    many = [a_document(unique_id="1", repository_unique_id="1.1") for _ in range(50)]
    with a_peer(answering(http(body, content_type))) as peer, a_consumer(peer) as consumer:
        with consumer.fetch(many) as result:
            assert next(iter(result)).content == b"first"
        for thread in threading.enumerate():
            if thread.name == "fetch":
                thread.join(5)
                assert not thread.is_alive()


@pytest.mark.parametrize("size", [0, 1, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY])
def test_what_is_put_aside_comes_back(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    spool = Spool()
    for at in range(0, size, 100_000):
        spool.write(data[at : min(at + 100_000, size)])

    assert b"".join(spool.chunks()) == b"".join(spool.chunks()) == data[:size]
    spool.close()


@pytest.mark.parametrize("url", ["http://x.invalid/rim.xsd.dtd", "/etc/passwd", "file:///etc/hosts"])
def test_zeep_is_given_our_own_files_and_nothing_else(url: str) -> None:
    with pytest.raises(KeyError):
        _Disk().load(url)
