"""Objections, and books of rules that raise them.

A rule reads nothing and raises nothing: it is given values, and yields what it objects to. So all
objections to a message go back in one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, ParamSpec

from common.model import RegistryError, Severity
from common.standard.errors import ErrorCode

P = ParamSpec("P")

MOST_TOLD: Final = 1000
"""Objections that one answer lists; a message can be wrong in more places than anybody would read."""
_MOST_WHERE: Final = 256
_MOST_WHAT: Final = 1000

Objections = Iterator[tuple[str, str]]
"""What a rule yields: the place (an object's id, a parameter's name) and a sentence."""


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason to refuse: a code of the standard, the place, and a sentence for a person."""

    code: ErrorCode
    where: str
    what: str

    def as_error(self, correlation: str = "", severity: Severity = Severity.ERROR) -> RegistryError:
        """The line of the RegistryErrorList that tells of it; what the message itself named is cut to a length."""
        where, what = self.where[:_MOST_WHERE], self.what[:_MOST_WHAT]
        context = f"{where}: {what}" if where else what
        if correlation:
            context = f"{context} [{correlation}]"
        return RegistryError(self.code, context, where, severity)


def as_errors(
    objections: Sequence[Objection], correlation: str = "", severity: Severity = Severity.ERROR
) -> tuple[RegistryError, ...]:
    """The RegistryErrorList of all objections, or of warnings: an answer stays in proportion, whatever was asked."""
    told = list(objections[:MOST_TOLD])
    if (left := objections[MOST_TOLD:]) and told:
        told.append(Objection(left[0].code, "", f"{len(left)} more objections are not listed"))
    return tuple(objection.as_error(correlation, severity) for objection in told)


class Rulebook(Generic[P]):
    """Rules that are given the same things, in the order in which they were written down."""

    def __init__(self) -> None:
        self.rules: list[tuple[ErrorCode, Callable[P, Objections]]] = []

    def rule(self, code: ErrorCode) -> Callable[[Callable[P, Objections]], Callable[P, Objections]]:
        """Write a rule down, with the code that its objections carry."""

        def enter(function: Callable[P, Objections]) -> Callable[P, Objections]:
            self.rules.append((code, function))
            return function

        return enter

    def check(self, *args: P.args, **kwargs: P.kwargs) -> list[Objection]:
        """All objections of all rules."""
        return [Objection(code, where, what) for code, rule in self.rules for where, what in rule(*args, **kwargs)]
