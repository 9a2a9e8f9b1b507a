"""Services in the shape of production, as to who may, and whoever calls them.

Registry, Repository and cross-reference over mutual TLS, with lists of peers and of what was revoked; assertions are
required, and access is decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from common.access.names import role
from common.access.values import Right
from common.db import Database, open_database
from common.settings import load
from common.standard.transactions import ITI_44_ADD
from common.xua import Coded
from console import development_ca
from tests.access_cases import AccessCase
from tests.access_kit import a_county, an_agreement, keep
from tests.factories import a_code, a_document, a_patient_id, a_submission, a_uuid
from tests.outcomes import Ground
from tests.running import Pair, Running
from tests.secure import a_secure_pair
from tests.servers.process import free_ports
from tests.service.identity_kit import mrn
from tests.service.test_iti44_feed import message as feed_message
from tests.service.test_iti62_remove import named
from tests.service.test_mutual_tls import Pki
from tests.wire import Services, envelope
from tests.xua import AUDIENCE, Sts, security

LETTER = b"A letter."


@dataclass
class World:
    """The services, over mutual TLS, that want to know who asks; and what the callers bring along."""

    urls: Mapping[str, str]
    pki: Pki
    sts: Sts
    stranger: Pki
    database: Database
    pair: Pair

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


@contextmanager
def a_world(folder: Path, settings: Mapping[str, str]) -> Iterator[World]:
    """Running Registry, Repository and cross-reference, on stores of their own."""
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
            **settings,
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
            keep(database, "roles", *({"role": "SYSTEM^2.999.1", "right": right} for right in Right))
            keep(database, "users", {"user": f"sha256:{node}", "name": "A system", "kind": "system",
                                     "roles": "SYSTEM^2.999.1"})  # fmt: skip
            keep(database, "organisations", {"code": "ZG903", "name": "Westbeck Surgery", "care_setting": "gp"})
            yield World(urls, pki, sts, stranger, database, pair)
    finally:
        reference.kill()
        pair.stop()


def of_nobody(_: Sts) -> bytes:
    return b""


def of_a_doctor(sts: Sts) -> bytes:
    """Of somebody who may all that a user may: what is wrong is wrong for another reason."""
    return security(sts.sign())


def of_case(sts: Sts, case: AccessCase, patient_id: str, **more: str) -> bytes:
    """A right assertion of somebody as the case has them."""
    code, _, system = role(case.role).partition("^")
    purpose, _, scheme = case.purpose.partition("^")
    return security(
        sts.sign(
            organisation_id=f"urn:oid:2.16.840.1.113883.2.1.3.2.4.19.1:{case.organisation}",
            roles=(Coded(code, system),),
            purposes=(Coded(purpose, scheme),),
            patient_id=a_patient_id() if case.another_patient else patient_id,
            **more,
        )
    )
