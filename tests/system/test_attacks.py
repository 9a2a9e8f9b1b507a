"""Attacks on a whole deployment: how each is answered, and what it leaves in the audit trail.

It is docs/security/attacks.md, and is printed at the end of a run, too. Each request has a correlation id of its own,
by which its records are found; refused connections are found by the reason that their record gives.
"""

from __future__ import annotations

import json
import re
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from lxml import etree

from auditing.app import create_app
from auditing.search import Wanted
from auditing.store import searching
from common.audit.opening import open_auditor
from common.audit.segments import Destination, waiting
from common.client import DocumentConsumer, NotReached
from common.db import Database
from common.model import AssociationType
from common.observe import correlation
from common.settings import load
from common.standard.transactions import ITI_18, ITI_42, ITI_43, Transaction
from common.tls import of_client
from console.commands.token import public_set, signed
from tests.access_cases import CASES
from tests.access_kit import of_case as keep_case
from tests.assertions import BROKEN, WRAPPED, forged, saml
from tests.factories import a_document, a_folder, a_link, a_patient_id, a_submission, a_uuid, submit_objects
from tests.outcomes import SIMPLE, Ground, told, wrapped_header
from tests.pages import held
from tests.secure_world import World, a_world, of_case
from tests.servers.audit_repository import AuditRepository
from tests.servers.impostor import Impostor
from tests.unit.auditing.kit import a_trail
from tests.unit.common.oauth import test_verifying as tokens
from tests.wire import STATUS, Answer, Services, answer, envelope, mtom, query_body, retrieve_body
from tests.xua import DOCTOR, security

PAGE = Path(__file__).parents[2] / "docs" / "security" / "attacks.md"
ALLOWED = CASES[0]
_names = count(1)


@dataclass
class Scene:
    """A deployment, a practice with a relationship to one patient, and what is at hand for attacks."""

    world: World
    audit: AuditRepository
    ground: Ground
    trail: Database
    face: FlaskClient
    portal: requests.Session = field(init=False)

    def __post_init__(self) -> None:
        """The portal that attacks come by, but for those by other certificates."""
        self.portal = self.world.session(self.world.pki.folder / "portal.pem")

    def header(self, **differs: Any) -> bytes:
        """Of a user who may see the patient's letters."""
        return of_case(self.world.sts, replace(ALLOWED, **differs), self.ground.patient_id)

    def send(
        self, transaction: Transaction, body: bytes, header: bytes, *, service: str = "registry", **headers: str
    ) -> tuple[str, Answer | None]:
        """A message, by the correlation id that it went under, and its answer."""
        name = f"{next(_names):032x}"
        message = envelope(transaction, body, header=header)
        kind, data = mtom(message, {}) if transaction is ITI_43 else (SIMPLE, message)
        named = {"Content-Type": kind, "X-Correlation-Id": name, **headers}
        return name, answer(self.portal.post(self.world.urls[service], data=data, headers=named, timeout=60))

    def find(self, header: bytes, **headers: str) -> tuple[str, Answer | None]:
        """FindDocuments of the patient."""
        slots = [("$XDSDocumentEntryPatientId", f"'{self.ground.patient_id}'"),
                 ("$XDSDocumentEntryStatus", f"('{STATUS}Approved')")]  # fmt: skip
        return self.send(ITI_18, query_body("FindDocuments", slots, leaf=False), header, **headers)


Came = tuple[str, str]
"""How an attack was answered, and by what its records are found: a correlation id, or a reason after ``~``."""


def of_connection(session: requests.Session, scene: Scene, reason: str) -> Came:
    try:
        session.post(scene.world.urls["registry"], data=b"", timeout=20)
    except requests.exceptions.ConnectionError:
        return "TLS alert", f"~{reason}"
    return "let in", f"~{reason}"


