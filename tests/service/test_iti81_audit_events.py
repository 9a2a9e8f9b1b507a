"""Retrieve ATNA Audit Event (ITI-81): who may ask, what is found, how it is told, and that it was asked is kept."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask.testing import FlaskClient
from lxml import etree

from auditing.admission import Admission
from auditing.app import CannotReceive, create_app, see_that_it_can_receive
from auditing.reading import read_event
from auditing.search import Wanted
from auditing.store import searching
from common.db import Database
from common.followed import Followed
from common.settings import Settings, load
from common.tls import PEER, Peer
from common.tls import listed as following
from common.web.bearer import Refused
from console.commands.token import public_set, signed, signing_with
from tests.unit.auditing.kit import OLD_FORM, a_patient, a_trail, an_event, fill, syslog

URL = "https://audit.northbeck.example/audit"
ISSUER = "https://idp.example"
SCOPE = "system/AuditEvent.rs"
KEY = signing_with(
    ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
)
MARCH = "date=ge2026-03-01&date=lt2026-04-01"
COUNT = 12


def _message(number: int) -> bytes:
    if number == COUNT - 2:
        return syslog(OLD_FORM, number)
    if number == COUNT - 1:
        return b"no record at all"
    patient = a_patient("9990001006" if number % 2 else "9990002002")
    at = f"2026-03-11T14:{number:02}:00.120Z"
    return syslog(an_event(patient=patient, at=at, outcome="8" if number == 3 else "0", purpose="1"), number)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A trail with records of two patients, one in the older form, and one that cannot be read."""
    made = a_trail(f"sqlite:///{tmp_path_factory.mktemp('trail') / 'trail.db'}")
    fill(made, COUNT, _message)
    yield made
    made.close()


def a_client(database: Database, folder: Path, **more: str) -> FlaskClient:
    """The face, as settings have it."""
    environ = {"DATA": str(folder), "AUDIT_REPOSITORY_URL": URL, **more}
    settings = load({f"PORTOLAN_{name}": value for name, value in environ.items()})
    return create_app(settings, database).test_client()


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    """Open to whoever is on this machine."""
    return a_client(database, tmp_path, AUDIT_REPOSITORY_OPEN="true")


@pytest.fixture
def guarded(database: Database, tmp_path: Path) -> FlaskClient:
    """For bearers of tokens, and for one system."""
    (tmp_path / "jwks.json").write_text(json.dumps(public_set(KEY)))
    (tmp_path / "readers").write_text("name:portal\n")
    return a_client(
        database,
        tmp_path,
        OAUTH="required",
        OAUTH_ISSUER=ISSUER,
        OAUTH_JWKS=str(tmp_path / "jwks.json"),
        AUDIT_REPOSITORY_READERS=str(tmp_path / "readers"),
        TLS_TRUST="ca.pem",
        TLS_CERTIFICATE="node.pem",
    )


def a_token(**more: Any) -> str:
    """One that counts."""
    now = time.time()
    told = {"iss": ISSUER, "sub": "555000000001", "aud": URL, "jti": str(now), "iat": now, "exp": now + 60}
    return signed({**told, "scope": SCOPE, "name": "P. Officer", **more}, KEY)


def ids(answer: Any) -> list[int]:
    """The records of a bundle."""
    return [int(each["resource"]["id"]) for each in answer.json.get("entry", [])]


def newest(database: Database) -> Any:
    """The last record of the trail."""
    with database.read() as work:
        return read_event(searching.page(work, Wanted(), most=1)[0].raw)


