"""What `portolan doctor` says where nodes and users are known: certificates, listeners, callers, access."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.db import open_database
from common.settings import Settings
from common.tls import Files, of_client, of_server
from console import development_ca
from console.doctor import audit, callers, certificates, identity, listening
from console.doctor.finding import Finding, Outcome
from registry.store import schema
from tests.access_kit import keep
from tests.service.test_mutual_tls import Pki
from tests.xua import Sts


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = Pki(tmp_path_factory.mktemp("pki"))
    for name, days in (("node", 60), ("soon", 5), ("late", -1), ("portal", 60)):
        made.issue(name, "127.0.0.1", days=days)
    return made


def settings(pki: Pki, name: str = "node", **more: Any) -> Settings:
    return Settings(tls_certificate=str(pki.folder / f"{name}.pem"), tls_trust=pki.ca, **more)


def line(pki: Pki, name: str) -> str:
    return f"sha256:{development_ca.fingerprint((pki.folder / f'{name}.pem').read_bytes())}\n"


def told(found: list[Finding], outcome: Outcome) -> str:
    """All that was found so."""
    assert [each for each in found if each.outcome is not Outcome.OK and not each.advice] == []
    return "\n".join(each.text for each in found if each.outcome is outcome)


@pytest.mark.parametrize(
    ("name", "outcome", "text"),
    [
        ("node", Outcome.OK, "ends in 60 days"),
        ("soon", Outcome.WARN, "ends in 5 days"),
        ("late", Outcome.FAIL, "ended 1 days ago"),
        ("none", Outcome.FAIL, "TLS cannot be served"),
    ],
)
def test_a_certificate_is_told_before_it_ends(pki: Pki, name: str, outcome: Outcome, text: str) -> None:
    assert text in told([*certificates.look(settings(pki, name))], outcome)


def test_feeds_certificate_of_their_own_is_looked_at_too(pki: Pki) -> None:
    found = [*certificates.look(settings(pki, mllp_tls_certificate=str(pki.folder / "soon.pem")))]

    assert told(found, Outcome.WARN) == "that in mllp_tls_certificate ends in 5 days"


def test_we_who_are_not_expected_ourselves_are_told(pki: Pki, tmp_path: Path) -> None:
    peers = tmp_path / "peers"
    peers.write_text(line(pki, "portal"))
    [warned] = [each for each in certificates.look(settings(pki, tls_peers=str(peers))) if each.outcome is Outcome.WARN]
    assert line(pki, "node").strip() in warned.advice

    peers.write_text("name:node\n")
    assert told([*certificates.look(settings(pki, tls_peers=str(peers)))], Outcome.WARN) == ""


@contextmanager
def a_listener(context: ssl.SSLContext | None, expected: bool = True) -> Iterator[tuple[str, int]]:
    """Whoever is not expected is hung up on, as our own listeners do."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                try:
                    with plain, context.wrap_socket(plain, server_side=True) if context else plain as secure:
                        if expected:
                            secure.settimeout(10)
                            secure.recv(1)
                            if isinstance(secure, ssl.SSLSocket):
                                secure.unwrap()
                except OSError:
                    continue

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield server.getsockname()
        finally:
            server.shutdown(socket.SHUT_RDWR)


def greeted(pki: Pki, address: tuple[str, int], caller: str) -> Finding:
    files = Files(certificate=str(pki.folder / f"{caller}.pem"), trust=pki.ca)
    made = of_client(files)
    assert made is not None
    return listening.look("x", "it", "there", address, "advice", made())


def serving(pki: Pki, name: str) -> ssl.SSLContext:
    made = of_server(Files(certificate=str(pki.folder / f"{name}.pem"), trust=pki.ca))
    assert made is not None
    return made()


@pytest.mark.parametrize(
    ("server", "caller", "expected", "outcome", "text"),
    [
        ("node", "portal", True, Outcome.OK, "accepts us over TLS"),
        ("soon", "portal", True, Outcome.WARN, "its certificate ends in 5 days"),
        ("late", "portal", True, Outcome.FAIL, "expired"),
        ("node", "late", True, Outcome.FAIL, "no TLS with it"),
        ("node", "portal", False, Outcome.FAIL, "does not expect our certificate"),
    ],
)
def test_a_listener_is_spoken_to_as_it_will_be(
    pki: Pki, server: str, caller: str, expected: bool, outcome: Outcome, text: str
) -> None:
    with a_listener(serving(pki, server), expected) as address:
        found = greeted(pki, address, caller)

    assert (found.outcome, text in found.text) == (outcome, True), found