def connections(scene: Scene) -> Iterator[tuple[str, str, Came]]:
    world, folder = scene.world, scene.world.pki.folder
    for what, place, reason in (
        ("no client certificate", None, "gave no certificate"),
        ("a certificate of an authority that is not trusted", world.stranger.folder / "portal.pem", "not trusted"),
        ("an expired certificate", folder / "expired.pem", "has expired"),
        ("a revoked certificate", folder / "revoked.pem", "was revoked"),
        ("a certificate that is trusted, and not expected", folder / "unexpected.pem", "not on the list"),
    ):
        with world.session(place) as session:
            yield "S1", what, of_connection(session, scene, reason)
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(world.urls["registry"].replace("https", "http"), timeout=20)
    yield "S3", "plain HTTP", ("closed", "~plain HTTP")


def neighbours(scene: Scene) -> Iterator[tuple[str, str, Came]]:
    """Somebody answers in the Registry's place: a query is asked there as the command line asks it."""
    world, folder = scene.world, scene.world.pki.folder
    world.pki.issue("elsewhere", "elsewhere.example")
    settings = load(world.pair.registry.environment)
    auditor, tls = open_auditor(settings, "command-line", brief=True), of_client(settings.tls_files)
    for what, place in (
        ("a certificate of an authority that is not trusted", world.stranger.folder / "portal.pem"),
        ("an expired certificate", folder / "expired.pem"),
        ("a revoked certificate", folder / "revoked.pem"),
        ("a certificate of another name", folder / "elsewhere.pem"),
    ):
        name, came = f"{next(_names):032x}", "answered"
        with (
            closing(Impostor(place)) as impostor,
            DocumentConsumer(impostor.url, {}, connect_timeout=20, tls=tls, audit=auditor) as consumer,
            correlation.bind(name),
        ):
            try:
                consumer.find(scene.ground.patient_id)
            except NotReached:
                came = f"not a byte sent over {impostor.connections} connection"
        assert not impostor.heard
        yield "S2", f"a neighbour with {what}", (came, name)
    assert auditor is not None
    auditor.close()


def bearers(scene: Scene) -> Iterator[tuple[str, str, Came]]:
    """At the face by which the trail is read (ITI-81); each by an address of its own, as of one more is left out."""
    now = time.time()
    good = tokens.claims(iat=now, exp=now + 300)
    made = {
        "no token": "",
        "a token with the algorithm none": f"{tokens.part({'alg': 'none'})}.{tokens.part(good)}.",
        "a token: HMAC with the issuer's public key for its secret": tokens.hmac_with_the_public_key(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        ),
        "a token of another key, by the right one's name": signed(good, tokens.OTHER, kid=tokens.OURS[0].thumbprint()),
        "a token of another key, with the address of that": signed(good, tokens.OTHER, jku="https://evil.example/keys"),
        "a token that brings its own key": signed(good, tokens.OTHER, jwk=tokens.OTHER[0].as_dict(private=False)),
        "a token of another issuer": signed({**good, "iss": "https://evil.example"}, tokens.OURS),
        "a token for another service": signed({**good, "aud": "https://other.example"}, tokens.OURS),
        "a token that has expired": signed({**good, "iat": now - 900, "exp": now - 600}, tokens.OURS),
        "a token that lives for a day": signed({**good, "exp": now + 86_400}, tokens.OURS),
        "a token without the scope": signed({**good, "scope": "other"}, tokens.OURS),
    }
    for number, (what, token) in enumerate(made.items(), 1):
        address = f"198.51.100.{number}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        asked = {"headers": headers, "environ_overrides": {"REMOTE_ADDR": address}}
        answer = scene.face.get("/audit/AuditEvent?date=ge2026-01-01", **asked)
        error = re.search(r'error="(\w+)"', answer.headers.get("WWW-Authenticate", ""))
        yield "S9", what, (f"{answer.status_code} {error[1] if error else 'Bearer'}", f"@{address}")


def outcome(sent: tuple[str, Answer | None]) -> Came:
    return told(sent[1]), sent[0]


