"""Who asked is read as it was written, and nothing else is read."""

from __future__ import annotations

import pytest

from common.caller import Caller, Coded
from common.tls import Peer
from common.web.kept import Asked, read_asked

CALLER = Caller(
    "555000000001",
    "https://idp.example",
    "_1",
    1773230400.5,
    "urn:x",
    'Dr Ü. "Quote"',
    provider_ids=("a", "b"),
    roles=(Coded("R8000", "2.999"), Coded("R8001", "2.999", "Nurse")),
    purposes=(Coded("TREAT", "2.999"),),
    consents=("c",),
    policies=("p",),
    patient_id="9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO",
    others={"urn:reason": ("found unconscious", "")},
)
PEER = Peer("CN=portal", "ab" * 32, ("portal", "portal.example"))


@pytest.mark.parametrize(
    "asked", [Asked(), Asked(PEER, "127.0.0.1"), Asked(PEER, "", CALLER), Asked(None, "::1", CALLER)]
)
def test_who_asked_is_read_as_it_was_written(asked: Asked) -> None:
    assert read_asked(asked.written()) == asked


def test_names_tell_one_from_another() -> None:
    assert Asked().names == ("",)
    assert Asked(PEER, "127.0.0.1").names == Asked(PEER, "::1").names != Asked(PEER, "", CALLER).names


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"peer":{},"address":"","caller":null}', "null"])
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_asked(text)
