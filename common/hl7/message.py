"""Messages of HL7 v2 in their "vertical bar" form: bytes in, segments and fields out (HL7 v2 chapter 2).

The delimiters are those that the message declares. A message that cannot be read is refused with the place and the
code that its acknowledgement has to tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from common.hl7.refusals import Condition, rejected, wrong

_SEGMENT: Final = re.compile(r"[A-Z][A-Z0-9]{2}\Z")
_ESCAPE_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+\Z")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MOST_SEGMENTS: Final = 10_000
CHARSETS: Final = {
    "": "utf-8",  # ASCII is meant, and UTF-8 holds it
    "ASCII": "ascii",
    "8859/1": "iso-8859-1",
    "UNICODE UTF-8": "utf-8",
}
"""MSH-18 (HL7 v2 table 0211), as Python names it."""


@dataclass(frozen=True, slots=True)
class Delimiters:
    """MSH-1 and MSH-2."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def encoding_characters(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent

    def unescaped(self, value: str) -> str:
        """A value with its escape sequences undone; sequences that mean nothing here stay as they are."""
        if self.escape not in value:
            return value
        parts = value.split(self.escape)
        out = [parts[0]]
        at = 1
        while at < len(parts):
            meaning = self._meaning(parts[at]) if at + 1 < len(parts) else None
            if meaning is None:
                out.append(self.escape + parts[at])
                at += 1
            else:
                out += [meaning, parts[at + 1]]
                at += 2
        return "".join(out)

    def _meaning(self, name: str) -> str | None:
        known = {"F": self.field, "S": self.component, "T": self.subcomponent, "R": self.repetition, "E": self.escape}
        if name in known:
            return known[name]
        if name == ".br":
            return "\n"
        if name[:1] == "X" and _ESCAPE_HEX.match(name[1:]):
            return bytes.fromhex(name[1:]).decode("iso-8859-1")
        return None

    def escaped(self, value: str) -> str:
        """A value made fit to stand in a field."""
        names = {self.field: "F", self.component: "S", self.subcomponent: "T", self.repetition: "R", self.escape: "E"}
        out = [
            f"{self.escape}{names[character]}{self.escape}" if character in names else character for character in value
        ]
        return "".join(out).replace("\r", " ").replace("\n", " ")


DEFAULT: Final = Delimiters()


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment's name and its fields as written; field 0 is the name, and MSH counts as the standard counts it."""

    name: str
    fields: tuple[str, ...]

    def raw(self, number: int) -> str:
        """A field with all that is in it; empty when it is not there."""
        return self.fields[number] if number < len(self.fields) else ""


@dataclass(frozen=True)
class Message:
    """A message that was read."""

    delimiters: Delimiters
    segments: tuple[Segment, ...]

    @cached_property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    def first(self, name: str) -> Segment | None:
        """The first segment of a name."""
        return next((each for each in self.segments if each.name == name), None)

    def repetitions(self, segment: Segment, number: int) -> list[str]:
        """The repetitions of a field, as written."""
        value = segment.raw(number)
        return value.split(self.delimiters.repetition) if value else []

    def component(self, value: str, number: int, sub: int = 1) -> str:
        """A component, counted from 1, of a field's repetition: its first subcomponent, or another one."""
        parts = value.split(self.delimiters.component)
        if number > len(parts):
            return ""
        subs = parts[number - 1].split(self.delimiters.subcomponent)
        return self.delimiters.unescaped(subs[sub - 1]).strip() if sub <= len(subs) else ""

    @property
    def type(self) -> str:
        """MSH-9.1."""
        return self.component(self.header.raw(9), 1)

    @property
    def event(self) -> str:
        """MSH-9.2."""
        return self.component(self.header.raw(9), 2)

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.raw(10)

    @property
    def version(self) -> str:
        """MSH-12.1."""
        return self.component(self.header.raw(12), 1)

    @property
    def charset(self) -> str:
        """How Python names the character set of MSH-18."""
        return CHARSETS.get(self.header.raw(18).split(self.delimiters.repetition)[0].strip(), "ascii")


def read_header(data: bytes) -> Message:
    """MSH alone, for an answer to a message whatever follows; Hl7Refused when there is none."""
    if data[:3] != b"MSH":
        raise rejected(Condition.SEQUENCE, "MSH^1", "the message does not begin with MSH")
    line = re.split(rb"[\r\n]", data, maxsplit=1)[0].decode("iso-8859-1")
    delimiters = _delimiters(line)
    return Message(delimiters, (_header(line, delimiters),))


def _header(line: str, delimiters: Delimiters) -> Segment:
    return Segment("MSH", ("MSH", delimiters.field, *line[4:].split(delimiters.field)))


def _delimiters(line: str) -> Delimiters:
    """As MSH-1 and MSH-2 declare them; 2.7 and later may add a fifth, for truncation."""
    separator = line[3:4]
    declared = line[4:].split(separator, 1)[0] if separator else ""
    every = separator + declared
    usable = all("!" <= character <= "~" and not character.isalnum() for character in every)
    if len(declared) not in (4, 5) or len(set(every)) != len(every) or not usable:
        told = "MSH-1 and MSH-2 must be five different characters, usually |^~\\&"
        raise rejected(Condition.DATA_TYPE, "MSH^1^2", told)
    return Delimiters(separator, *declared[:4])


def read_message(data: bytes) -> Message:
    """A whole message; Hl7Refused when it cannot be understood."""
    head = read_header(data)
    text = _decoded(data, head)
    lines = [line for line in re.split(r"[\r\n]+", text) if line]
    if len(lines) > MOST_SEGMENTS:
        raise rejected(Condition.SEQUENCE, "MSH^1", f"the message has more than {MOST_SEGMENTS} segments")
    segments = [_header(lines[0], head.delimiters)]
    for number, line in enumerate(lines[1:], 2):
        segments.append(_segment(line, number, head.delimiters))
    return Message(head.delimiters, tuple(segments))


def _segment(line: str, number: int, delimiters: Delimiters) -> Segment:
    fields = line.split(delimiters.field)
    if fields[0] == "MSH":
        raise rejected(Condition.SEQUENCE, "MSH^2", "the block holds more than one message")
    if not _SEGMENT.match(fields[0]):
        raise rejected(Condition.SEQUENCE, f"MSH^{number}", f"line {number} of the message is no segment")
    return Segment(fields[0], tuple(fields))


def _decoded(data: bytes, head: Message) -> str:
    """The text, by MSH-18; a character that it does not have is an error, never a guess."""
    declared = head.repetitions(head.header, 18)
    name = declared[0].strip() if declared else ""
    if name not in CHARSETS:
        raise wrong(Condition.NOT_IN_TABLE, "MSH^1^18", "MSH-18 must be ASCII, 8859/1 or UNICODE UTF-8")
    try:
        text = data.decode(CHARSETS[name])
    except UnicodeDecodeError:
        raise wrong(Condition.DATA_TYPE, "MSH^1^18", "the message has bytes that its character set does not") from None
    if _CONTROL.search(text):
        raise wrong(Condition.DATA_TYPE, "MSH^1", "the message holds control characters")
    return text
