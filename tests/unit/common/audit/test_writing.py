"""Records as XML, whatever their values hold; and as frames of syslog."""

from __future__ import annotations

from base64 import b64decode
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from common.audit import events
from common.audit.message import AuditMessage, Code, Participant, Source, Subject
from common.audit.syslog import Clock, Origin, framed, frames_in, name_of, next_frame, time_of
from common.audit.writing import LONGEST, written
from tests.unit.common.audit.kit import AT, element

HOSTILE = st.text(st.characters(), max_size=60)


def a_message(text: str, query: bytes = b"<q/>") -> AuditMessage:
    code = Code(text, text, text, text)
    return AuditMessage(
        events.QUERY,
        "E",
        8,
        (Participant(text, True, text, text, text, (code,)),),
        Source(text, text),
        (code,),
        text,
        (code,),
        (Subject(text, "2", "24", code, "15", query, (("kind", text),)),),
    )


@given(HOSTILE)
def test_no_value_breaks_a_record_out_of_its_xml(text: str) -> None:
    made = element(a_message(text))

    assert len(made) == 4
    [participant] = made.findall("ActiveParticipant")
    assert len(participant) == 1
    if text.isprintable() and text.isascii():
        assert participant.get("UserID") == text


def test_what_xml_cannot_hold_is_replaced() -> None:
    made = element(a_message("a\x00b\x1b\ud800c\ufffe<&\">'"))

    assert made.findtext("EventIdentification/EventOutcomeDescription") == "a\ufffdb\ufffd\ufffdc\ufffd<&\">'"


def test_queries_and_details_are_base64() -> None:
    made = element(a_message("ö\x00", b"\x00<\xff"))

    found = made.find("ParticipantObjectIdentification")
    assert found is not None
    assert b64decode(found.findtext("ParticipantObjectQuery") or "") == b"\x00<\xff"
    detail = found.find("ParticipantObjectDetail")
    assert detail is not None
    assert b64decode(detail.get("value", "")) == "ö\x00".encode()


def test_a_long_value_is_cut() -> None:
    assert element(a_message("x" * 10_000)).find("ActiveParticipant").get("UserID") == "x" * LONGEST  # type: ignore[union-attr]


def test_an_address_is_told_from_a_name() -> None:
    def kind(host: str) -> str | None:
        [one] = element(
            AuditMessage(events.ALERT, "E", 0, (Participant("a", True, network=host),), Source("s"))
        ).findall("ActiveParticipant")
        return one.get("NetworkAccessPointTypeCode")

    assert [kind(each) for each in ("192.0.2.1", "2001:db8::1", "host.example", "")] == ["2", "2", "1", None]


@given(st.text(max_size=300))
def test_fields_of_a_header_are_printable_and_without_spaces(text: str) -> None:
    name = name_of(text, 48)

    assert 1 <= len(name) <= 48
    assert all("!" <= each <= "~" for each in name)


def test_no_time_comes_twice_nor_before_another_even_if_the_clock_is_set_back() -> None:
    told = iter([5_000_000, 5_000_000, 4_000_000, 5_000_999, 9_000_000])
    clock = Clock(lambda: next(told))

    times = [clock() for _ in range(5)]

    assert all(one < other for one, other in pairwise(times))
    assert times[0] == "1970-01-01T00:00:00.005000Z"


def a_frame(text: str = "x", *, failed: bool = False) -> bytes:
    return framed(written(a_message(text), AT), AT, Origin("host", "portolan", "17").fields, failed=failed)


def test_a_frame_is_a_header_of_rfc_5424_behind_its_length() -> None:
    frame = a_frame()
    length, _, message = frame.partition(b" ")

    assert int(length) == len(message)
    assert message.startswith(b"<85>1 2026-03-11T14:20:03.120000Z host portolan 17 IHE+RFC-3881 - <AuditMessage>")
    assert a_frame(failed=True).partition(b" ")[2].startswith(b"<84>1 ")
    assert time_of(frame) == AT
    assert etree.fromstring(message.partition(b" - ")[2]).tag == "AuditMessage"


@given(st.lists(st.sampled_from("abc\u00fc\U0001f600"), min_size=1, max_size=4), st.data())
def test_whole_frames_are_found_wherever_the_bytes_are_cut(texts: list[str], data: st.DataObject) -> None:
    frames = [a_frame(text) for text in texts]
    whole = b"".join(frames)
    cut = data.draw(st.integers(0, len(whole)))

    found = frames_in(whole[:cut])

    assert not found.is_broken
    assert whole.startswith(whole[: found.end])
    assert found.end == sum(len(each) for each in frames[: len(found.starts)])
    assert len(found.starts) == len(frames) or cut < found.end + len(frames[len(found.starts)])


@given(st.binary(max_size=200))
def test_garbage_is_no_frame(garbage: bytes) -> None:
    found = frames_in(garbage)

    assert not found.starts
    assert found.end == 0


def test_frames_are_found_again_behind_a_hole() -> None:
    frames = a_frame("a") + bytes(4096) + a_frame("b")

    first = frames_in(frames)
    at = next_frame(frames, first.end)

    assert (len(first.starts), at) == (1, first.end + 4096)
    assert len(frames_in(frames, at).starts) == 1
