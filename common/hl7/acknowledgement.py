"""Acknowledgements of HL7 v2 in original mode (HL7 v2 chapter 2.9, ITI TF-2 C.2.3)."""

from __future__ import annotations

from typing import Final

from common.hl7.message import DEFAULT, Delimiters, Message
from common.hl7.refusals import TEXTS, Ack, Refusal

_LONGEST_ECHO: Final = 250
_OLD_ERR: Final = ("2.1", "2.2", "2.3", "2.3.1", "2.4")


def acknowledgement(
    message: Message | None, *, now: str, control_id: str, refusal: Refusal | None = None, own: str = "PORTOLAN"
) -> bytes:
    """The answer to a message, or to what could not be read as one; ``now`` is a DTM."""
    delimiters = message.delimiters if message else DEFAULT
    version = message.version[:10] if message and message.version.startswith("2.") else "2.3.1"
    code = refusal.ack if refusal else Ack.ACCEPT
    msa = [code.value, _echo(message, 10)]
    if refusal:
        msa.append(delimiters.escaped(refusal.reason))
    segments = [_msh(message, delimiters, now, control_id, own, version), ["MSA", *msa]]
    if refusal:
        segments.append(_err(refusal, delimiters, version))
    text = "".join(delimiters.field.join(segment) + "\r" for segment in segments)
    return text.encode(message.charset if message else "ascii", "replace")


def _echo(message: Message | None, number: int) -> str:
    """A field of the header as it came: the delimiters are the same."""
    return message.header.raw(number)[:_LONGEST_ECHO] if message else ""


def _msh(
    message: Message | None, delimiters: Delimiters, now: str, control_id: str, own: str, version: str
) -> list[str]:
    event = message.event[:10] if message else ""
    kind = "ACK" + (delimiters.component + delimiters.escaped(event) if event else "")
    if event and version.startswith("2.") and version not in _OLD_ERR:
        kind += f"{delimiters.component}ACK"
    made = [
        "MSH",
        delimiters.encoding_characters,
        _echo(message, 5) or own,
        _echo(message, 6),
        _echo(message, 3),
        _echo(message, 4),
        now,
        "",
        kind,
        control_id,
        _echo(message, 11) or "P",
        delimiters.escaped(version),
    ]
    if charset := _echo(message, 18):
        made += [""] * 5 + [charset]
    return made


def _err(refusal: Refusal, delimiters: Delimiters, version: str) -> list[str]:
    """Version 2.5 gave ERR a new shape: place, code and severity in fields of their own."""
    condition, component, part = refusal.condition, delimiters.component, delimiters.subcomponent
    where = refusal.where.replace("^", component)
    code = (condition.value, TEXTS[condition], "HL70357")
    if version in _OLD_ERR:
        missing = max(0, 2 - refusal.where.count("^"))
        return ["ERR", where + component * (missing + 1) + part.join(code)]
    return ["ERR", "", where, component.join(code), "E", "", "", "", delimiters.escaped(refusal.reason)]
