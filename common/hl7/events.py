"""What every receiver of HL7 v2 does with a message before it looks at what it says: which event, which segments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from common.hl7.identifiers import Identifier, read_identifier
from common.hl7.message import Message, Segment
from common.hl7.refusals import Condition, rejected, wrong

LONGEST_ID: Final = 256


def check_header(message: Message, events: Iterable[str]) -> None:
    """An ADT message of one of these events, that can be acknowledged; Hl7Refused for anything else."""
    known = tuple(events)
    if not message.control_id.strip():
        raise wrong(Condition.MISSING, "MSH^1^10", "MSH-10, the message's control id, is missing")
    if message.type != "ADT":
        raise rejected(Condition.UNSUPPORTED_TYPE, "MSH^1^9", "only ADT messages are taken here")
    if message.event not in known:
        told = f"only the events {', '.join(known)} are taken here"
        raise rejected(Condition.UNSUPPORTED_EVENT, "MSH^1^9", told)
    if not message.version.startswith("2."):
        raise rejected(Condition.UNSUPPORTED_VERSION, "MSH^1^12", "MSH-12 must be a version of HL7 v2, as 2.3.1")


def only(message: Message, segment: str) -> None:
    """One message is about one patient; Hl7Refused where a segment comes again."""
    if sum(each.name == segment for each in message.segments) > 1:
        raise rejected(Condition.SEQUENCE, f"{segment}^2", f"one message has one {segment}: send one for each pair")


def the_segment(message: Message, name: str) -> Segment:
    """The segment of a name; Hl7Refused without one."""
    found = message.first(name)
    if found is None:
        raise wrong(Condition.SEQUENCE, f"{name}^1", f"the segment {name} is missing")
    return found


def identifiers(message: Message, name: str, field: int, where: str) -> list[Identifier]:
    """Every id in a field; Hl7Refused when there is none, or one that is too long."""
    segment = the_segment(message, name)
    found = [read_identifier(message, each) for each in message.repetitions(segment, field)]
    found = [each for each in found if each.id]
    if not found:
        raise wrong(Condition.MISSING, where, f"{name}-{field} is missing")
    if any(len(each.id) > LONGEST_ID for each in found):
        raise wrong(Condition.DATA_TYPE, where, f"an id in {name}-{field} has more than {LONGEST_ID} characters")
    return found


def message_id(message: Message) -> str:
    """Who sent a message, and what they call it: the same again is the same message."""
    return "|".join(message.header.raw(number).strip()[:LONGEST_ID] for number in (3, 4, 10))