def test_a_listener_without_tls_is_told_from_one_with_it(pki: Pki) -> None:
    with a_listener(None, expected=False) as address:
        assert greeted(pki, address, "portal").outcome is Outcome.FAIL
        assert listening.look("x", "it", "there", address, "advice").outcome is Outcome.OK


def test_a_listener_that_says_nothing_is_told(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = greeted(pki, server.getsockname(), "portal")
    assert (found.outcome, "answered nothing" in found.text) == (Outcome.WARN, True)


def test_audit_repository_and_the_registry_s_listener_are_called_over_tls(pki: Pki, tmp_path: Path) -> None:
    with a_listener(serving(pki, "node")) as (host, port):
        current = settings(
            pki,
            "portal",
            data=tmp_path,
            audit=True,
            audit_repositories=f"{host}:{port}",
            identity_database=f"sqlite:///{tmp_path}/none/identity.db",
            identity_forward=f"{host}:{port}",
        )
        assert "accepts us over TLS" in told([*audit.look(current)], Outcome.OK)
        (tmp_path / "none").mkdir()
        (tmp_path / "none" / "identity.db").touch()
        assert "accepts us over TLS" in told([*identity.look(current)], Outcome.OK)


def known(pki: Pki, tmp_path: Path, systems: str, **more: Any) -> Settings:
    """Settings with users and systems."""
    sts = Sts(tmp_path / "sts")
    (tmp_path / "systems").write_text(systems)
    return settings(
        pki, data=tmp_path, xua="required", xua_issuers=str(sts.file), xua_systems=str(tmp_path / "systems"), **more
    )


def test_an_issuer_s_certificate_is_told_before_it_ends(pki: Pki, tmp_path: Path) -> None:
    current = known(pki, tmp_path, line(pki, "node"))
    (tmp_path / "sts" / "sts.pem").write_bytes((pki.folder / "soon.pem").read_bytes())
    assert "ends in 5 days" in told([*callers.look(current)], Outcome.WARN)

    both = (pki.folder / "soon.pem").read_bytes() + (pki.folder / "node.pem").read_bytes()
    (tmp_path / "sts" / "sts.pem").write_bytes(both)
    assert "days" not in told([*callers.look(current)], Outcome.WARN)

    (tmp_path / "sts" / "sts.pem").write_bytes((pki.folder / "late.pem").read_bytes())
    assert "ended 1 days ago" in told([*callers.look(current)], Outcome.FAIL)

    (tmp_path / "sts" / "sts.pem").unlink()
    assert "sts.pem" in told([*callers.look(current)], Outcome.FAIL)


@pytest.mark.parametrize(
    ("systems", "outcome", "text"),
    [
        ("# nobody yet\n", Outcome.WARN, "lists nobody"),
        ("name:portal\n", Outcome.WARN, "does not list our own certificate"),
        ("name:node\n", Outcome.OK, "systems that act for themselves: 1"),
        ("node\n", Outcome.FAIL, "line 1 is neither"),
    ],
)
def test_systems_that_are_listed_for_nothing_are_told(
    pki: Pki, tmp_path: Path, systems: str, outcome: Outcome, text: str
) -> None:
    assert text in told([*callers.look(known(pki, tmp_path, systems))], outcome)


def test_access_that_is_on_for_nobody_is_told(pki: Pki, tmp_path: Path) -> None:
    current = known(pki, tmp_path, "name:node\n", access="on")
    with closing(open_database(current.database_url)) as opened:
        schema.upgrade(opened)
        assert "no role has any right" in told([*callers.look(current)], Outcome.WARN)

        keep(opened, "roles", {"role": "REPOSITORY^2.999.1", "right": "read"})
        assert "our own certificate is no user" in told([*callers.look(current)], Outcome.WARN)

        keep(opened, "users", {"user": "name:node", "name": "Here", "kind": "system", "roles": "REPOSITORY^2.999.1"})
        assert "access" not in {each.about for each in callers.look(current) if each.outcome is not Outcome.OK}


def test_access_is_looked_at_without_making_a_database_and_its_absence_is_told(pki: Pki, tmp_path: Path) -> None:
    current = known(pki, tmp_path, "name:node\n", access="on", access_policy=str(tmp_path / "policy.toml"))
    assert "the policy cannot be used" in told([*callers.look(current)], Outcome.FAIL)
    assert told([*callers.look(replace(current, access_policy=""))], Outcome.FAIL) == ""
    assert not (tmp_path / "registry.db").exists()
    without = replace(current, access_policy="", access="off")
    assert "whoever is let in may see" in told([*callers.look(without)], Outcome.WARN)
