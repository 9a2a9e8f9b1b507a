"""Message ids that tell when they were made, and names that follow from them.

A submission that is sent again must be the same to the byte for the Registry to know it. So whatever the client adds
to it follows from its message id: ids are derived from it, and the submissionTime stands in it.
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, RFC_4122, UUID, uuid5

from common.clock import dtm

_URN: Final = "urn:uuid:"
_TIMED: Final = 7


def new_message_id() -> str:
    """A fresh ``urn:uuid:`` of version 7, which begins with the time in milliseconds (RFC 9562 section 5.7)."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | (_TIMED << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return f"{_URN}{UUID(int=value)}"


def time_of(message_id: str) -> str | None:
    """When a message id was made, as a DTM in UTC to the second; ``None`` where it does not tell."""
    try:
        value = UUID(message_id.removeprefix(_URN))
    except ValueError:
        return None
    if value.variant != RFC_4122 or value.version != _TIMED:
        return None
    return dtm(datetime.fromtimestamp((value.int >> 80) / 1000, UTC))


class Names:
    """Names for the parts of one message, always the same for the same message id."""

    def __init__(self, message_id: str) -> None:
        self._base = uuid5(NAMESPACE_URL, message_id)
        self._count = 0

    def oid(self, what: str) -> str:
        """An OID of the arc for UUIDs (ITI TF-2x B.6)."""
        return f"2.25.{uuid5(self._base, what).int}"

    def next_uuid(self) -> str:
        """The next ``urn:uuid:`` of a series."""
        self._count += 1
        return f"{_URN}{uuid5(self._base, str(self._count))}"
