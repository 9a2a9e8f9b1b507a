"""Objections, and books of rules that raise them.

A rule reads nothing and raises nothing: it is given values, and yields what it objects to. So all
objections to a message go back in one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, ParamSpec

from common.model import RegistryError, Severity
from common.standard.errors import ErrorCode

P = ParamSpec("P")

Objections = Iterator[tuple[str, str]]
"""What a rule yields: the place (an object's id, a parameter's name) and a sentence."""


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason to refuse: a code of the standard, the place, and a sentence for a person."""

    code: ErrorCode
    where: str
    what: str

    def as_error(self, correlation: str = "") -> RegistryError:
        """The line of the RegistryErrorList that tells of it."""
        context = f"{self.where}: {self.what}" if self.where else self.what
        if correlation:
            context = f"{context} [{correlation}]"
        return RegistryError(self.code, context, self.where, Severity.ERROR)


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
