"""A client that asks too often, or guesses who to be, is told to wait; others are answered (S14)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from common.standard.transactions import ITI_18
from tests.running import Pair, a_pair
from tests.wire import envelope, query_body
from tests.xua import Sts, security

HEADERS = {"Content-Type": "application/soap+xml; charset=UTF-8"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    sts = Sts(tmp_path_factory.mktemp("sts"))
    settings = {
        "REGISTRY_WORKERS": "2",
        "REGISTRY_MLLP_BIND": "off",
        "XUA": "optional",
        "XUA_ISSUERS": str(sts.file),
        "CLIENT_RATE": "1",
        "CLIENT_BURST": "60",
        "CLIENT_FAILURES": "10",
    }
    made = a_pair(tmp_path_factory.mktemp("data"), settings)
    made.registry.start()
    yield made
    made.stop()


def asked(pair: Pair, address: str, header: bytes = b"") -> requests.Response:
    """One query, on a connection of its own, from one of this machine's addresses."""
    message = envelope(ITI_18, query_body("GetDocuments", [("$XDSDocumentEntryUniqueId", "('2.999.1')")], leaf=False))
    with requests.Session() as session:
        session.trust_env = False
        adapter = requests.adapters.HTTPAdapter()
        adapter.poolmanager.connection_pool_kw["source_address"] = (address, 0)
        session.mount("http://", adapter)
        return session.post(
            pair.registry.url, message.replace(b"</s:Header>", header + b"</s:Header>"), headers=HEADERS, timeout=20
        )


def test_s14_who_guesses_is_not_listened_to_for_a_while(pair: Pair, tmp_path: Path) -> None:
    stranger = Sts(tmp_path).sign()
    statuses = [asked(pair, "127.0.0.2", security(stranger)).status_code for _ in range(25)]

    assert statuses[:11] == [400] * 11
    assert 429 in statuses[11:14]  # two workers that write at once may forget one
    refused = asked(pair, "127.0.0.2")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "has failed too often to say who asks: try again in" in refused.text
    assert asked(pair, "127.0.0.3").status_code == 200


def test_who_asks_more_often_than_allowed_is_told_when_to_come_back(pair: Pair) -> None:
    statuses = [asked(pair, "127.0.0.4").status_code for _ in range(90)]

    assert statuses[:60] == [200] * 60
    assert 429 in statuses[60:]
    assert asked(pair, "127.0.0.5").status_code == 200
    assert (
        b'portolan_refused_total{service="registry"}'
        in requests.get(pair.registry.url.replace("/registry", "/metrics"), timeout=20).content
    )


def test_every_answer_says_how_it_may_be_used(pair: Pair) -> None:
    for answer in (asked(pair, "127.0.0.6"), requests.get(pair.registry.url + "?wsdl", timeout=20)):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "Strict-Transport-Security" not in answer.headers
