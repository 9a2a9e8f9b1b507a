"""HL7 v2 messages: what they declare is believed, what is wrong is refused with its place and code."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.hl7.acknowledgement import acknowledgement
from common.hl7.identifiers import Identifier, read_identifier
from common.hl7.message import DEFAULT, Delimiters, read_header, read_message
from common.hl7.refusals import Ack, Condition, Hl7Refused, Refusal
from tests.feeds import adt, hl7, pid

HEAD = "MSH|^~\\&|PAS|ZT901|REG|ZT902|20260306093000||ADT^A01^ADT_A01|M1|P|2.5"
REFUSAL = Refusal(Ack.ERROR, Condition.UNKNOWN_KEY, "PID^1^3", "not of this | domain")


def refused(data: bytes) -> Refusal:
    with pytest.raises(Hl7Refused) as caught:
        read_message(data)
    return caught.value.refusal


def test_segments_fields_repetitions_and_components_are_found() -> None:
    message = read_message(adt("A01", pid("9990001006^^^&1.2.3&ISO", "X1^^^WARD")))

    segment = message.first("PID")
    assert segment is not None
    first, second = message.repetitions(segment, 3)
    assert read_identifier(message, first) == Identifier("9990001006", "", "1.2.3")
    assert read_identifier(message, second) == Identifier("X1", "WARD", "")
    assert (message.type, message.event, message.version) == ("ADT", "A01", "2.3.1")
    assert message.repetitions(segment, 40) == []


def test_delimiters_are_those_that_the_message_declares() -> None:
    message = read_message(b"MSH$*!\\#$PAS$A$B$C$1$$ADT*A04$M1$P$2.4\rPID$$$1\\S\\2***#9.8#ISO!2\r")

    segment = message.first("PID")
    assert segment is not None
    assert message.event == "A04"
    assert read_identifier(message, message.repetitions(segment, 3)[0]) == Identifier("1*2", "", "9.8")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", "a|b^c&d~e\\f"),
        ("\\X41\\B", "AB"),
        ("line\\.br\\line", "line\nline"),
        ("\\Zodd\\x", "\\Zodd\\x"),
        ("open\\F", "open\\F"),
        ("\\X4\\", "\\X4\\"),
    ],
)
def test_escape_sequences_are_undone_and_unknown_ones_stay(written: str, meant: str) -> None:
    assert DEFAULT.unescaped(written) == meant


@given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")))
def test_what_is_escaped_means_the_same(value: str) -> None:
    assert DEFAULT.unescaped(DEFAULT.escaped(value)) == value


@pytest.mark.parametrize(
    ("data", "condition", "where"),
    [
        (b"", Condition.SEQUENCE, "MSH^1"),
        (b"PID|||1\r", Condition.SEQUENCE, "MSH^1"),
        (b"MSH", Condition.DATA_TYPE, "MSH^1^2"),
        (b"MSH|", Condition.DATA_TYPE, "MSH^1^2"),
        (b"MSH|^~|PAS\r", Condition.DATA_TYPE, "MSH^1^2"),
        (b"MSH|^^\\&|PAS\r", Condition.DATA_TYPE, "MSH^1^2"),
        (b"MSH|^~\\|PAS\r", Condition.DATA_TYPE, "MSH^1^2"),
        (b"MSH|ABCD|PAS\r", Condition.DATA_TYPE, "MSH^1^2"),
        (b"MSH\r^~\\&|PAS\r", Condition.DATA_TYPE, "MSH^1^2"),
        (hl7(HEAD, HEAD), Condition.SEQUENCE, "MSH^2"),
        (hl7(HEAD, "pid|x"), Condition.SEQUENCE, "MSH^2"),
        (hl7(HEAD) + b"NTE|\xff\r", Condition.DATA_TYPE, "MSH^1^18"),
        (hl7(HEAD + "||||||KOI-8"), Condition.NOT_IN_TABLE, "MSH^1^18"),
        (hl7(HEAD + "||||||ASCII") + "NTE|é\r".encode(), Condition.DATA_TYPE, "MSH^1^18"),
        (hl7(HEAD) + b"NTE|\x00\r", Condition.DATA_TYPE, "MSH^1"),
        (hl7(HEAD) + b"NTE|\r" * 10_001, Condition.SEQUENCE, "MSH^1"),
    ],
)
def test_w8_what_cannot_be_read_is_refused_with_its_place(data: bytes, condition: Condition, where: str) -> None:
    found = refused(data)

    assert (found.condition, found.where) == (condition, where)


@pytest.mark.parametrize(("charset", "codec"), [("8859/1", "iso-8859-1"), ("UNICODE UTF-8", "utf-8"), ("", "utf-8")])
def test_msh_18_names_the_character_set(charset: str, codec: str) -> None:
    data = f"{HEAD}||||||{charset}\rPID|||1||Zoë\r".encode(codec)

    segment = read_message(data).first("PID")
    assert segment is not None
    assert segment.raw(5) == "Zoë"


@given(st.binary(max_size=200).map(lambda data: b"MSH|^~\\&|" + data) | st.binary(max_size=100))
def test_w8_garbage_is_read_or_refused_and_always_answered(data: bytes) -> None:
    message, refusal = None, None
    try:
        message = read_header(data)
        message = read_message(data)
    except Hl7Refused as error:
        refusal = error.refusal
    answer = acknowledgement(message, now="20260306093001", control_id="R1", refusal=refusal)

    assert answer.startswith(b"MSH")
    assert b"\rMSA" in answer


def test_an_acknowledgement_goes_back_where_the_message_came_from() -> None:
    answer = acknowledgement(read_message(hl7(HEAD)), now="20260306093001", control_id="R1")

    assert answer.decode().split("\r") == [
        "MSH|^~\\&|REG|ZT902|PAS|ZT901|20260306093001||ACK^A01^ACK|R1|P|2.5", "MSA|AA|M1", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "error"),
    [
        ("2.3.1", "ERR|PID^1^3^204&Unknown key identifier&HL70357"),
        ("2.5", "ERR||PID^1^3|204^Unknown key identifier^HL70357|E||||not of this \\F\\ domain"),
    ],
)
def test_err_has_the_shape_of_the_messages_version(version: str, error: str) -> None:
    message = read_message(hl7(HEAD[:-3] + version))
    lines = acknowledgement(message, now="1", control_id="R1", refusal=REFUSAL).decode().split("\r")

    assert lines[1:] == ["MSA|AE|M1|not of this \\F\\ domain", error, ""]


def test_an_acknowledgement_uses_the_messages_own_delimiters() -> None:
    message = read_message(b"MSH$*!\\#$PAS$A$B$C$1$$ADT*A04$M1$P$2.4\r")
    answer = acknowledgement(message, now="1", control_id="R1", refusal=REFUSAL).decode()

    assert "ERR$PID*1*3*204#Unknown key identifier#HL70357" in answer
    assert Delimiters("$", *"*!\\#") == message.delimiters


def test_a_message_that_is_none_is_answered_too() -> None:
    with contextlib.suppress(Hl7Refused):
        read_header(b"nonsense")
    answer = acknowledgement(
        None, now="1", control_id="R1", refusal=Refusal(Ack.REJECT, Condition.SEQUENCE, "MSH^1", "no")
    )

    assert answer.decode().split("\r")[1:3] == ["MSA|AR||no", "ERR|MSH^1^^100&Segment sequence error&HL70357"]
