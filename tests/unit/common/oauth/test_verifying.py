"""Bearer tokens: what is refused, and why; and that nothing is ever fetched for a token's sake."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe

from common.caller import Coded
from common.oauth import (
    BadKeys,
    CannotTell,
    FileKeys,
    Introspection,
    IssuerKeys,
    NotAuthorised,
    Policy,
    Verifier,
)
from common.oauth.keys import read_keys
from console.commands.token import Signing, public_set, signed, signing_with

NOW: Final = 1_780_000_000.0
ISSUER: Final = "https://idp.example"
URL: Final = "https://audit.northbeck.example/audit"


def _pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


RSA_KEY: Final = rsa.generate_private_key(65537, 2048)
OURS: Final[Signing] = signing_with(_pem(RSA_KEY))
OTHER: Final[Signing] = signing_with(_pem(rsa.generate_private_key(65537, 2048)))


class Fixed:
    """Keys that are there."""

    def __init__(self, *signings: Signing) -> None:
        self.keys = read_keys({"keys": [row for each in signings for row in public_set(each)["keys"]]})
        self.asked: list[str] = []

    def find(self, kid: str) -> list[Any]:
        """Those of a name."""
        self.asked.append(kid)
        return [key for key in self.keys if not kid or key.kid == kid]


def a_verifier(*signings: Signing) -> Verifier:
    """One that takes tokens of our issuer."""
    return Verifier(Policy(ISSUER, frozenset((URL,))), Fixed(*(signings or (OURS,))))


def claims(**more: Any) -> dict[str, Any]:
    """Those of a good token; None leaves one out."""
    told = {
        "iss": ISSUER,
        "sub": "555000000001",
        "client_id": "portal",
        "aud": URL,
        "jti": "one",
        "iat": NOW - 10,
        "exp": NOW + 290,
        "scope": "system/AuditEvent.rs other",
        **more,
    }
    return {name: value for name, value in told.items() if value is not None}


def part(value: Any) -> str:
    """A part of a token."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_header(header: Mapping[str, Any] | bytes, body: Any = None, signature: bytes = b"x") -> str:
    """A token by hand."""
    return f"{part(header)}.{part(claims() if body is None else body)}.{part(signature)}"


def test_a_good_token_says_who_asks() -> None:
    iua = {
        "subject_name": "A. Nurse",
        "subject_organization": "Northbeck Trust",
        "subject_organization_id": "urn:oid:2.999.7",
        "subject_role": [{"code": "S8000", "system": "2.999.5", "display": "Nurse"}],
        "purpose_of_use": {"code": "TREAT", "system": "2.999.6"},
        "home_community_id": "urn:oid:2.999.1",
        "national_provider_identifier": "C1234567",
        "person_id": "uuid-1",
    }
    bppc = {"patient_id": "9990001006^^^&2.999&ISO", "doc_id": ["urn:oid:2.999.3"], "acp": "urn:oid:2.999.4"}
    found = a_verifier().verify(signed(claims(extensions={"ihe_iua": iua, "ihe_bppc": bppc}), OURS), NOW)

    caller = found.caller
    assert (caller.user, caller.issuer, caller.assertion_id, caller.until) == ("uuid-1", ISSUER, "one", NOW + 290)
    assert (caller.name, caller.organisation, caller.organisation_id) == (
        "A. Nurse",
        "Northbeck Trust",
        "urn:oid:2.999.7",
    )
    assert caller.roles == (Coded("S8000", "2.999.5", "Nurse"),)
    assert caller.purposes == (Coded("TREAT", "2.999.6"),)
    assert (caller.patient_id, caller.consents, caller.policies) == (
        "9990001006^^^&2.999&ISO",
        ("urn:oid:2.999.3",),
        ("urn:oid:2.999.4",),
    )
    assert (caller.home_community_id, caller.provider_id) == ("urn:oid:2.999.1", "C1234567")
    assert found.scopes == {"system/AuditEvent.rs", "other"}
    assert found.client == "portal"
    found.needs("other")
    with pytest.raises(NotAuthorised, match="lacks the scope") as refused:
        found.needs("system/*.write")
    assert refused.value.error == "insufficient_scope"


