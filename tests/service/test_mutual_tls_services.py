"""Registry and Repository over mutual TLS: between each other, for the command line, for watchers, for nobody else."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.factories import a_document, a_patient_id, a_submission
from tests.running import ROOT, Pair
from tests.secure import CODES, a_pki, a_portal, a_secure_pair, run
from tests.servers.process import free_ports
from tests.service.test_mutual_tls import Pki
from tests.wire import Services


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return a_pki(tmp_path_factory.mktemp("pki") / "pki")


@pytest.fixture(scope="module")
def pair(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made = a_secure_pair(tmp_path_factory.mktemp("data"), pki, {"TLS_CRL": str(pki.folder / "crl.pem")})
    made.start()
    yield made
    made.stop()


@pytest.fixture
def portal(pair: Pair, pki: Pki) -> Services:
    return a_portal(pair, pki)


def test_a_letter_goes_in_and_comes_out(pair: Pair, portal: Services) -> None:
    letter = a_document(hash=None, size=None, patient_id=a_patient_id())

    assert portal.provide(a_submission(letter), {letter.entry_uuid: b"a letter"}).registry_status == "Success"

    assert len(portal.find(letter.patient_id or "").ids()) == 1
    assert portal.retrieve(letter.unique_id or "").documents() == {letter.unique_id: b"a letter"}


def test_the_command_line_speaks_it_too(pair: Pair, tmp_path: Path) -> None:
    place = tmp_path / "letter.pdf"
    place.write_bytes(b"%PDF-1.4 over TLS")
    patient = a_patient_id().partition("^")[0]

    run(pair, "submit", str(place), "--patient", patient, "--title", "Letter over TLS", *CODES)

    assert "Letter over TLS" in run(pair, "find", patient)
    assert "that of the registry ends in" in run(pair, "doctor", code=0)
    assert "the certificate was refused" in run(pair, "doctor", code=1, TLS_TRUST=str(ROOT / "tests" / "other-ca.pem"))


def test_nobody_without_a_certificate_gets_an_answer(pair: Pair, pki: Pki) -> None:
    for service in (pair.registry, pair.repository):
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{service.url}?wsdl", verify=pki.ca, timeout=20)
        until = time.monotonic() + 5
        while "gave no certificate" not in service.log.read_text() and time.monotonic() < until:
            time.sleep(0.05)
        assert "refused a TLS connection from 127.0.0.1: the other side gave no certificate" in service.log.read_text()


def test_watchers_see_what_is_theirs_without_tls_and_nothing_else(pair: Pair) -> None:
    for service in (pair.registry, pair.repository):
        probe = f"http://{service.environment[f'PORTOLAN_{service.name.upper()}_PROBE_BIND']}"
        assert requests.get(f"{probe}/ready", timeout=20).json()["ready"] is True
        assert "portolan_requests" in requests.get(f"{probe}/metrics", timeout=20).text
        assert requests.get(f"{probe}/{service.name}?wsdl", timeout=20).status_code == 404
        assert requests.post(f"{probe}/live", timeout=20).status_code == 404


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("TLS_CERTIFICATE", "/nowhere/node.pem", "No such file"),
        ("TLS_TRUST", os.devnull, "TLS cannot be served"),
        ("TLS_PEERS", __file__, "line 1 is neither sha256:HEX nor name:DNS-NAME"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start_with_a_sentence(
    pair: Pair, name: str, value: str, told: str
) -> None:
    port = free_ports(1)[0]

    elsewhere = {"REGISTRY_BIND": f"127.0.0.1:{port}", "REGISTRY_MLLP_BIND": "off", "REGISTRY_PROBE_BIND": "off"}
    said = run(pair, "serve", "registry", code=1, **elsewhere, **{name: value})

    assert told in said
    assert "Traceback" not in said
