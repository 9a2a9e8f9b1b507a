"""A Registry that tells of a failure may have registered all the same: the bytes stay until that is known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from common.standard.transactions import ITI_42
from tests.running import Pair, a_pair
from tests.servers.fake_registry import FakeRegistry, Respond, passing_on, send
from tests.system.test_kills import Letter, is_whole_or_nowhere, stored, until
from tests.system.test_registry_away import RESPONSE, SUCCESS
from tests.wire import envelope

pytestmark = pytest.mark.system

FAILED = RESPONSE.format(SUCCESS.replace("Success", "Failure"))[:-2] + (
    "><rs:RegistryErrorList><rs:RegistryError errorCode='{}' codeContext='c' "
    "severity='urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error'/></rs:RegistryErrorList></rs:RegistryResponse>"
)


@contextmanager
def started(folder: Path, respond: Respond) -> Iterator[tuple[Pair, FakeRegistry]]:
    """A pair whose Repository has another Registry before the real one."""
    quick = {
        "CONNECT_TIMEOUT": "0.3s",
        "ANSWER_TIMEOUT": "1s",
        "SWEEP_AFTER": "2s",
        "SWEEP_EVERY": "0.2s",
        "REGISTRY_MLLP_BIND": "off",
    }
    pair = a_pair(folder, quick | {"REGISTRY_MLLP_BIND": "off"})
    pair.registry.start()
    with FakeRegistry(respond) as fake:
        pair.repository.start(PORTOLAN_REGISTRY_URL=fake.url)
        try:
            yield pair, fake
        finally:
            pair.stop()


def too_busy(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """As our own server and balancers refuse."""
    send(handler, b"busy: try again\n", 503, "text/plain")


def failed_after(pair_url: str, code: str) -> Respond:
    """Registers, and then tells of a failure: its database died while it told of the commit."""
    passes = passing_on(pair_url)

    def respond(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        class Deaf:
            """Takes the real answer, and says nothing."""

            headers = handler.headers

            def __getattr__(self, name: str) -> object:
                return (lambda *_: None) if name != "wfile" else self

        passes(Deaf(), data)  # type: ignore[arg-type]
        send(handler, envelope(ITI_42, FAILED.format(code).encode()))

    return respond


def test_d6_n8_bytes_stay_when_a_registry_fails_or_is_too_busy(tmp_path: Path) -> None:
    with started(tmp_path, too_busy) as (pair, fake):
        busy, broke, lost = Letter(), Letter(), Letter()

        told = busy.send(pair.services)
        assert told is not None
        assert told.codes == ["XDSRegistryBusy"]
        assert "send the same message again" in told.contexts[0]
        assert stored(pair, busy.entry.unique_id or "") == [True]

        for letter, code in ((broke, "XDSRegistryBusy"), (lost, "XDSRegistryError")):
            fake.respond = failed_after(pair.registry.url, code)
            told = letter.send(pair.services)
            assert told is not None
            assert told.codes == [code]
        fake.respond = passing_on(pair.registry.url)

        assert until(lambda: stored(pair, broke.entry.unique_id or "") == [False])
        assert is_whole_or_nowhere(pair.services, broke)
        assert is_whole_or_nowhere(pair.services, lost)
        assert until(lambda: stored(pair, busy.entry.unique_id or "") == [])
        again = busy.send(pair.services)
        assert again is not None
        assert again.registry_status == "Success"