def test_of_a_users_roles_the_one_counts_that_they_work_in() -> None:
    roles = [
        {"person_roleid": "1", "org_code": "A99999", "role_code": "S8000:G8000:R8001", "role_name": '"Nurse"'},
        {"person_roleid": "2", "org_code": "B99999", "org_name": "Southbeck", "role_code": "S8000:G8001:R8003"},
    ]
    told = claims(nhsid_useruid="555000000009", nhsid_nrbac_roles=roles, selected_roleid="2")
    caller = a_verifier().verify(signed(told, OURS), NOW).caller

    assert caller.user == "555000000009"
    assert [role.code for role in caller.roles] == ["R8003"]
    assert (caller.organisation, caller.organisation_id.rpartition("|")[2]) == ("Southbeck", "B99999")
    unselected = claims(nhsid_nrbac_roles=roles)
    assert a_verifier().verify(signed(unselected, OURS), NOW).caller.roles == ()


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
)
def test_other_kinds_of_keys_are_taken(key: Any) -> None:
    signing = signing_with(_pem(key))

    assert a_verifier(OURS, signing).verify(signed(claims(), signing), NOW).caller.user == "555000000001"


BAD_CLAIMS: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    ("expired", {"exp": NOW - 61}, "expired"),
    ("not valid yet", {"nbf": NOW + 61}, "not valid yet"),
    ("issued later", {"iat": NOW + 61, "exp": NOW + 100}, "not valid yet"),
    ("lives too long", {"exp": NOW + 3600}, "lives longer"),
    ("no end", {"exp": None}, "does not say when"),
    ("no beginning", {"iat": None}, "does not say when"),
    ("end as text", {"exp": "9999999999"}, "no time"),
    ("end as truth", {"exp": True}, "no time"),
    ("endless", {"exp": 1e300}, "no time"),
    ("another issuer", {"iss": "https://idp.example.evil"}, "issuer is not trusted"),
    ("no issuer", {"iss": None}, "issuer is not trusted"),
    ("several issuers", {"iss": [ISSUER]}, "issuer is not trusted"),
    ("another audience", {"aud": "https://other.example"}, "not meant for this"),
    ("part of the audience", {"aud": URL[:-1]}, "not meant for this"),
    ("no audience", {"aud": None}, "not meant for this"),
    ("audience as object", {"aud": {"a": URL}}, "not meant for this"),
    ("no jti", {"jti": None}, "no jti"),
    ("no subject", {"sub": ""}, "no sub"),
    ("name with a line break", {"name": "a\nb"}, "values that are not taken"),
    ("long name", {"name": "a" * 8_000, "sub": "1"}, "too long"),
    ("name as object", {"name": {"a": "b"}}, "values that are not taken"),
    ("too many scopes", {"scope": " ".join(f"s{number}" for number in range(300))}, "more scopes"),
)


@pytest.mark.parametrize(("change", "told"), [each[1:] for each in BAD_CLAIMS], ids=[each[0] for each in BAD_CLAIMS])
def test_claims_that_do_not_count(change: dict[str, Any], told: str) -> None:
    with pytest.raises(NotAuthorised, match=told) as refused:
        a_verifier().verify(signed(claims(**change), OURS), NOW)

    assert refused.value.error == "invalid_token"


def hmac_with_the_public_key(encoding: Encoding, form: PublicFormat) -> str:
    """An HMAC whose secret everybody knows."""
    secret = RSA_KEY.public_key().public_bytes(encoding, form)
    body = f"{part({'alg': 'HS256', 'kid': OURS[0].thumbprint()})}.{part(claims())}"
    return f"{body}.{part(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"


def encrypted() -> str:
    """A signed token within an encrypted one."""
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT"}
    return jwe.encrypt_compact(header, signed(claims(), OURS), OURS[0], algorithms=["RSA-OAEP-256", "A256GCM"])


def resigned(header: Mapping[str, Any]) -> str:
    """With our own signature: only the header is wrong."""
    return signed(claims(), OURS, **header)


