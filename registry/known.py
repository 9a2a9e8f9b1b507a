"""What the registry already knows that a submission has to fit in with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from common.model import AssociationType, AvailabilityStatus, ObjectType, RegistryObject, Submission


class Domain(Protocol):
    """The affinity domain's policies: its codes and its patients."""

    def accepts_code(self, attribute: str, code: str, scheme: str) -> bool:
        """Whether a code is of the attribute's value set."""
        ...

    def accepts_mime(self, mime_type: str) -> bool:
        """Whether documents may be of this type."""
        ...

    def patient_problem(self, patient_id: str) -> str | None:
        """What is wrong with a patient id as such, in words that do not repeat it."""
        ...

    @property
    def home_community(self) -> str:
        """The homeCommunityId of this community; empty where it has none."""
        ...

    @property
    def only_fed_patients(self) -> bool:
        """Whether a patient has to come through a feed before anything is registered for them."""
        ...


@dataclass(frozen=True, slots=True)
class KnownObject:
    """A registered object, as far as rules look at it."""

    entry_uuid: str
    kind: type[RegistryObject]
    patient_id: str
    status: AvailabilityStatus
    unique_id: str | None = None
    object_type: ObjectType | None = None
    source: str = ""
    target: str = ""
    link_type: AssociationType | None = None
    is_latest: bool = True

    @property
    def is_current(self) -> bool:
        """The latest version, and Approved."""
        return self.is_latest and self.status is AvailabilityStatus.APPROVED

    @property
    def is_deprecated(self) -> bool:
        """No longer current."""
        return self.status is AvailabilityStatus.DEPRECATED


@dataclass(frozen=True, slots=True)
class Taken:
    """A uniqueId that some registered object has."""

    kind: str
    hash: str | None
    size: str | None


@dataclass(slots=True)
class Known:
    """A view of the registry, fetched for one submission and locked until it is decided."""

    objects: dict[str, KnownObject] = field(default_factory=dict)
    taken: dict[str, Taken] = field(default_factory=dict)
    taken_ids: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    """Patients that have a row, for whatever reason."""
    patients: set[str] = field(default_factory=set)
    """Patients that came through a feed, and are not merged into another."""
    merged: set[str] = field(default_factory=set)
    transformations: set[str] = field(default_factory=set)

    def forget(self, hidden: Iterable[str]) -> None:
        """Take what somebody may not touch as if it were unknown."""
        for name in hidden:
            self.objects.pop(name, None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to be fetched to decide on a submission."""

    references: frozenset[str]
    unique_ids: frozenset[str]
    submitted_ids: frozenset[str]
    patient_ids: frozenset[str]
    addenda_targets: frozenset[str]


def _named(values: Iterable[str | None]) -> frozenset[str]:
    return frozenset(value for value in values if value)


def wanted(submission: Submission) -> Wanted:
    """Names in a submission that mean something outside of it."""
    own: Collection[str] = {item.entry_uuid for item in submission.objects()}
    ends = {end for link in submission.associations for end in (link.source, link.target)}
    filed = [*submission.submission_sets, *submission.entries, *submission.folders]
    return Wanted(
        references=frozenset(end for end in ends - set(own) if end.startswith("urn:uuid:")),
        unique_ids=_named(item.unique_id for item in filed),
        submitted_ids=frozenset(name for name in own if name.startswith("urn:uuid:")),
        patient_ids=_named(item.patient_id for item in filed),
        addenda_targets=frozenset(link.target for link in submission.associations if link.type is AssociationType.APND),
    )
