"""What the outbox keeps and hands out, and when it tries again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a letter is in its life."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    DISCARDED = "discarded"


class Kind(StrEnum):
    """What a letter's content is: an answer or fault as it is sent, or a request that is answered when it is sent."""

    ANSWER = "answer"
    FAULT = "fault"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Letter:
    """One answer to be kept; ``digest`` tells two requests with one message id apart.

    ``asked`` is what has to be known of who asked, where it is made when it is sent.
    """

    message_id: str
    digest: str
    transaction: str
    correlation: str
    kind: Kind
    outcome: str
    address: str
    content_type: str
    content: bytes
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter that one worker has for a while; ``age`` in seconds since it was kept, ``tries`` with this one."""

    id: str
    lease: str
    tries: int
    age: float
    letter: Letter


@dataclass(frozen=True, slots=True)
class Line:
    """What may be shown of a letter: no content. Times in milliseconds since 1970, size in bytes."""

    being_sent: bool
    id: str
    service: str
    state: str
    transaction: str
    kind: str
    outcome: str
    address: str
    message_id: str
    correlation: str
    size: int
    tries: int
    reason: str | None
    kept_at: int
    due_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class Depth:
    """How much there is; ``oldest`` is the age in seconds of the oldest that waits."""

    waiting: int
    dead: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long delivery is tried; times in seconds."""

    first: float
    most: float
    tries: int
    age: float

    def pause(self, tries: int) -> float:
        """The pause after so many tries: twice the last one, up to a bound, and a part of it by chance."""
        whole = min(self.most, self.first * 2.0 ** min(tries - 1, 40))
        return whole * random.uniform(0.5, 1.0)  # noqa: S311 (nothing secret)

    def is_over(self, tries: int, age: float) -> bool:
        """Whether this was the last try."""
        return tries >= self.tries or age >= self.age