def test_a_record_is_an_audit_event(client: FlaskClient) -> None:
    told = client.get("/audit/AuditEvent/4").json

    assert told["resourceType"] == "AuditEvent"
    assert told["type"] == {
        "system": "http://dicom.nema.org/resources/ontology/DCM",
        "code": "110106",
        "display": "Export",
    }
    assert told["subtype"][0]["system"] == "urn:ihe:event-type-code"
    assert (told["action"], told["outcome"], told["outcomeDesc"]) == ("R", "8", "XDSDocumentUniqueIdError")
    assert told["recorded"] == "2026-03-11T14:03:00.120Z"
    assert told["purposeOfEvent"][0]["coding"][0]["code"] == "1"
    assert [each["requestor"] for each in told["agent"]] == [False, True, True]
    assert told["agent"][1]["network"] == {"address": "192.0.2.7", "type": "2"}
    assert told["agent"][2]["who"]["identifier"]["value"] == "555000000001"
    assert told["source"]["observer"]["identifier"]["value"] == "repository"
    patient, document = told["entity"]
    assert patient["what"]["identifier"] == {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/rfc-3881", "code": "2",
                             "display": "Patient Number"}]},
        "system": "urn:oid:2.16.840.1.113883.2.1.4.1",
        "value": "9990001006",
    }  # fmt: skip
    assert document["detail"][0]["type"] == "Repository Unique Id"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (MARCH, list(range(10, 0, -1))),
        ("date=2026-03-11T14:03", [4]),
        ("date=2026-03-11T14:03:00.120Z", [4]),
        ("date=gt2026-03-11T14:03&date=le2026-03-11T14:05", [6, 5]),
        ("date=2026", list(range(10, 0, -1))),
        ("date=lt2026-03-11", []),
        (f"{MARCH}&patient.identifier=9990001006", [10, 8, 6, 4, 2]),
        (f"{MARCH}&patient.identifier=urn:oid:2.16.840.1.113883.2.1.4.1|9990001006", [10, 8, 6, 4, 2]),
        (f"{MARCH}&patient.identifier=https://fhir.nhs.uk/Id/nhs-number|9990001006", [10, 8, 6, 4, 2]),
        (f"{MARCH}&patient.identifier=urn:oid:2.999|9990001006", []),
        (f"{MARCH}&patient.identifier=9990001006,9990002002", list(range(10, 0, -1))),
        (f"{MARCH}&outcome=8", [4]),
        (f"{MARCH}&outcome=4,8", [4]),
        (f"{MARCH}&action=C", []),
        (f"{MARCH}&type=http://dicom.nema.org/resources/ontology/DCM|110106&subtype=ITI-43&outcome=8", [4]),
        (f"{MARCH}&subtype=ITI-18", []),
        (f"{MARCH}&agent.identifier=555000000001&outcome=8", [4]),
        (f"{MARCH}&agent=nobody", []),
        (f"{MARCH}&entity.identifier=2.999.1.1&outcome=8", [4]),
        (f"{MARCH}&entity.identifier=9990001006&outcome=8", [4]),
        (f"{MARCH}&address=192.0.2.7&outcome=8", [4]),
        (f"{MARCH}&source=repository&outcome=8", [4]),
        (f"{MARCH}&entity-type=2&entity-role=3&outcome=8", [4]),
        (f"{MARCH}&entity-role=20", []),
    ],
)
def test_records_are_found(client: FlaskClient, query: str, found: list[int]) -> None:
    answer = client.get(f"/audit/AuditEvent?{query}")

    assert answer.status_code == 200, answer.json
    assert [each for each in ids(answer) if each < COUNT - 1] == found


