"""What the registry knows of the objects that an update names: their latest versions, and what is tied to them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from common.model import Association, AssociationType, DocumentEntry, Folder
from registry.known import Known, KnownObject


@dataclass(frozen=True, slots=True)
class Version:
    """The latest version of a logical object, whole; its row is locked."""

    item: DocumentEntry | Folder
    logical_id: str
    version: int

    @property
    def entry_uuid(self) -> str:
        """This version's own id."""
        return self.item.entry_uuid


@dataclass(slots=True)
class KnownVersions:
    """A view of the registry, fetched for one update and locked until it is decided.

    ``latest`` is by logicalID; ``ties`` are the Approved Associations of latest versions with other objects than
    SubmissionSets, and ``ends`` what is at both their ends; ``joined`` are pairs of objects that an Approved
    Association joins already, among those that the update would join; ``rivals`` are the current documents
    of the same chain of replacements as an object whose status is to change.
    """

    known: Known = field(default_factory=Known)
    latest: dict[str, Version] = field(default_factory=dict)
    ties: list[Association] = field(default_factory=list)
    ends: dict[str, KnownObject] = field(default_factory=dict)
    joined: set[frozenset[str]] = field(default_factory=set)
    rivals: dict[str, set[str]] = field(default_factory=dict)

    @property
    def objects(self) -> dict[str, KnownObject]:
        """What the Associations of the message point at, by its id."""
        return self.known.objects

    def named(self) -> set[str]:
        """The ids of what the message names: the latest versions, and what its Associations point at."""
        return {latest.entry_uuid for latest in self.latest.values()} | self.objects.keys()

    def forget(self, hidden: Collection[str]) -> None:
        """Take what somebody may not touch as if it were unknown."""
        self.known.forget(hidden)
        self.latest = {name: latest for name, latest in self.latest.items() if latest.entry_uuid not in hidden}

    def live_ties(self) -> list[Association]:
        """Ties to the latest versions of other objects; older ones keep what they had."""
        return [tie for tie in self.ties if self.ends[tie.source].is_latest and self.ends[tie.target].is_latest]

    def holders(self, entry_uuid: str) -> set[str]:
        """The current Folders that a version of an entry is in."""
        return {
            tie.source
            for tie in self.live_ties()
            if tie.type is AssociationType.HAS_MEMBER and tie.target == entry_uuid and self.ends[tie.source].is_current
        }
