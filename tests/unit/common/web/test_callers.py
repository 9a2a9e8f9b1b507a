"""Whom a message is from: by its header, by its certificate, and who need not say (ITI-40)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from lxml import etree

from common.followed import Followed
from common.settings import Settings
from common.soap import faults
from common.soap.envelope import read_envelope
from common.soap.faults import SOAP, WSA, WSSE, WSU, SoapFault
from common.tls import Peer
from common.tls import listed as following
from common.web import callers
from common.web.callers import Callers, CannotIdentify
from tests.xua import AUDIENCE, DOCTOR, Sts

REPOSITORY = Peer("CN=repository", "ab" * 32, ("repository.example",))
SOMEBODY = Peer("CN=somebody", "cd" * 32, ("somebody.example",))
CURRENT = f'<u:Timestamp xmlns:u="{WSU}"/>'
OVER = f'<u:Timestamp xmlns:u="{WSU}"><u:Expires>2020-01-01T00:00:00Z</u:Expires></u:Timestamp>'


def made(folder: Path, xua: str, systems: str = "name:repository.example\n") -> Callers:
    sts = Sts(folder)
    (folder / "systems").write_text(systems)
    settings = Settings(
        data=folder, xua=xua, xua_issuers=str(sts.file), xua_systems=str(folder / "systems"), xua_audiences=AUDIENCE
    )
    return callers.callers(settings, "registry", "https://127.0.0.1:8010/registry")


def asked(found: Callers, header: str, peer: Peer | None = SOMEBODY) -> object:
    root = etree.fromstring(
        f'<s:Envelope xmlns:s="{SOAP}"><s:Header><a:Action xmlns:a="{WSA}">x</a:Action>{header}</s:Header>'
        "<s:Body><q/></s:Body></s:Envelope>"
    )
    return found.identify(read_envelope(root, found.understood), peer)


def security(inside: str = "", more: str = 's:mustUnderstand="1"') -> str:
    return f'<w:Security xmlns:w="{WSSE}" {more}>{inside}</w:Security>'


def test_a_header_that_tells_of_nobody_is_as_none(tmp_path: Path) -> None:
    optional, required = (made(tmp_path / name, name) for name in ("optional", "required"))

    for header in "", security(), security(CURRENT), security(OVER, 's:role="urn:another"'):
        assert asked(optional, header) is None
        assert asked(required, header, REPOSITORY) is None
        with pytest.raises(SoapFault) as refused:
            asked(required, header)
        assert refused.value.kind is faults.INVALID_SECURITY


def test_a_stale_message_is_refused_whoever_sends_it(tmp_path: Path) -> None:
    for xua in "optional", "required":
        with pytest.raises(SoapFault) as refused:
            asked(made(tmp_path / xua, xua), security(OVER), REPOSITORY)
        assert refused.value.kind is faults.MESSAGE_EXPIRED


def test_a_header_that_must_be_understood_is_where_it_is_looked_at(tmp_path: Path) -> None:
    off = callers.callers(Settings(data=tmp_path), "registry", "https://127.0.0.1:8010/registry")

    with pytest.raises(SoapFault) as refused:
        asked(off, security())
    assert refused.value.kind is faults.MUST_UNDERSTAND
    assert asked(off, security(more="")) is None


def test_a_system_that_brings_a_user_acts_for_them(tmp_path: Path) -> None:
    required = made(tmp_path, "required")
    assertion = etree.tostring(Sts.sign(_known(tmp_path), audiences=(AUDIENCE,))).decode()

    caller = required.identify(
        read_envelope(
            etree.fromstring(
                f'<s:Envelope xmlns:s="{SOAP}"><s:Header><a:Action xmlns:a="{WSA}">x</a:Action>'
                f"{security(assertion)}</s:Header><s:Body><q/></s:Body></s:Envelope>"
            ),
            required.understood,
        ),
        REPOSITORY,
    )
    assert caller is not None
    assert caller.user == DOCTOR.user
    assert required.system(REPOSITORY, caller) is None
    assert required.system(REPOSITORY, None) == REPOSITORY
    assert required.system(SOMEBODY, None) is None


def _known(folder: Path) -> Sts:
    """The issuer of before, with its key."""
    sts = object.__new__(Sts)
    sts.folder, sts.key = folder, (folder / "sts.pem").read_bytes()
    return sts


def test_the_list_of_systems_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(following, "Followed", partial(Followed, now=lambda: clock[0]))
    required = made(tmp_path, "required")
    assert asked(required, "", REPOSITORY) is None

    clock[0] += 2
    (tmp_path / "systems").write_text("name:somebody.example\n")
    assert asked(required, "", SOMEBODY) is None
    with pytest.raises(SoapFault):
        asked(required, "", REPOSITORY)

    (tmp_path / "systems").write_text("half a lin")
    clock[0] += 2
    assert asked(required, "", SOMEBODY) is None, "a half-copied file takes nobody out"


def test_a_list_that_cannot_be_used_is_told_of_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(CannotIdentify, match="line 1"):
        made(tmp_path, "required", "everybody\n")
