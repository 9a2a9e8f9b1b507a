"""What can be wrong with a message of HL7 v2, as its acknowledgement tells it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Ack(StrEnum):
    """MSA-1 in original mode (HL7 v2 table 0008)."""

    ACCEPT = "AA"
    ERROR = "AE"
    REJECT = "AR"


class Condition(StrEnum):
    """Why a message is refused (HL7 v2 table 0357); the value is the code."""

    SEQUENCE = "100"
    MISSING = "101"
    DATA_TYPE = "102"
    NOT_IN_TABLE = "103"
    UNSUPPORTED_TYPE = "200"
    UNSUPPORTED_EVENT = "201"
    UNSUPPORTED_PROCESSING_ID = "202"
    UNSUPPORTED_VERSION = "203"
    UNKNOWN_KEY = "204"
    DUPLICATE_KEY = "205"
    LOCKED = "206"
    INTERNAL = "207"


TEXTS = {
    Condition.SEQUENCE: "Segment sequence error",
    Condition.MISSING: "Required field missing",
    Condition.DATA_TYPE: "Data type error",
    Condition.NOT_IN_TABLE: "Table value not found",
    Condition.UNSUPPORTED_TYPE: "Unsupported message type",
    Condition.UNSUPPORTED_EVENT: "Unsupported event code",
    Condition.UNSUPPORTED_PROCESSING_ID: "Unsupported processing id",
    Condition.UNSUPPORTED_VERSION: "Unsupported version id",
    Condition.UNKNOWN_KEY: "Unknown key identifier",
    Condition.DUPLICATE_KEY: "Duplicate key identifier",
    Condition.LOCKED: "Application record locked",
    Condition.INTERNAL: "Application internal error",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is not accepted: how (MSA-1), in which place (``PID^1^3``), and a sentence without values."""

    ack: Ack
    condition: Condition
    where: str
    reason: str


class Hl7Refused(Exception):  # noqa: N818 - it is the sender's error
    """A message that cannot be read, or does not say what it has to."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def rejected(condition: Condition, where: str, reason: str) -> Hl7Refused:
    """A message of a kind that is not taken, or that is none."""
    return Hl7Refused(Refusal(Ack.REJECT, condition, where, reason))


def wrong(condition: Condition, where: str, reason: str) -> Hl7Refused:
    """A message whose content is wrong."""
    return Hl7Refused(Refusal(Ack.ERROR, condition, where, reason))
