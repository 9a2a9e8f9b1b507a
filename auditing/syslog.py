"""A syslog message: its header (RFC 5424 section 6), and the audit message in it (ITI TF-2 3.20.4.1.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HEADER: Final = re.compile(
    rb"<(\d{1,3})>1 (\S{1,64}) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) "
    rb'(?:-|(?:\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*+")*+\])++)(?: |$)'
)
_BOM: Final = b"\xef\xbb\xbf"


class NotSyslog(ValueError):  # noqa: N818
    """Bytes that do not begin as RFC 5424 says."""


@dataclass(frozen=True, slots=True)
class Syslog:
    """Who sent it, in their own words, and what it says."""

    priority: int
    time: str
    host: str
    application: str
    process: str
    kind: str
    content: bytes


def read(message: bytes) -> Syslog:
    """NotSyslog."""
    found = _HEADER.match(message)
    if found is None or int(found[1]) > 191:
        raise NotSyslog("it has no header of RFC 5424")
    time, host, application, process, kind = (part.decode("utf-8", "replace") for part in found.groups()[1:])
    return Syslog(int(found[1]), time, host, application, process, kind, message[found.end() :].removeprefix(_BOM))
