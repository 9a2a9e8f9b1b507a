"""ITI-41 when the registry is down, slow or talks nonsense: told in time, nothing lost, and put right afterwards."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final

import pytest

from common.standard.transactions import ITI_42
from tests.running import Pair, a_pair, back_end, descendants
from tests.servers.fake_registry import FakeRegistry, Respond, passing_on, send
from tests.service.conftest import BACK_ENDS
from tests.system.kill_kit import Letter, is_whole_or_nowhere, stored, until
from tests.system.survival_kit import of_back_ends
from tests.wire import Answer, envelope

pytestmark = pytest.mark.system

RESPONSE: Final = '<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" status="{}"/>'
SUCCESS: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"


@pytest.fixture(params=of_back_ends(BACK_ENDS))
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """A pair that is not started yet, with quick sweeps."""
    quick = {"CONNECT_TIMEOUT": "1s", "ANSWER_TIMEOUT": "2s", "SWEEP_AFTER": "4s", "SWEEP_EVERY": "0.3s"}
    made = a_pair(tmp_path, back_end(request.param, request) | quick)
    yield made
    for each in (made.repository, made.registry):
        each.kill()


def sent(pair: Pair, letter: Letter) -> tuple[Answer, float]:
    started = time.monotonic()
    found = letter.send(pair.services)
    assert found is not None
    return found, time.monotonic() - started


def test_n1_when_the_registry_is_down_the_source_is_told_within_3_seconds(pair: Pair) -> None:
    pair.repository.start()
    letter = Letter()

    found, seconds = sent(pair, letter)

    assert found.codes == ["XDSRegistryNotAvailable"]
    assert seconds < 3
    assert stored(pair, letter.entry.unique_id or "") == []

    pair.registry.start()
    again, _ = sent(pair, letter)
    assert again.registry_status == "Success"
    assert is_whole_or_nowhere(pair.services, letter)


def test_n1_when_the_registry_goes_down_between_two_letters_the_second_is_told_so(pair: Pair) -> None:
    pair.start()
    assert sent(pair, Letter())[0].registry_status == "Success"
    pair.registry.kill()
    letter = Letter()

    found, seconds = sent(pair, letter)

    assert seconds < 3
    assert found.codes in (["XDSRegistryNotAvailable"], ["XDSRepositoryError"])
    pair.registry.start()
    assert sent(pair, letter)[0].registry_status == "Success"
    assert is_whole_or_nowhere(pair.services, letter)


@contextmanager
def repository_before(pair: Pair, respond: Respond) -> Iterator[FakeRegistry]:
    """The repository with a registry that answers as told; the real one runs too."""
    pair.registry.start()
    with FakeRegistry(respond) as fake:
        pair.repository.start(PORTOLAN_REGISTRY_URL=fake.url)
        yield fake


def silent(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    time.sleep(4)
    handler.close_connection = True


def test_n2_when_the_registry_never_answers_the_outcome_is_unknown_and_the_bytes_stay(pair: Pair) -> None:
    letter = Letter()
    with repository_before(pair, silent) as fake:
        found, seconds = sent(pair, letter)

        assert found.codes == ["XDSRepositoryError"]
        assert "outcome is unknown" in found.contexts[0]
        assert 1.5 < seconds < 4
        assert stored(pair, letter.entry.unique_id or "") == [True]

        fake.respond = passing_on(pair.registry.url)
        assert sent(pair, letter)[0].registry_status == "Success"
        assert is_whole_or_nowhere(pair.services, letter)


def test_n2_a_document_in_doubt_is_swept_once_the_registry_says_that_it_has_none(pair: Pair) -> None:
    letter = Letter()
    with repository_before(pair, silent) as fake:
        assert sent(pair, letter)[0].codes == ["XDSRepositoryError"]

        fake.respond = passing_on(pair.registry.url)

        assert until(lambda: stored(pair, letter.entry.unique_id or "") == [])
        assert pair.services.everything(letter.entry.patient_id or "") == []


def answering(body: str | bytes, status: int = 200, kind: str = "application/soap+xml; charset=UTF-8") -> Respond:
    data = body.encode() if isinstance(body, str) else body
    return lambda handler, _: send(handler, data, status, kind)


def closing(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.close_connection = True


def cut_short(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/soap+xml")
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b"<s:Envelope")
    handler.close_connection = True


def endless(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/soap+xml")
    handler.send_header("Content-Length", str(1 << 30))
    handler.end_headers()
    for _ in range(1 << 12):
        handler.wfile.write(b" " * (1 << 18))


def no_http(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(b"220 smtp.example ESMTP\r\n")
    handler.close_connection = True


NONSENSE: Final[dict[str, Respond]] = {
    "HTTP 500": answering("broken", 500, "text/plain"),
    "HTTP 404": answering("<html>not here</html>", 404, "text/html"),
    "HTML": answering("<html><body>Welcome!</body></html>", 200, "text/html"),
    "nothing": answering(""),
    "no XML": answering("hello"),
    "no SOAP": answering("<x/>"),
    "another body": answering(envelope(ITI_42, b"<x/>")),
    "an unknown status": answering(envelope(ITI_42, RESPONSE.format("Maybe").encode())),
    "a DOCTYPE": answering(b"<!DOCTYPE x>" + envelope(ITI_42, RESPONSE.format(SUCCESS).encode())),
    "a fault": answering(
        envelope("x", b"<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code>"
                      b'<s:Reason><s:Text xml:lang="en">x</s:Text></s:Reason></s:Fault>'), 500,
    ),
    "the connection closed": closing,
    "an answer cut short": cut_short,
    "a GiB": endless,
    "no HTTP": no_http,
}  # fmt: skip


def resident(pair: Pair) -> int:
    """Bytes of memory of the repository's processes."""
    assert pair.repository.process is not None
    pids = descendants(pair.repository.process.pid)
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids]
    return sum(pages) * resource.getpagesize()


