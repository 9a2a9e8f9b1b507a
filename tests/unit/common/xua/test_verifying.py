"""Each way to be somebody else that is known of signed assertions, refused with its fault; and the right ones read."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from lxml import etree

from common.soap import faults
from common.xua import BadIssuers, Coded, NotIdentified, Policy, Verifier, followed, read_issuers
from console import development_ca, development_sts
from tests.assertions import BROKEN, WRAPPED, Broken, forged, saml, unsigned
from tests.unit.common.xua.kit import asked
from tests.xua import AUDIENCE, DOCTOR, ISSUER, Sts, a_message, as_base64

WSSE_REFUSED = (faults.UNSUPPORTED_TOKEN, faults.INVALID_TOKEN, faults.FAILED_CHECK)


def test_who_asks_is_read(sts: Sts, verifier: Verifier) -> None:
    caller = asked(verifier, sts.sign())

    assert (caller.user, caller.issuer, caller.name) == (DOCTOR.user, ISSUER, DOCTOR.name)
    assert (caller.organisation, caller.organisation_id) == (DOCTOR.organisation, DOCTOR.organisation_id)
    assert (caller.roles, caller.purposes, caller.patient_id) == (DOCTOR.roles, DOCTOR.purposes, DOCTOR.patient_id)
    assert caller.authentication.endswith("unspecified")
    assert caller.until == pytest.approx(time.time() + 300, abs=10)


def test_several_values_come_as_values_attributes_or_statements(sts: Sts, verifier: Verifier) -> None:
    def change(made: Any) -> None:
        again = deepcopy(made.find(saml("AttributeStatement")))
        for code in again.iter("{urn:hl7-org:v3}Role"):
            code.set("code", "R8001")
        made.append(again)

    caller = asked(verifier, sts.sign(change=change, roles=(Coded("R1", "2.999"), Coded("R2", "2.999"))))

    assert [role.code for role in caller.roles] == ["R1", "R2", "R8001", "R8001"]


def test_a_comment_does_not_cut_a_name_short(sts: Sts, verifier: Verifier) -> None:
    assertion = sts.sign(user="admin@nowhere.example.attacker.example")
    name = assertion.find(f".//{saml('NameID')}")
    text, name.text = name.text, "admin@nowhere.example"
    comment = etree.Comment(" ")
    comment.tail = text.removeprefix("admin@nowhere.example")
    name.append(comment)

    assert asked(verifier, assertion).user == "admin@nowhere.example.attacker.example"


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_s5_an_assertion_that_is_wrapped_around_another_is_refused(
    sts: Sts, verifier: Verifier, wrap: Callable[[Any, Any], tuple[Any, Any]]
) -> None:
    real = sts.sign()
    asked(verifier, real)  # it is known already, which must help nobody
    root, header = wrap(deepcopy(real), forged(real))

    with pytest.raises(NotIdentified) as refused:
        verifier.verify(root, header, time.time())

    assert refused.value.kind in WSSE_REFUSED


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.what)
def test_s4_what_is_wrong_with_an_assertion_gets_its_fault(sts: Sts, verifier: Verifier, broken: Broken) -> None:
    with pytest.raises(NotIdentified) as refused:
        asked(verifier, broken.make(sts))

    assert refused.value.kind is broken.kind
    assert DOCTOR.user not in refused.value.told


def test_s4_no_header_or_an_empty_one_has_its_own_faults(verifier: Verifier) -> None:
    root, header = a_message()
    for given, kind in ((None, faults.INVALID_SECURITY), (header, faults.INVALID_SECURITY)):
        with pytest.raises(NotIdentified) as refused:
            verifier.verify(root, given, time.time())
        assert refused.value.kind is kind


def test_an_id_is_of_one_element_and_of_one_assertion(sts: Sts, verifier: Verifier) -> None:
    def named(made: Any) -> None:
        made.set("ID", "_same")

    first = sts.sign(change=named)
    with pytest.raises(NotIdentified, match="not its alone"):
        asked(verifier, first, body=b'<q Id="_same"/>')
    assert asked(verifier, first).user == DOCTOR.user
    assert asked(verifier, first).user == DOCTOR.user
    with pytest.raises(NotIdentified, match="same ID"):
        asked(verifier, sts.sign(change=named, user="555000000002"))


def test_what_was_verified_once_expires_all_the_same(sts: Sts, verifier: Verifier) -> None:
    assertion, now = sts.sign(), time.time()
    assert asked(verifier, assertion, at=now + 300 + 55)
    with pytest.raises(NotIdentified, match="expired"):
        asked(verifier, assertion, at=now + 300 + 65)
    with pytest.raises(NotIdentified, match="not valid yet"):
        asked(verifier, assertion, at=now - 65)


def test_an_assertion_of_a_key_holder_counts_on_its_own_connection_only(sts: Sts, verifier: Verifier) -> None:
    pem = development_ca.Authority(sts.folder).issue("portal", (), 5).pem
    bound = sts.sign(holder=as_base64(pem))

    assert asked(verifier, bound, holder=development_ca.fingerprint(pem)).user == DOCTOR.user
    for other in ("", hashlib.sha256(b"another").hexdigest()):
        with pytest.raises(NotIdentified) as refused:
            asked(verifier, bound, holder=other)
        assert refused.value.kind is faults.FAILED_AUTHENTICATION


def test_an_issuer_may_change_its_key_and_an_expired_one_counts_no_more(sts: Sts) -> None:
    authority = development_ca.Authority(sts.folder)
    new, old = (authority.issue("sts", (), days).pem for days in (5, -1))
    certificates = tuple(x509.load_pem_x509_certificate(pem) for pem in (old, sts.key, new))
    verifier = Verifier(Policy({ISSUER: certificates}, frozenset({AUDIENCE})))

    for key in (sts.key, new):
        assert asked(verifier, development_sts.signed(unsigned(sts), key)).user == DOCTOR.user
    alone = Verifier(replace(verifier._policy, issuers={ISSUER: certificates[:1]}))
    with pytest.raises(NotIdentified) as refused:
        asked(alone, development_sts.signed(unsigned(sts), old))
    assert refused.value.kind is faults.FAILED_AUTHENTICATION


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no issuer"),
        ("nonsense", "not TOML"),
        ('["https://a"]\n', "needs certificates"),
        ('["https://a"]\ncertificates = ["issuers.toml"]\n', "not a PEM certificate"),
    ],
)
def test_a_file_of_issuers_that_cannot_be_used_says_why(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "issuers.toml").write_text(text)
    with pytest.raises(BadIssuers, match=told):
        read_issuers(tmp_path / "issuers.toml")


def test_issuers_are_followed_and_who_was_taken_out_counts_no_more(tmp_path: Path) -> None:
    sts, clock = Sts(tmp_path), [0.0]
    verifier = Verifier(Policy(followed(sts.file, lambda: clock[0]), frozenset({AUDIENCE})))
    assertion, file = sts.sign(), sts.file.read_text()
    assert asked(verifier, assertion).user == DOCTOR.user

    sts.file.write_text(file[:20])
    clock[0] += 2
    assert asked(verifier, assertion).user == DOCTOR.user, "a half-copied file takes nobody out"
    sts.file.write_text(file.replace(ISSUER, "https://other.example"))
    clock[0] += 2
    with pytest.raises(NotIdentified) as refused:
        asked(verifier, assertion)
    assert refused.value.kind is faults.FAILED_AUTHENTICATION

    sts.file.write_text(file)
    (tmp_path / "sts.pem").write_bytes(development_ca.Authority(sts.folder).issue("new", (), 5).pem)
    clock[0] += 2
    with pytest.raises(NotIdentified) as refused:
        asked(verifier, assertion)
    assert refused.value.kind is faults.FAILED_CHECK
