"""A proxy that ended TLS: its word counts, nobody else's does."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from common.settings import SettingsError, load
from common.tls import PEER, Allowed
from common.web.proxied import behind
from console import development_ca

PROXY = "10.1.2.3"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    authority = development_ca.create(tmp_path_factory.mktemp("pki"), 5)
    text = authority.issue("portal", ("portal.example", "10.9.9.9"), 5).pem.decode()
    return text[text.index("-----BEGIN CERTIFICATE") :]


def asked(pem: str, *, address: str = PROXY, allowed: Allowed | None = None, path: str = "/registry") -> Any:
    """The peer that the application sees; or the status and the sentence with which somebody is refused."""
    seen: list[Any] = []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert "HTTP_X_CLIENT_CERT" not in environ
        seen.append(environ.get(PEER))
        return []

    proxies = frozenset({ipaddress.ip_address(PROXY), ipaddress.ip_address("::1")})
    entrance = behind(application, proxies, "X-Client-Cert", allowed or Allowed(everybody=True))
    environ = {"REMOTE_ADDR": address, "PATH_INFO": path}
    if pem:
        environ["HTTP_X_CLIENT_CERT"] = pem
    said: list[str] = []
    body = b"".join(entrance(environ, lambda status, fields: said.append(status)))
    return seen[0] if seen else (said[0], body.decode())


def test_a_certificate_that_the_proxy_passes_on_is_the_peers(pem: str) -> None:
    one_line = " ".join(pem.split("\n"))
    found = [asked(form) for form in (quote(pem), one_line, one_line.replace("\n", "\t"))]

    assert found[0] == found[1] == found[2]
    assert found[0].fingerprint == development_ca.fingerprint(pem.encode())
    assert found[0].names == ("portal.example", "10.9.9.9", "portal")
    assert found[0].subject.startswith("CN=portal, O=")
    assert asked(quote(pem), address="::1") == found[0]


@pytest.mark.parametrize("address", ["10.1.2.4", "", "nonsense", "10.1.2.3.4"])
def test_nobody_else_is_believed_or_let_in(pem: str, address: str) -> None:
    status, told = asked(quote(pem), address=address)

    assert status == "403 Forbidden"
    assert told == "this address is reached by way of its proxy only\n"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("", "shown no certificate"),
        ("   ", "shown no certificate"),
        ("CN=portal", "no certificate"),
        (quote("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"), "no certificate"),
        ("é", "no certificate"),
        ("x" * 20_000, "too long"),
    ],
)
def test_what_is_no_certificate_is_nobody(header: str, told: str) -> None:
    status, said = asked(header)

    assert status == "403 Forbidden"
    assert told in said


def test_being_trusted_is_not_being_expected(pem: str) -> None:
    assert asked(quote(pem), allowed=Allowed.read(["name:portal.example"])).names
    status, told = asked(quote(pem), allowed=Allowed.read(["name:elsewhere.example"]))
    assert status == "403 Forbidden"
    assert "not on the list" in told


def test_watchers_of_the_machine_need_no_certificate() -> None:
    assert asked("", address="127.0.0.1", path="/ready") is None


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"TLS_PROXIES": "10.0.0.0/8"}, "a list of IP addresses"),
        ({"TLS_PROXIES": "10.1.2.3", "TLS_PROXY_HEADER": "a b"}, "letters, digits and dashes"),
        ({"TLS_PROXIES": "10.1.2.3", "TLS_CERTIFICATE": "a", "TLS_TRUST": "b"}, "ended by the proxy or here"),
        ({"TLS_PEERS": "a"}, "tls_trust or tls_proxies must be set too"),
        ({"TLS_CERTIFICATE": "a", "TLS_CRL": "b"}, "tls_trust must be set too"),
        ({"XUA": "required"}, "xua_issuers must be set too"),
    ],
)
def test_settings_that_do_not_go_together_are_told(more: dict[str, str], told: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=told):
        load({"PORTOLAN_DATA": str(tmp_path), **{f"PORTOLAN_{name}": value for name, value in more.items()}})
