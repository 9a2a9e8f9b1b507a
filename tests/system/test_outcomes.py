"""The outcome matrix: each transaction, asked by each kind of caller. It is docs/security/outcomes.md.

`PORTOLAN_WRITE_PAGES=1` writes the page anew; otherwise it has to be what was seen.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from common.access.names import role
from common.db import Database, open_database
from common.settings import load
from common.standard.transactions import ITI_44_ADD
from common.xua import Coded
from console import development_ca
from tests.access_cases import CASES, HIDDEN, AccessCase
from tests.access_kit import a_county, an_agreement, keep
from tests.access_kit import of_case as keep_case
from tests.assertions import BROKEN, WRAPPED, forged
from tests.factories import a_code, a_document, a_patient_id, a_submission, a_uuid
from tests.outcomes import ASKS, Ground, sent, table, told, wrapped_header
from tests.running import Running
from tests.secure import a_secure_pair
from tests.servers.process import free_ports
from tests.service.identity_kit import mrn
from tests.service.test_iti44_feed import message as feed_message
from tests.service.test_iti62_remove import named
from tests.service.test_mutual_tls import Pki
from tests.wire import Services, envelope
from tests.xua import AUDIENCE, Sts, security

LETTER = b"A letter."
PAGE = Path(__file__).parents[2] / "docs" / "security" / "outcomes.md"
Header = Callable[[Sts], bytes]


@dataclass
class World:
    """The services, over mutual TLS, that want to know who asks; and what the callers bring along."""

    urls: Mapping[str, str]
    pki: Pki
    sts: Sts
    stranger: Pki
    database: Database

    def session(self, certificate: Path | None) -> requests.Session:
        """Whoever has this certificate."""
        made = requests.Session()
        made.trust_env = False
        made.verify, made.cert = self.pki.ca, str(certificate) if certificate else None
        return made

    @property
    def system(self) -> requests.Session:
        """A system that acts for itself."""
        return self.session(self.pki.folder / "node.pem")

    def ground(self, confidentiality: str = "N") -> Ground:
        """A patient with letters, put there by a system."""
        patient = a_patient_id()
        codes = (a_code(confidentiality, "2.16.840.1.113883.5.25", "Confidentiality"),)
        services = Services(self.urls["registry"], self.urls["repository"], session=self.system)
        sums = {"hash": hashlib.sha1(LETTER).hexdigest(), "size": str(len(LETTER))}
        letters = [
            a_document(entry_uuid=a_uuid(), patient_id=patient, confidentiality_codes=codes, **sums) for _ in range(4)
        ]
        came = services.provide(a_submission(*letters), {letter.entry_uuid: LETTER for letter in letters})
        assert came.registry_status == "Success", came.contexts
        whole = named(a_submission(a_document(entry_uuid=a_uuid(), patient_id=patient, confidentiality_codes=codes)))
        assert services.register(whole).registry_status == "Success"
        fed = feed_message(ITI_44_ADD, patient, mrn())
        assert services.simple(self.urls["identity"], envelope(ITI_44_ADD, fed)).status == 200
        return Ground(patient, tuple(letters), tuple(each.entry_uuid for each in whole.objects()))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("outcomes")
    pki, sts, stranger = Pki(folder / "pki"), Sts(folder / "sts"), Pki(folder / "stranger")
    for name, days in (("node", 5), ("portal", 5), ("revoked", 5), ("expired", -1), ("unexpected", 5)):
        pki.issue(name, "127.0.0.1", days=days)
    pki.authority.revoke((pki.folder / "revoked.pem").read_bytes())
    stranger.issue("portal")
    node = development_ca.fingerprint((pki.folder / "node.pem").read_bytes())
    (folder / "systems").write_text(f"sha256:{node}\n")
    (folder / "peers").write_text(f"sha256:{node}\nname:portal\nname:revoked\nname:expired\n")
    identity, probe = free_ports(2)
    pair = a_secure_pair(
        folder / "data",
        pki,
        {
            "TLS_CRL": str(pki.folder / "crl.pem"),
            "TLS_PEERS": str(folder / "peers"),
            "XUA": "required",
            "XUA_ISSUERS": str(sts.file),
            "XUA_SYSTEMS": str(folder / "systems"),
            "XUA_AUDIENCES": AUDIENCE,
            "CLIENT_FAILURES": "0",
            "ACCESS": "on",
            "IDENTITY_BIND": f"127.0.0.1:{identity}",
            "IDENTITY_URL": f"https://127.0.0.1:{identity}/identity",
            "IDENTITY_PROBE_BIND": f"127.0.0.1:{probe}",
            "IDENTITY_WORKERS": "1",
        },
    )
    reference = Running("identity", identity, pair.registry.environment, folder / "data" / "identity.log")
    try:
        pair.start()
        reference.start()
        urls = {each.name: each.url for each in (pair.registry, pair.repository, reference)}
        with closing(open_database(load(pair.registry.environment).database_url)) as database:
            a_county(database)
            an_agreement(database)
            rights = (
                "search",
                "read",
                "submit",
                "update",
                "remove",
                "feed",
                "judge",
                "any-patient",
                "restricted",
                "sealed",
            )
            keep(database, "roles", *({"role": "SYSTEM^2.999.1", "right": right} for right in rights))
            keep(database, "users", {"user": f"sha256:{node}", "name": "A system", "kind": "system",
                                     "roles": "SYSTEM^2.999.1"})  # fmt: skip
            keep(database, "organisations", {"code": "ZG903", "name": "Westbeck Surgery", "care_setting": "gp"})
            yield World(urls, pki, sts, stranger, database)
    finally:
        reference.kill()
        pair.stop()


def of_nobody(_: Sts) -> bytes:
    return b""


def of_a_doctor(sts: Sts) -> bytes:
    """Of somebody who may all that a user may: what is wrong is wrong for another reason."""
    return security(sts.sign())


def of_case(sts: Sts, case: AccessCase, patient_id: str) -> bytes:
    """A right assertion of somebody as the case has them."""
    code, _, system = role(case.role).partition("^")
    purpose, _, scheme = case.purpose.partition("^")
    return security(
        sts.sign(
            organisation_id=f"urn:oid:2.16.840.1.113883.2.1.3.2.4.19.1:{case.organisation}",
            roles=(Coded(code, system),),
            purposes=(Coded(purpose, scheme),),
            patient_id=a_patient_id() if case.another_patient else patient_id,
        )
    )


def row(world: World, ground: Ground, session: requests.Session, header: Header) -> list[str]:
    """What each transaction answers."""
    block = header(world.sts)
    return [told(sent(session, world.urls, ask, ground, block)) for ask in ASKS]


def certificates(world: World, ground: Ground) -> Iterator[tuple[str, list[str]]]:
    folder = world.pki.folder
    for what, place in (
        ("none", None),
        ("of an authority that is not trusted", world.stranger.folder / "portal.pem"),
        ("expired", folder / "expired.pem"),
        ("revoked", folder / "revoked.pem"),
        ("trusted, but not expected", folder / "unexpected.pem"),
    ):
        with world.session(place) as session:
            yield what, row(world, ground, session, of_a_doctor)


def wrapped(sts: Sts, wrap: Callable[[Any, Any], tuple[Any, Any]]) -> bytes:
    real = sts.sign()
    return wrapped_header(wrap(real, forged(real))[0])


def assertions(world: World, ground: Ground) -> Iterator[tuple[str, list[str]]]:
    with world.session(world.pki.folder / "portal.pem") as session:
        yield "none", row(world, ground, session, of_nobody)
        yield "a header without one", row(world, ground, session, lambda _: security())
        for broken in BROKEN:
            yield broken.what, row(world, ground, session, lambda sts, make=broken.make: security(make(sts)))  # type: ignore[misc]
        for what, wrap in WRAPPED.items():
            yield what, row(world, ground, session, lambda sts, wrap=wrap: wrapped(sts, wrap))  # type: ignore[misc]


def those_let_in(world: World) -> Iterator[tuple[str, list[str]]]:
    with world.session(world.pki.folder / "portal.pem") as portal, world.system as system:
        yield "a system that acts for itself", row(world, world.ground(), system, of_nobody)
        for case in CASES:
            alone = not case.agreement and case.search == HIDDEN
            somebody = replace(case, organisation="ZG903") if alone else case
            ground = world.ground(case.confidentiality)
            keep_case(world.database, somebody, ground.patient_id)
            header = of_case(world.sts, somebody, ground.patient_id)
            yield case.name, row(world, ground, portal, lambda _, header=header: header)  # type: ignore[misc]


def test_the_outcomes_of_each_transaction_are_as_the_page_says(world: World) -> None:
    ground = world.ground()
    columns = [ask.transaction.label for ask in ASKS]
    refused = list(certificates(world, ground)), list(assertions(world, ground))
    let_in = list(those_let_in(world))

    for what, cells in refused[0]:
        assert set(cells) == {"TLS alert"}, what
    for what, cells in refused[1]:
        assert all(cell.startswith("400 wsse:") for cell in cells), (what, cells)
    for broken, (_, cells) in zip(BROKEN, refused[1][2:], strict=False):
        assert set(cells) == {f"400 wsse:{broken.kind.subcode.local}"}, broken.what  # type: ignore[union-attr]
    told_of = {"Certificate": refused[0], "Assertion": refused[1], "Known, and allowed or not": let_in}
    held(PAGE, "".join(f"\n## {title}\n\n{table(columns, rows)}" for title, rows in told_of.items()))


def held(page: Path, printed: str) -> None:
    """What follows the line that says so is printed; it is as it was seen now, or is written anew."""
    mark = "<!-- printed -->\n"
    written, found, old = page.read_text().partition(mark)
    assert found
    if os.environ.get("PORTOLAN_WRITE_PAGES"):
        page.write_text(written + mark + printed)
    else:
        assert old == printed