def test_pages_follow_each_other_without_a_gap(client: FlaskClient) -> None:
    address, seen = f"/audit/AuditEvent?{MARCH}&source=repository&_count=3", []
    for _ in range(10):
        answer = client.get(address)
        seen.append(ids(answer))
        links = {each["relation"]: each["url"] for each in answer.json["link"]}
        assert links["self"].startswith(URL)
        if "next" not in links:
            break
        parts = urlsplit(links["next"])
        address = f"{parts.path}?{parts.query}"

    assert seen == [[10, 9, 8], [7, 6, 5], [4, 3, 2], [1]]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "patient.identifier=9990001006",
        "date=yesterday",
        "date=2026-02-30",
        "date=ne2026-03-01",
        "date=0000",
        "date=9999-12",
        f"{MARCH}&outcome=1",
        f"{MARCH}&_count=0",
        f"{MARCH}&_count=-1",
        f"{MARCH}&_count=x",
        f"{MARCH}&_cursor=x",
        f"{MARCH}&_sort=patient",
        f"{MARCH}&patient.name=x",
        f"{MARCH}&outcome:not=0",
        f"{MARCH}&source=",
        f"{MARCH}&source=a&source=b",
        f"{MARCH}&entity-type=%25",
        f"{MARCH}&agent=%00",
        f"{MARCH}&agent={'x' * 2000}",
        f"{MARCH}&agent={','.join('x' * 60)}",
        "&".join([MARCH] * 40),
    ],
)
def test_questions_that_cannot_be_answered_say_why(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/audit/AuditEvent?{query}")

    assert answer.status_code == 400
    assert answer.json["resourceType"] == "OperationOutcome"
    assert answer.json["issue"][0]["diagnostics"]
    assert answer.content_type.startswith("application/fhir+json")


def test_who_says_so_may_have_unknown_parameters_passed_over(client: FlaskClient) -> None:
    answer = client.get(f"/audit/AuditEvent?{MARCH}&x=1", headers={"Prefer": "handling=lenient"})

    assert answer.status_code == 200
    assert "x=1" not in answer.json["link"][0]["url"]


def test_a_search_by_post_finds_the_same(client: FlaskClient) -> None:
    form = {"date": "2026-03-11T14:03"}

    assert ids(client.post("/audit/AuditEvent/_search", data=form)) == [4]
    assert client.post("/audit/AuditEvent/_search", json=form).status_code == 400
    assert client.post("/audit/AuditEvent/_search", data={"agent": "x" * 100_000}).status_code in (400, 413)
    assert client.post("/audit/AuditEvent", data=form).status_code == 405


@pytest.mark.parametrize(
    ("query", "accept", "media"),
    [
        ("", "", "application/fhir+json"),
        ("", "*/*", "application/fhir+json"),
        ("", "application/fhir+xml", "application/fhir+xml"),
        ("&_format=xml", "application/fhir+json", "application/fhir+xml"),
        ("&_format=application/fhir+json", "application/fhir+xml", "application/fhir+json"),
        ("&_format=application/fhir%2Bxml", "", "application/fhir+xml"),
    ],
)
def test_answers_have_the_form_that_is_asked_for(client: FlaskClient, query: str, accept: str, media: str) -> None:
    answer = client.get(f"/audit/AuditEvent?{MARCH}&outcome=8{query}", headers={"Accept": accept})

    assert answer.content_type.startswith(media)
    if media.endswith("xml"):
        root = etree.fromstring(answer.data)
        names = {"f": "http://hl7.org/fhir"}
        assert root.xpath("string(//f:AuditEvent/f:outcomeDesc/@value)", namespaces=names) == "XDSDocumentUniqueIdError"
        assert root.xpath(
            "boolean(//f:entry/f:resource/f:AuditEvent/f:agent/f:requestor[@value='true'])", namespaces=names
        )


@pytest.mark.parametrize("query", ["&_format=turtle", "&_format=html"])
def test_other_forms_are_not_spoken(client: FlaskClient, query: str) -> None:
    assert client.get(f"/audit/AuditEvent?{MARCH}{query}").status_code == 406


def test_what_is_not_there_is_told_as_fhir_does(client: FlaskClient) -> None:
    for path in ("/audit/AuditEvent/999999", "/audit/AuditEvent/x", "/audit/AuditEvent/-1", "/audit/Patient"):
        answer = client.get(path)
        assert (answer.status_code, answer.json["resourceType"]) == (404, "OperationOutcome")


def test_what_cannot_be_read_is_told_to_be_there(client: FlaskClient) -> None:
    told = client.get(f"/audit/AuditEvent/{COUNT}").json

    assert told["type"]["code"] == "unreadable"
    assert "header" in told["outcomeDesc"]


def test_every_answer_tells_browsers_and_caches_to_keep_off(client: FlaskClient) -> None:
    for path in (f"/audit/AuditEvent?{MARCH}", "/audit/AuditEvent", "/audit/metadata", "/audit/x", "/live", "/nowhere"):
        headers = client.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_that_it_was_read_is_kept_before_it_is_shown(client: FlaskClient, database: Database) -> None:
    client.get(f"/audit/AuditEvent?{MARCH}&patient.identifier=9990001006")

    event = newest(database)
    assert (event.id.code, event.types[0].code, event.action, event.outcome) == ("110101", "ITI-81", "R", "0")
    assert [each.id for each in event.patients] == [a_patient()]
    assert b"patient.identifier=9990001006" in event.objects[-1].query
    assert event.participants[0].user_id == "anonymous at 127.0.0.1"


def test_the_capability_statement_names_what_there_is(client: FlaskClient, guarded: FlaskClient) -> None:
    told = client.get("/audit/metadata").json
    resource = told["rest"][0]["resource"][0]
    assert "security" not in told["rest"][0]
    assert {each["code"] for each in resource["interaction"]} == {"read", "search-type"}
    assert "date" in {each["name"] for each in resource["searchParam"]}

    told = guarded.get("/audit/metadata").json
    assert told["rest"][0]["security"]["service"][0]["coding"][0]["code"] == "IUA"


def ask(client: FlaskClient, token: str = "", **environ: Any) -> Any:
    """A question, of a bearer or of a system."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.get(f"/audit/AuditEvent?{MARCH}&outcome=8", headers=headers, environ_overrides=environ)


def test_a_bearer_of_the_right_token_reads_and_is_named(guarded: FlaskClient, database: Database) -> None:
    assert ids(ask(guarded, a_token())) == [4]

    who = newest(database).participants[0]
    assert (who.user_id, who.name, who.alternative) == (
        "555000000001", f"{URL}<555000000001@{ISSUER}>", "P. Officer",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("claims", "status", "error"),
    [
        (None, 401, ""),
        ({"exp": 1.0, "iat": 0.0}, 401, "invalid_token"),
        ({"aud": "https://other.example"}, 401, "invalid_token"),
        ({"scope": "other"}, 403, "insufficient_scope"),
    ],
)
def test_others_are_refused_and_told_how_it_is_done(
    guarded: FlaskClient, claims: dict[str, Any] | None, status: int, error: str
) -> None:
    token = "" if claims is None else a_token(**claims)
    answer = ask(guarded, token)

    assert answer.status_code == status
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer")
    assert (f'error="{error}"' in challenge) if error else ("error" not in challenge)
    assert answer.json["resourceType"] == "OperationOutcome"
    assert guarded.get(f"/audit/AuditEvent/4?access_token={token}").status_code == 401


def test_who_is_known_and_lacks_the_right_is_noted(guarded: FlaskClient, database: Database) -> None:
    ask(guarded, a_token(scope="other", sub="555000000077"))

    event = newest(database)
    assert (event.outcome, event.participants[0].user_id) == ("8", "555000000077")
    assert "lacks the scope" in event.description


def count(database: Database) -> int:
    """How many records the trail has."""
    with database.read() as work:
        return searching.page(work, Wanted(), most=1)[0].number


def test_who_is_not_known_is_noted_once_in_a_while(guarded: FlaskClient, database: Database) -> None:
    before = count(database)
    for number in range(20):
        assert ask(guarded, "a.b.c" if number % 2 else "", REMOTE_ADDR="192.0.2.44").status_code == 401
    assert ask(guarded, **{PEER: Peer("CN=sender", "c" * 64, ("sender",))}).status_code == 401

    assert count(database) == before + 2
    event = newest(database)
    assert (event.id.code, event.types[0].code, event.outcome) == ("110114", "110122", "8")
    assert (event.participants[0].user_id, event.participants[0].name) == ("anonymous", "CN=sender")
    with database.read() as work:
        event = read_event(searching.one(work, before + 1).raw)  # type: ignore[union-attr]
    assert event.description == "A bearer token is required."
    assert event.participants[0].network == "192.0.2.44"


def test_s14_who_guesses_at_tokens_or_asks_too_often_is_told_to_wait(database: Database, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text(json.dumps(public_set(KEY)))
    known = {"OAUTH": "required", "OAUTH_ISSUER": ISSUER, "OAUTH_JWKS": str(tmp_path / "jwks.json")}
    client = a_client(database, tmp_path, **known, CLIENT_FAILURES="5")
    statuses = [ask(client, "a.b.c", REMOTE_ADDR="192.0.2.45").status_code for _ in range(9)]

    assert statuses == [401] * 6 + [429] * 3
    before = count(database)
    answer = ask(client, a_token(), REMOTE_ADDR="192.0.2.45")
    assert (answer.status_code, answer.json["issue"][0]["code"]) == (429, "throttled")
    assert int(answer.headers["Retry-After"]) > 0
    assert ask(client, a_token(), REMOTE_ADDR="192.0.2.46").status_code == 200
    assert count(database) == before + 1, "of those who are not listened to one had been noted"
    with database.read() as work:
        event = read_event(searching.one(work, before).raw)  # type: ignore[union-attr]
    assert (event.id.code, event.outcome) == ("110113", "4")
    assert "failed too often" in event.description


def test_who_is_not_known_is_refused_where_that_cannot_be_noted(tmp_path: Path) -> None:
    made = a_trail(f"sqlite:///{tmp_path / 'trail.db'}")
    (tmp_path / "readers").write_text("name:portal\n")
    more = {"AUDIT_REPOSITORY_READERS": str(tmp_path / "readers"), "TLS_TRUST": "ca.pem", "TLS_CERTIFICATE": "n.pem"}
    client = a_client(made, tmp_path, **more)
    with closing(sqlite3.connect(tmp_path / "trail.db")) as connection:
        connection.execute("DROP TABLE arr_record")

    assert ask(client, REMOTE_ADDR="192.0.2.47").status_code == 403


def test_a_system_on_the_list_reads_and_one_that_only_sends_does_not(guarded: FlaskClient) -> None:
    assert ids(ask(guarded, **{PEER: Peer("CN=portal", "a" * 64, ("portal",))})) == [4]
    assert ask(guarded, **{PEER: Peer("CN=sender", "b" * 64, ("sender",))}).status_code == 401


def test_the_list_of_readers_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, place = [0.0], tmp_path / "readers"
    monkeypatch.setattr(following, "Followed", partial(Followed, now=lambda: clock[0]))
    place.write_text("name:portal\n")
    told = {"AUDIT_REPOSITORY_READERS": str(place), "TLS_TRUST": "ca.pem", "TLS_CERTIFICATE": "node.pem"}
    admission = Admission.as_set(load({f"PORTOLAN_{name}": value for name, value in told.items()}))
    portal, other = ({PEER: Peer(f"CN={name}", "a" * 64, (name,))} for name in ("portal", "other"))
    assert admission.admit(portal).user == "CN=portal"

    place.write_text("name:other\n")
    clock[0] += 2
    assert admission.admit(other).user == "CN=other"
    with pytest.raises(Refused):
        admission.admit(portal)
    place.unlink()
    clock[0] += 2
    assert admission.admit(other).user == "CN=other", "a file that is gone for a moment takes nobody out"


def test_with_nobody_who_may_read_there_is_nothing_to_read(database: Database, tmp_path: Path) -> None:
    client = a_client(database, tmp_path)

    assert client.get(f"/audit/AuditEvent?{MARCH}").status_code == 404
    assert client.get("/ready").status_code == 200


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "neither tls_certificate"),
        ({"tls_certificate": "x.pem", "audit_repository_bind": "192.0.2.1:6514"}, "tls_trust is not set"),
        ({"tls_certificate": "/nowhere/x.pem", "tls_trust": "/nowhere/ca.pem"}, "/nowhere/x.pem"),
        ({"audit_repository_plain": True, "audit_repository_key": "/nowhere/key"}, "/nowhere/key"),
    ],
)
def test_records_are_received_only_as_it_was_said(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(CannotReceive, match=told):
        see_that_it_can_receive(Settings(**settings))
