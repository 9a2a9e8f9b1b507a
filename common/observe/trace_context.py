"""The trace that a request belongs to, as W3C Trace Context writes it: headers in, values out, and back.

What is malformed is ignored, as the recommendation demands: no request fails for it.
"""

import re
from dataclasses import dataclass
from typing import Final

from common.observe.redact import redacted

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

_MOST_STATE: Final = 512
_MOST_MEMBERS: Final = 32
_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")
_NEWEST: Final = "00"
_MOST_PARENT: Final = 128
_KEY: Final = r"(?:[a-z0-9][_0-9a-z*/-]{0,255}|[a-z0-9][_0-9a-z*/-]{0,240}@[a-z][_0-9a-z*/-]{0,13})"
_MEMBER: Final = re.compile(rf"({_KEY})=([ -+\--<>-~]{{0,255}}[!-+\--<>-~])")
_BLANKS: Final = " \t"


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The caller's span: its trace, itself, whether it is recorded, and what vendors add."""

    trace_id: int
    span_id: int
    sampled: bool
    state: tuple[tuple[str, str], ...] = ()


def read(traceparent: str | None, tracestate: str | None = None) -> TraceContext | None:
    """The caller's span, or None when there is none, or none that can be understood."""
    if not traceparent or len(traceparent) > _MOST_PARENT:
        return None
    found = _PARENT.fullmatch(traceparent.strip(_BLANKS))
    if found is None or found[1] == "ff" or (found[1] == _NEWEST and found[5]):
        return None
    trace_id, span_id = int(found[2], 16), int(found[3], 16)
    if not trace_id or not span_id:
        return None
    return TraceContext(trace_id, span_id, bool(int(found[4], 16) & 1), read_state(tracestate))


def read_state(tracestate: str | None) -> tuple[tuple[str, str], ...]:
    """The members of a tracestate; none when any is malformed, comes twice, or looks like a patient's number."""
    if not tracestate or len(tracestate) > _MOST_STATE or redacted(tracestate) != tracestate:
        return ()
    members: dict[str, str] = {}
    for written in tracestate.split(","):
        member = written.strip(_BLANKS)
        if not member:  # an empty member is allowed, and means nothing
            continue
        found = _MEMBER.fullmatch(member)
        if found is None or found[1] in members:
            return ()
        members[found[1]] = found[2]
    return tuple(members.items()) if len(members) <= _MOST_MEMBERS else ()


def write(context: TraceContext) -> dict[str, str]:
    """The headers that say so to whoever is called."""
    headers = {TRACEPARENT: f"{_NEWEST}-{context.trace_id:032x}-{context.span_id:016x}-{int(context.sampled):02x}"}
    if context.state:
        headers[TRACESTATE] = ",".join(f"{key}={value}" for key, value in context.state)
    return headers
