"""What a check found: how it is, and where it is not well, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """A failure keeps Portolan from working; a warning may, or will some day."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    about: str
    outcome: Outcome
    text: str
    advice: str = ""


Findings = Iterator[Finding]


def ok(about: str, text: str) -> Finding:
    """It is well."""
    return Finding(about, Outcome.OK, text)


def warn(about: str, text: str, advice: str) -> Finding:
    """It works, and should be seen to."""
    return Finding(about, Outcome.WARN, text, advice)


def fail(about: str, text: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(about, Outcome.FAIL, text, advice)