ATTACKS: Final[dict[str, Callable[[], str]]] = {
    "empty": lambda: "",
    "no token": lambda: "hello",
    "alg none": lambda: f"{part({'alg': 'none'})}.{part(claims())}.",
    "alg none with a signature": lambda: with_header({"alg": "none"}),
    "alg nOnE": lambda: with_header({"alg": "nOnE"}),
    "alg missing": lambda: with_header({"typ": "JWT"}),
    "alg as list": lambda: with_header({"alg": ["RS256"]}),
    "HS256 with the public key as PEM": lambda: hmac_with_the_public_key(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    ),
    "HS256 with the public key as DER": lambda: hmac_with_the_public_key(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    ),
    "ES256 by the RSA key's name": lambda: with_header({"alg": "ES256", "kid": OURS[0].thumbprint()}, None, b"x" * 64),
    "no signature": lambda: signed(claims(), OURS).rpartition(".")[0] + ".",
    "signature of another key": lambda: signed(claims(), OTHER, kid=OURS[0].thumbprint()),
    "another key by its own name": lambda: signed(claims(), OTHER),
    "another key's address (jku)": lambda: signed(claims(), OTHER, jku="https://evil.example/jwks.json"),
    "another key's certificate (x5u)": lambda: signed(claims(), OTHER, x5u="https://evil.example/cert.pem"),
    "the key itself (jwk)": lambda: signed(claims(), OTHER, jwk=OTHER[0].as_dict(private=False)),
    "kid as a path": lambda: signed(claims(), OTHER, kid="../../../dev/null"),
    "kid as SQL": lambda: signed(claims(), OTHER, kid="x' UNION SELECT 'key"),
    "kid as number": lambda: with_header({"alg": "RS256", "kid": 1}),
    "kid with NUL": lambda: with_header({"alg": "RS256", "kid": "a\x00b"}),
    "kid too long": lambda: with_header({"alg": "RS256", "kid": "a" * 300}),
    "other claims under the signature": lambda: ".".join(
        [signed(claims(), OURS).split(".")[0], part(claims(sub="admin")), signed(claims(), OURS).split(".")[2]]
    ),
    "crit": lambda: with_header({"alg": "RS256", "crit": ["b64"], "b64": False}),
    "zip": lambda: with_header({"alg": "RS256", "zip": "DEF"}),
    "nested": lambda: resigned({"cty": "JWT"}),
    "an identity token's type": lambda: resigned({"typ": "dpop+jwt"}),
    "encrypted": encrypted,
    "too long": lambda: signed(claims(more="x" * 9_000), OURS),
    "far too long": lambda: "a" * 10_000_000,
    "a claim twice": lambda: with_header({"alg": "RS256"}, b'{"sub":"a","sub":"b"}'),
    "a header twice": lambda: with_header(b'{"alg":"none","alg":"RS256"}'),
    "claims as list": lambda: with_header({"alg": "RS256"}, []),
    "claims that are no JSON": lambda: with_header({"alg": "RS256"}, b"{"),
    "NaN": lambda: with_header({"alg": "RS256"}, b'{"exp":NaN}'),
    "deep": lambda: with_header({"alg": "RS256"}, b'{"a":' + b"[" * 3_000 + b"]" * 3_000 + b"}"),
    "padding": lambda: with_header({"alg": "RS256"}) + "=",
    "four parts": lambda: with_header({"alg": "RS256"}) + ".a",
    "bits beyond the end": lambda: part({"alg": "RS256"})[:-1] + "B.e30.eA",
}


@pytest.mark.parametrize("made", ATTACKS.values(), ids=ATTACKS.keys())
def test_attacks_are_refused(made: Callable[[], str]) -> None:
    token = made()
    with pytest.raises(NotAuthorised) as refused:
        a_verifier().verify(token, NOW)

    assert refused.value.error == "invalid_token"
    assert "evil" not in refused.value.told


@given(st.text(max_size=200))
def test_garbage_is_refused(token: str) -> None:
    with pytest.raises(NotAuthorised):
        a_verifier().verify(token, NOW)


@given(st.integers(0, 2_000), st.integers(0, 7))
def test_a_token_with_any_bit_changed_is_refused_or_the_same(at: int, bit: int) -> None:
    token = bytearray(signed(claims(), OURS).encode())
    token[at % len(token)] ^= 1 << bit
    with pytest.raises(NotAuthorised):
        a_verifier().verify(token.decode("latin-1"), NOW)


def test_a_token_without_a_name_of_its_key_is_tried_with_all() -> None:
    key, algorithm = OURS
    from joserfc import jws

    token = jws.serialize_compact({"alg": algorithm}, json.dumps(claims()), key, algorithms=[algorithm])

    assert a_verifier(OTHER, OURS).verify(token, NOW).caller.user == "555000000001"


class Issuer:
    """Answers as an issuer does, and remembers what was asked."""

    def __init__(self, *signings: Signing) -> None:
        self.answers: dict[str, Any] = {
            "https://idp.example/meta": {"issuer": ISSUER, "jwks_uri": "https://idp.example/keys"},
            "https://idp.example/keys": {"keys": [row for each in signings for row in public_set(each)["keys"]]},
        }
        self.asked: list[str] = []

    def __call__(self, url: str, form: Mapping[str, str] | None) -> Any:
        """As ``Fetch``."""
        self.asked.append(url)
        if url not in self.answers:
            raise CannotTell("it is away")
        return self.answers[url]