@pytest.mark.parametrize("kept", [False, True], ids=["first connection", "kept connection"])
def test_n3_when_the_registry_talks_nonsense_the_outcome_is_unknown_and_memory_is_bounded(
    pair: Pair, kept: bool
) -> None:
    with repository_before(pair, passing_on(pair.registry.url)) as fake:
        assert sent(pair, Letter())[0].registry_status == "Success"
        before = resident(pair)
        for name, respond in NONSENSE.items():
            letter = Letter()
            if kept:
                fake.respond = passing_on(pair.registry.url)
                assert sent(pair, Letter())[0].registry_status == "Success", name

            fake.respond = respond
            found, seconds = sent(pair, letter)
            lost = pair.services.retrieve(letter.entry.unique_id or "")

            assert (found.status, found.codes) == (200, ["XDSRepositoryError"]), (name, found.codes, found.fault)
            assert "outcome is unknown" in found.contexts[0], name
            assert lost.codes == ["XDSRepositoryError"], (name, lost.codes)
            assert "cannot be told now" in lost.contexts[0], (name, lost.contexts)
            assert seconds < 5, name
            fake.respond = passing_on(pair.registry.url)
            assert sent(pair, letter)[0].registry_status == "Success", name
            assert is_whole_or_nowhere(pair.services, letter), name
        assert resident(pair) - before < 60 * 1024 * 1024
    assert "Traceback" not in pair.repository.log.read_text()


def test_a_registry_that_says_failure_without_errors_is_believed(pair: Pair) -> None:
    failure = SUCCESS.replace("Success", "Failure")
    letter = Letter()
    with repository_before(pair, answering(envelope(ITI_42, RESPONSE.format(failure).encode()))):
        found, _ = sent(pair, letter)

    assert (found.registry_status, found.codes) == ("Failure", [])
    assert stored(pair, letter.entry.unique_id or "") == []


def test_warnings_of_the_registry_pass_through(pair: Pair) -> None:
    warning = (
        RESPONSE.format(SUCCESS)[:-2] + "><rs:RegistryErrorList><rs:RegistryError errorCode='XDSExtraMetadataNotSaved' "
        "codeContext='c' severity='urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning'/></rs:RegistryErrorList>"
        "</rs:RegistryResponse>"
    )
    with repository_before(pair, answering(envelope(ITI_42, warning.encode()))):
        found, _ = sent(pair, Letter())

    assert (found.registry_status, found.codes) == ("Success", ["XDSExtraMetadataNotSaved"])


def test_the_same_letter_sent_again_is_the_same_registration(pair: Pair) -> None:
    letter = Letter()
    with repository_before(pair, passing_on(pair.registry.url)) as fake:
        for _ in range(2):
            assert sent(pair, letter)[0].registry_status == "Success"

    asked: list[bytes] = [each for each in fake.received if ITI_42.action.encode() in each]
    names = {each.partition(b"MessageID>")[2].partition(b"<")[0] for each in asked}
    assert len(asked) == 2
    assert len(names) == 1