def identities(scene: Scene) -> Iterator[tuple[str, str, Came]]:
    sts = scene.world.sts
    forged_proxy = {"X-Client-Cert": "-----BEGIN CERTIFICATE----- MIIB -----END CERTIFICATE-----"}
    yield "S3", "a proxy's header, and no assertion", outcome(scene.find(b"", **forged_proxy))
    yield "S4", "no assertion", outcome(scene.find(b""))
    for broken in BROKEN:
        row = "S7" if broken.what in ALGORITHMS else "S8" if broken.what in CONDITIONS else "S4"
        yield row, f"an assertion: {broken.what}", outcome(scene.find(security(broken.make(sts))))
    for what, wrap in WRAPPED.items():
        real = sts.sign()
        yield "S5", what, outcome(scene.find(wrapped_header(wrap(real, forged(real))[0])))
    name = sts.sign(user="admin@nowhere.example.attacker.example", roles=())
    subject = name.find(f".//{saml('NameID')}")
    cut = etree.Comment(" ")
    cut.tail, subject.text = ".attacker.example", "admin@nowhere.example"
    subject.append(cut)
    # Its signature holds, since comments are not signed: the whole name is read, who has no role here.
    yield "S6", "a name that a comment would cut short", outcome(scene.find(security(name)))
    used = security(sts.sign())
    scene.find(used)
    with scene.world.system as thief:
        honest, scene.portal = scene.portal, thief
        yield "S8", "an assertion that another partner has used", outcome(scene.find(used))
        scene.portal = honest
    same = sts.sign()
    scene.find(security(same))
    other = sts.sign(user="555000000666", change=lambda made: made.set("ID", same.get("ID")))
    yield "S8", "another assertion under a used ID", outcome(scene.find(security(other)))


ALGORITHMS = ("RSA with SHA-1", "SHA-1 for its digest", "an algorithm called none", "an XSLT transform",
              "HMAC with the issuer's public key for its secret", "a signature over the whole message")  # fmt: skip
CONDITIONS = ("expired", "not valid yet", "valid for two days", "meant for another service", "meant for nobody",
              "of a session that is over")  # fmt: skip


def by_name(unique_id: str) -> bytes:
    return query_body("GetDocuments", [("$XDSDocumentEntryUniqueId", f"('{unique_id}')")], leaf=True)


def records(scene: Scene) -> Iterator[tuple[str, str, Came]]:
    """What is somebody's, or sealed, asked for by who may not see it."""
    sealed = scene.world.ground("V")
    keep_case(scene.world.database, ALLOWED, sealed.patient_id)
    user = of_case(scene.world.sts, ALLOWED, sealed.patient_id)
    letter = sealed.letters[0].unique_id or ""
    mine, scene.ground = scene.ground, sealed
    yield "S10", "a sealed document in a list", outcome(scene.find(user))
    scene.ground = mine
    yield "S10", "a sealed document by its id", outcome(scene.send(ITI_18, by_name(letter), user))
    body = retrieve_body([letter], sealed.repository_id)
    yield "S10", "a sealed document's content", outcome(scene.send(ITI_43, body, user, service="repository"))
    strange, links = strangers(scene)
    user = of_case(scene.world.sts, ALLOWED, strange.patient_id)
    for what, name, slot, value in (
        ("a document's id", "GetDocuments", "$XDSDocumentEntryUniqueId", strange.letters[0].unique_id or ""),
        ("a folder's id", "GetFolders", "$XDSFolderEntryUUID", links["folder"]),
        ("an association's end", "GetAssociations", "$uuid", links["folder"]),
        ("a submission set's id", "GetSubmissionSetAndContents", "$XDSSubmissionSetEntryUUID", strange.whole[0]),
    ):
        asked = f"('{value}')" if name != "GetSubmissionSetAndContents" else f"'{value}'"
        sent = scene.send(ITI_18, query_body(name, [(slot, asked)], leaf=False), user)
        yield "S11", f"{what}, guessed, of a patient without a relationship", outcome(sent)
    body = retrieve_body([strange.letters[0].unique_id or ""], strange.repository_id)
    yield "S11", "content, guessed, of the same", outcome(scene.send(ITI_43, body, user, service="repository"))


