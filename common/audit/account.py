"""What one request did, told by those who carried it out, and written into its audit record when it is answered."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was asked for or given; ``problem`` is the error code where it was not given."""

    unique_id: str
    repository_unique_id: str = ""
    home_community_id: str = ""
    problem: str = ""
    patient_id: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the access decision came to: by which rule, for how many objects; ids only of documents that were asked for.

    ``rule`` names the rule for people who read the audit trail; it is never told to the caller.
    """

    allowed: bool
    rule: str
    patient_id: str = ""
    objects: tuple[str, ...] = ()
    count: int = 1
    emergency: str = ""


class Judged(Protocol):
    """What an access decision came to."""

    @property
    def allowed(self) -> bool:
        """Whether it may be."""
        ...

    @property
    def rule(self) -> str:
        """What decided."""
        ...

    @property
    def emergency(self) -> str:
        """The reason that was given, where an emergency was claimed."""
        ...


@dataclass(slots=True)
class Account:
    """The account of one request; patients are CX, as in metadata."""

    patients: list[str] = field(default_factory=list)
    submission_sets: list[str] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Codes of the errors that were told."""
    subsumed: list[str] = field(default_factory=list)
    """Those of the patients who were merged into another."""
    owners: dict[str, str] = field(default_factory=dict)
    """The patients of ``objects``, where they are known."""
    message_id: str = ""
    """What the sender of a feed calls its message."""
    query_id: str = ""
    query: bytes | None = None
    home_community_id: str = ""

    def judged(self, outcome: Judged, patient_id: str, objects: tuple[str, ...] = (), count: int = 1) -> None:
        """An access decision, or what the Registry says of one, about some objects of a patient."""
        judgement = Judgement(outcome.allowed, outcome.rule, patient_id, objects, count, outcome.emergency)
        self.judgements.append(judgement)

    def concerns(self, *patient_ids: str) -> None:
        """The request is about these patients, each of whom is told of once."""
        for patient_id in patient_ids:
            if patient_id and patient_id not in self.patients:
                self.patients.append(patient_id)

    def submits(self, sets: Iterable[tuple[str | None, str | None]]) -> None:
        """It submits these SubmissionSets: their patients, and their uniqueIds."""
        for patient_id, unique_id in sets:
            self.concerns(patient_id or "")
            if unique_id:
                self.submission_sets.append(unique_id)

    def removes(self, owned: Iterable[tuple[str, str]]) -> None:
        """It removes registry objects: their ids, and whose they are."""
        for name, patient_id in owned:
            self.owners[name] = patient_id
            self.concerns(patient_id)

    def merges(self, subsumed: str, survivor: str) -> None:
        """One patient becomes a part of another."""
        self.concerns(subsumed, survivor)
        self.subsumed.append(subsumed)

    def asks(self, query_id: str, query: bytes, home_community_id: str | None = None) -> None:
        """It is a query."""
        self.query_id, self.query = query_id, query
        self.home_community_id = home_community_id or ""


_current: ContextVar[Account | None] = ContextVar("account", default=None)


def current() -> Account:
    """The account of the request being served; one that nobody reads outside of a request."""
    return _current.get() or Account()


def bound() -> Account | None:
    """The same where somebody reads it, for what is told at some cost only then."""
    return _current.get()


class bind:  # noqa: N801 - to be read like a function; as a class it costs half as much, for every request
    """A new account for the block."""

    __slots__ = ("_token",)

    def __enter__(self) -> Account:
        account = Account()
        self._token = _current.set(account)
        return account

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
