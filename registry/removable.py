"""What the registry knows of objects that are to be removed, and of all that hangs on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from common.model import Association, AssociationType, RegistryObject, SubmissionSet


@dataclass(frozen=True, slots=True)
class Doomed:
    """A registered object as the evidence of its removal will tell of it."""

    entry_uuid: str
    kind: type[RegistryObject]
    patient_id: str
    unique_id: str | None = None
    logical_id: str | None = None
    version: int | None = None
    is_latest: bool = False
    repository_unique_id: str | None = None
    hash: str | None = None
    size: str | None = None


@dataclass(frozen=True, slots=True)
class KnownLink:
    """A registered Association."""

    entry_uuid: str
    patient_id: str
    type: str
    source: str
    target: str

    @property
    def is_membership(self) -> bool:
        """Whether it is a HasMember."""
        return self.type == AssociationType.HAS_MEMBER.value


@dataclass(slots=True)
class Removable:
    """A view of the registry, fetched for one removal and locked until it is decided.

    ``links`` are all Associations at a listed object, or at an end of a listed Association; ``held`` tells for an
    object which legal hold it is under; ``gone`` when a listed object that is unknown was removed.
    """

    listed: tuple[str, ...]
    objects: dict[str, Doomed] = field(default_factory=dict)
    links: dict[str, KnownLink] = field(default_factory=dict)
    submission_sets: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)

    def going(self) -> Iterator[Doomed]:
        """The listed objects that are registered."""
        return (self.objects[name] for name in self.listed if name in self.objects)

    def links_going(self) -> Iterator[KnownLink]:
        """The listed Associations."""
        return (self.links[each.entry_uuid] for each in self.going() if each.kind is Association)

    def links_staying(self) -> Iterator[KnownLink]:
        """Associations that are not listed."""
        listed = set(self.listed)
        return (link for name, link in self.links.items() if name not in listed)

    def is_submission_set(self, name: str) -> bool:
        """Whether an id is that of a registered SubmissionSet."""
        known = self.objects.get(name)
        return name in self.submission_sets or (known is not None and known.kind is SubmissionSet)
