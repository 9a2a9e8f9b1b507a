"""A Registry behind a haproxy that ends mutual TLS: the certificate that haproxy was shown is the caller's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.factories import a_patient_id
from tests.running import Pair, a_pair
from tests.secure import a_pki
from tests.servers.balancer import haproxy
from tests.servers.fixtures import do_without
from tests.servers.process import Child, Unavailable, accepts, free_port
from tests.service.test_mutual_tls import Pki
from tests.wire import Services

_CONFIGURATION = """\
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
listen registry
    bind 127.0.0.1:{port} ssl crt {pki}/proxy.pem ca-file {pki}/ca.pem crl-file {pki}/crl.pem verify required
    http-request set-header X-Client-Cert "-----BEGIN CERTIFICATE-----%[ssl_c_der,base64]-----END CERTIFICATE-----"
    server registry 127.0.0.1:{behind}
"""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = a_pki(tmp_path_factory.mktemp("pki") / "pki")
    made.issue("stranger")
    certificate = made.issue("proxy", "127.0.0.1").read_text()
    begin = certificate.index("-----BEGIN CERTIFICATE")
    (made.folder / "proxy.pem").write_text(certificate[begin:] + certificate[:begin])
    return made


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    data = tmp_path_factory.mktemp("data")
    (data / "peers").write_text("name:portal\n")
    made = a_pair(data, {"TLS_PROXIES": "127.0.0.1", "TLS_PEERS": str(data / "peers")})
    made.registry.start()
    yield made
    made.registry.stop()


@pytest.fixture(scope="module")
def proxy(pair: Pair, pki: Pki) -> Iterator[str]:
    """Its address."""
    path = haproxy()
    if path is None:
        do_without(Unavailable("haproxy is not installed"))
    child, port = Child("haproxy"), free_port()
    file = Path(child.folder) / "haproxy.cfg"
    file.write_text(_CONFIGURATION.format(port=port, pki=pki.folder, behind=pair.registry.port))
    child.start([str(path), "-db", "-f", str(file)], {})
    child.wait_until(lambda: accepts(port), "haproxy listens")
    yield f"https://127.0.0.1:{port}/registry"
    child.stop()


def caller(pair: Pair, proxy: str, pki: Pki, name: str) -> Services:
    """Somebody with one of the certificates."""
    made = Services(proxy, pair.repository.url)
    made.session.trust_env = False
    made.session.verify, made.session.cert = pki.ca, str(pki.folder / f"{name}.pem")
    return made


def test_who_is_expected_is_answered_by_way_of_the_proxy(pair: Pair, proxy: str, pki: Pki) -> None:
    assert caller(pair, proxy, pki, "portal").find(a_patient_id()).registry_status == "Success"


def test_who_is_trusted_and_not_expected_is_refused_by_the_service(pair: Pair, proxy: str, pki: Pki) -> None:
    session = caller(pair, proxy, pki, "stranger").session

    refused = session.get(f"{proxy}?wsdl", timeout=20)

    assert refused.status_code == 403
    assert "not on the list of those who may connect" in refused.text
    assert refused.text.strip() in pair.registry.log.read_text()


def test_a_header_of_the_callers_own_does_not_get_past_the_proxy(pair: Pair, proxy: str, pki: Pki) -> None:
    text = (pki.folder / "portal.pem").read_text()
    claimed = " ".join(text[text.index("-----BEGIN CERTIFICATE") :].split("\n"))
    session = caller(pair, proxy, pki, "stranger").session

    assert session.get(f"{proxy}?wsdl", headers={"X-Client-Cert": claimed}, timeout=20).status_code == 403


def test_past_the_proxy_nobody_is_known_but_the_machines_watchers_see(pair: Pair) -> None:
    refused = requests.get(f"{pair.registry.url}?wsdl", timeout=20)

    assert (refused.status_code, refused.text) == (403, "the proxy was shown no certificate\n")
    assert requests.get(pair.registry.url.replace("/registry", "/ready"), timeout=20).ok
