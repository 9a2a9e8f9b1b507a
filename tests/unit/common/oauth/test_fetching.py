"""What is fetched from an issuer: bounded, and from no other place than was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from common.oauth import CannotTell
from common.oauth.fetching import fetcher

SEEN: list[tuple[str, str, str, bytes]] = []


class _Issuer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _answer(self, body: bytes) -> None:
        SEEN.append((self.command, self.path, self.headers.get("Authorization", ""), body))
        status, data = {
            "/good": (200, json.dumps({"a": 1}).encode()),
            "/moved": (302, b"{}"),
            "/gone": (404, b"{}"),
            "/text": (200, b"hello"),
            "/deep": (200, b"[" * 100_000),
            "/large": (200, b'"' + b"x" * 600_000 + b'"'),
        }[self.path]
        self.send_response(status)
        self.send_header("Location", "/good")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The address of one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Issuer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_json_is_fetched_and_a_form_is_sent_with_who_asks(issuer: str) -> None:
    SEEN.clear()
    fetch = fetcher(2, 2, ("client", "secret"))

    assert fetch(f"{issuer}/good", None) == {"a": 1}
    assert fetch(f"{issuer}/good", {"token": "t"}) == {"a": 1}

    assert SEEN[0] == ("GET", "/good", "", b"")
    assert (SEEN[1][0], SEEN[1][3]) == ("POST", b"token=t")
    assert SEEN[1][2].startswith("Basic ")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/moved", "answers 302"),
        ("/gone", "answers 404"),
        ("/text", "not answer with JSON"),
        ("/deep", "not answer with JSON"),
        ("/large", "more than is taken"),
    ],
)
def test_other_answers_tell_nothing(issuer: str, path: str, told: str) -> None:
    SEEN.clear()
    with pytest.raises(CannotTell, match=told):
        fetcher(2, 2)(f"{issuer}{path}", None)

    assert [each[1] for each in SEEN] == [path]


def test_an_issuer_that_is_away_tells_nothing() -> None:
    with pytest.raises(CannotTell, match="cannot be reached"):
        fetcher(0.2, 0.2)("http://127.0.0.1:1/x", None)