def strangers(scene: Scene) -> tuple[Ground, Mapping[str, str]]:
    """A patient with whom nobody here has a relationship, with a letter in a Folder."""
    ground = scene.world.ground()
    entry = a_document(entry_uuid=a_uuid(), patient_id=ground.patient_id)
    folder = a_folder(entry_uuid=a_uuid(), patient_id=ground.patient_id)
    services = Services(scene.world.urls["registry"], "", session=scene.world.system)
    kept = services.register(a_submission(entry, folder, a_link(AssociationType.HAS_MEMBER, folder, entry)))
    assert kept.registry_status == "Success", kept.contexts
    return ground, {"folder": folder.entry_uuid}


def submissions(scene: Scene) -> Iterator[tuple[str, str, Came]]:
    honest, scene.portal = scene.portal, scene.world.system
    mixed = a_submission(a_document(entry_uuid=a_uuid(), patient_id=scene.ground.patient_id))
    mixed.entries[0].patient_id = a_patient_id()
    yield "S12", "two patients in one submission", outcome(scene.send(ITI_42, submit_objects(mixed), b""))
    wrong = scene.ground.patient_id.replace(scene.ground.patient_id[9], str((int(scene.ground.patient_id[9]) + 1) % 10))
    bad = a_submission(a_document(entry_uuid=a_uuid(), patient_id=f"{scene.ground.patient_id[:9]}{wrong[9:]}"))
    yield "S13", "an NHS Number with a wrong check digit", outcome(scene.send(ITI_42, submit_objects(bad), b""))
    scene.portal = honest


def guesses(scene: Scene) -> Iterator[tuple[str, str, Came]]:
    stranger = deepcopy(DOCTOR)
    last = scene.find(security(forged(scene.world.sts.sign(stranger))))
    for _ in range(400):
        last = scene.find(security(forged(scene.world.sts.sign(stranger))))
        if told(last[1]).startswith("429"):
            break
    # Each guess before is on record; that somebody is not listened to is once a minute, with how often.
    yield "S14", "guessing who to be, again and again", (told(last[1]), "~has failed too often to say who asks")


def short(record: etree._Element) -> str:
    """A record in a few words: the event, what kind, how it ended, and by which rule."""
    event = record[0]
    kinds = [each.get("originalText", "") for each in event if each.tag in ("EventID", "EventTypeCode")]
    said = re.sub(
        r"sha256:[0-9a-f]+|\[[0-9a-f]{32}\]|\d{4,}|(?<=again in )\d+",
        "…",
        event.findtext("EventOutcomeDescription", ""),
    )
    rules = {
        b64decode(each.get("value", "")).decode()
        for each in record.iterfind("ParticipantObjectIdentification/ParticipantObjectDetail")
        if each.get("type") == "Access Rule"
    }
    ended = event.get("EventOutcomeIndicator")
    told = (f"by the rule {rule}" for rule in sorted(rules))
    return ", ".join(filter(None, (*kinds, f"outcome {ended}", *told, said[:90])))


def details(record: etree._Element) -> Mapping[str, str]:
    found = record.iterfind("ParticipantObjectIdentification/ParticipantObjectDetail")
    return {each.get("type", ""): b64decode(each.get("value", "")).decode() for each in found}


def left(found: list[etree._Element], key: str) -> list[str]:
    """What an attack left, each record once."""
    if key.startswith("@"):
        mine = [each for each in found if any(at.get("NetworkAccessPointID") == key[1:] for at in each)]
    elif key.startswith("~"):
        mine = [each for each in found if key[1:] in each[0].findtext("EventOutcomeDescription", "")][:1]
    else:
        mine = [each for each in found if details(each).get("Correlation") == key]
    return sorted(set(map(short, mine)))