def test_unknown_keys_are_fetched_once_a_minute_at_most() -> None:
    issuer, now = Issuer(OURS), [0.0]
    keys = IssuerKeys(ISSUER, "https://idp.example/meta", issuer, lambda: now[0])
    verifier = Verifier(Policy(ISSUER, frozenset((URL,))), keys)

    verifier.verify(signed(claims(), OURS), NOW)
    assert issuer.asked == ["https://idp.example/meta", "https://idp.example/keys"]
    for number in range(50):
        with pytest.raises(NotAuthorised):
            verifier.verify(signed(claims(), OTHER, kid=f"k{number}", jku="https://evil.example/keys"), NOW)
    assert len(issuer.asked) == 2

    issuer.answers["https://idp.example/keys"] = Issuer(OURS, OTHER).answers["https://idp.example/keys"]
    now[0] = 61.0
    verifier.verify(signed(claims(), OTHER), NOW)
    assert len(issuer.asked) == 4
    now[0] = 4000.0
    issuer.answers.clear()
    verifier.verify(signed(claims(), OURS), NOW)  # the issuer is away, and its keys stay in force
    assert issuer.asked[4:] == ["https://idp.example/meta"]


@pytest.mark.parametrize(
    "told",
    [
        {"issuer": "https://other.example", "jwks_uri": "https://idp.example/keys"},
        {"issuer": ISSUER, "jwks_uri": "http://idp.example/keys"},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
        {"issuer": ISSUER},
        [],
    ],
)
def test_metadata_that_are_not_the_issuers_are_not_believed(told: Any) -> None:
    issuer = Issuer(OURS)
    issuer.answers["https://idp.example/meta"] = told
    keys = IssuerKeys(ISSUER, "https://idp.example/meta", issuer)

    with pytest.raises(CannotTell):
        keys.find("x")
    assert issuer.asked == ["https://idp.example/meta"]


def test_keys_in_a_file_are_read_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.followed.LOOK_EVERY", -1.0)
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(public_set(OURS)))
    verifier = Verifier(Policy(ISSUER, frozenset((URL,))), FileKeys(file))
    with pytest.raises(NotAuthorised):
        verifier.verify(signed(claims(), OTHER), NOW)

    file.write_text(json.dumps(public_set(OTHER), indent=3))
    verifier.verify(signed(claims(), OTHER), NOW)
    file.write_text("{")
    verifier.verify(signed(claims(), OTHER), NOW)


@pytest.mark.parametrize(
    "told",
    [
        [],
        {"keys": []},
        {"keys": [{"kty": "oct", "k": "AAAA"}]},
        {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]},
        {"keys": [{**public_set(OURS)["keys"][0], "use": "enc"}]},
        {"keys": ["x"] * 3},
    ],
)
def test_sets_without_a_key_to_verify_with_are_told(told: Any) -> None:
    with pytest.raises(BadKeys):
        read_keys(told)


def test_an_issuer_that_is_asked_says_whether_a_token_counts_and_is_not_asked_each_time() -> None:
    issuer, now = Issuer(), [0.0]
    url = "https://idp.example/introspect"
    issuer.answers[url] = {"active": True, "exp": NOW + 60, "sub": "5", "scope": "a", "aud": URL, "client_id": "c"}
    verifier = Verifier(
        Policy(ISSUER, frozenset((URL,))), None, Introspection(url, issuer, keep=30, clock=lambda: now[0])
    )

    assert verifier.verify("opaque", NOW).scopes == {"a"}
    issuer.answers[url] = {"active": False}
    assert verifier.verify("opaque", NOW).caller.user == "5"
    now[0] = 31.0
    with pytest.raises(NotAuthorised, match="does not count any more"):
        verifier.verify("opaque", NOW)
    for told in ({"active": "true"}, {"active": True}, {"active": True, "exp": NOW + 60, "aud": "x"}):
        now[0] += 31
        issuer.answers[url] = told
        with pytest.raises(NotAuthorised):
            verifier.verify("opaque", NOW)
    now[0] += 31
    issuer.answers[url] = "what?"
    with pytest.raises(CannotTell):
        verifier.verify("opaque", NOW)


def test_a_signed_token_that_was_taken_back_does_not_count() -> None:
    issuer = Issuer()
    issuer.answers["https://idp.example/introspect"] = {"active": False}
    introspection = Introspection("https://idp.example/introspect", issuer)
    verifier = Verifier(Policy(ISSUER, frozenset((URL,))), Fixed(OURS), introspection)

    with pytest.raises(NotAuthorised, match="does not count any more"):
        verifier.verify(signed(claims(), OURS), NOW)