ALL = (connections, neighbours, identities, bearers, records, submissions, guesses)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("attacks")
    audit = AuditRepository(folder / "audit")
    audit.start()
    settings = {"AUDIT": "true", "AUDIT_REPOSITORIES": audit.address, "AUDIT_PLAIN": "true", "CLIENT_FAILURES": "150"}
    with a_world(folder, settings) as world:
        ground = world.ground()
        keep_case(world.database, ALLOWED, ground.patient_id)
        with closing(a_trail(f"sqlite:///{folder}/trail.db")) as trail:
            yield Scene(world, audit, ground, trail, a_face(folder, trail))
    audit.kill()


def a_face(folder: Path, trail: Database) -> FlaskClient:
    """Of an audit record repository, for bearers of the right tokens."""
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(public_set(tokens.OURS)))
    told = {"DATA": folder, "OAUTH": "required", "OAUTH_ISSUER": tokens.ISSUER, "OAUTH_JWKS": keys,
            "AUDIT_REPOSITORY_URL": tokens.URL}  # fmt: skip
    settings = load({f"PORTOLAN_{name}": str(value) for name, value in told.items()})
    return create_app(settings, trail).test_client()


def of_trail(trail: Database) -> list[etree._Element]:
    """The AuditMessages that it has of itself."""
    with trail.read() as work:
        found = searching.page(work, Wanted(), most=1000)
    return [etree.fromstring(each.raw.partition(b" - ")[2]) for each in found]


def test_each_attack_is_refused_and_on_record(scene: Scene, record_property: Callable[[str, object], None]) -> None:
    made = [attack for attacks in ALL for attack in attacks(scene)]
    spool = scene.world.pair.registry.log.parent / "audit"
    until = time.monotonic() + 30
    while waiting(spool, Destination("127.0.0.1", scene.audit.port)).records and time.monotonic() < until:
        time.sleep(0.2)
    found = [*scene.audit.records(), *of_trail(scene.trail)]

    lines = ["| row | attack | answer | audit record |", "|---|---|---|---|"]
    for row, what, (came, key) in made:
        kept = left(found, key)
        assert kept, f"{row} {what}: {came}, and no record"
        assert not re.search(r"Success, \d", came), f"{row} {what}: {came}"
        lines.append(f"| {row} | {what} | {came} | {'<br>'.join(kept)} |")
    printed = "\n" + "\n".join(lines) + "\n"
    record_property("table", printed)
    held(PAGE, printed)


def test_who_breaks_the_glass_is_on_record_with_the_reason(scene: Scene) -> None:
    """Of a patient without a relationship; it is no attack, but has to be found by who looks for one."""
    patient = scene.world.ground()
    broken = next(case for case in CASES if case.rule == "emergency")
    # By another partner's certificate: who guessed in the test before is not listened to for a while.
    scene.world.pki.issue("portal-2", "portal")
    with scene.world.session(scene.world.pki.folder / "portal-2.pem") as portal:
        scene.portal, scene.ground = portal, patient
        header = of_case(scene.world.sts, broken, patient.patient_id, reason="found unconscious")
        name, came = scene.find(header)
    assert came is not None
    assert len(came.ids()) == 5

    until, found = time.monotonic() + 20, list[etree._Element]()
    while len(found) < 2 and time.monotonic() < until:
        time.sleep(0.2)
        found = [each for each in scene.audit.records() if details(each).get("Correlation") == name]
    assert {details(each).get("Emergency Reason") for each in found} == {f"{broken.purpose}: found unconscious"}
    assert any(code.get("csd-code") == "110127" for each in found for code in each[0].iter("EventTypeCode"))


def test_s15_no_log_names_a_patient(scene: Scene) -> None:
    numbers = re.compile(r"\b999\d{7}\b")
    for place in scene.world.pair.registry.log.parent.glob("*.log"):
        assert not numbers.search(place.read_text()), place.name
