"""ITI-64: moves the documents of a local patient id from one patient to another (ITI TF-2 3.64)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from common.audit import account
from common.clock import utc_now
from common.db import Database, Work, decided
from common.ebxml.fragments import new_uuid
from common.faults import checkpoint
from common.feeds.problem import Problem, Side
from common.hl7.refusals import Condition
from common.model import (
    Association,
    AssociationType,
    DocumentEntry,
    Folder,
    LocalizedString,
    RegistryObject,
    Submission,
    SubmissionSet,
)
from registry.known import Domain, Known
from registry.moving import Moving
from registry.patients import states
from registry.rules.effects import first_version
from registry.rules.patients import unknown
from registry.rules.relinking import inherited, torn
from registry.store import registering, relinking, versions
from registry.visiting import Visits

log = logging.getLogger("portolan.patients")

_MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class LinkChange:
    """Documents of a local id move from one patient to another, and are known by a local id there; all are CX."""

    old: str
    new: str
    moving: str
    local: str


class Relink:
    """Carries out link changes."""

    def __init__(
        self,
        database: Database,
        domain: Domain,
        visits: Visits | None = None,
        *,
        new_id: Callable[[], str] = new_uuid,
        now: Callable[[], str] = utc_now,
    ) -> None:
        """With ``visits`` the visits that the local id has had move as well."""
        self._visits = visits
        self._database = database
        self._domain = domain
        self._new_id = new_id
        self._now = now

    def change(self, link: LinkChange) -> Problem | None:
        """New versions of all current documents of the local id; nothing when that cannot be whole."""
        account.current().concerns(link.old, link.new)
        if link.old == link.new and link.moving == link.local:
            return Problem(Side.SUBSUMED, Condition.DUPLICATE_KEY, "the local id is linked to that patient already")
        for side, patient_id in ((Side.SUBSUMED, link.old), (Side.SURVIVOR, link.new)):
            if problem := self._domain.patient_problem(patient_id):
                return Problem(side, Condition.UNKNOWN_KEY, problem)
        return decided(lambda: self._change(link))

    def _change(self, link: LinkChange) -> Problem | None:
        with self._database.write() as work:
            found = states(work, (link.old, link.new))
            for side, patient_id in ((Side.SUBSUMED, link.old), (Side.SURVIVOR, link.new)):
                if problem := unknown(patient_id, found[patient_id], self._domain):
                    return Problem(side, Condition.UNKNOWN_KEY, f"the patient id cannot be used: {problem}")
            entries = relinking.entries_of(work, link.old, link.moving)
            if self._visits is not None:
                self._visits.relink(work, link.old, link.new, link.moving, link.local, self._now())
            if not entries:
                work.commit()
                return None  # nothing was registered with that local id, or it has moved already
            moving = relinking.around(work, {item.entry_uuid for item in entries})
            if link.old != link.new and (problems := list(torn(moving))):
                told = "; ".join(problems[:_MOST_TOLD])
                return Problem(Side.SUBSUMED, Condition.LOCKED, f"the documents cannot move alone: {told}")
            self._move(work, link, entries, moving)
            checkpoint("relink.moved")
            work.commit()
        log.info("changed the link of a local id", extra={"moved": len(entries)})
        return None

    def _move(self, work: Work, link: LinkChange, entries: list[DocumentEntry], moving: Moving) -> None:
        now = self._now()
        made = _Made(self._new_id, relinking.submitted_in(work, entries[0].entry_uuid), link.new, now)
        names: dict[str, str] = {}
        for item in entries:
            item.source_patient_id = link.local
            names |= made.next_version(item)
        versions.retire(work, DocumentEntry, names, versions.LINKED_AWAY)
        if link.old != link.new:
            folders = relinking.folders(work, moving.members)
            versions.retire(work, Folder, moving.members)
            for folder in folders:
                folder.last_update_time = now
                names |= made.next_version(folder)
        else:
            registering.touch_folders(work, moving.members, now)
        made.inherit(moving, names, same_patient=link.old == link.new)
        known = Known(seen={link.old, link.new}, taken=registering.taken(work, made.submission))
        registering.insert(
            work,
            made.submission,
            known,
            submitted=frozenset(),
            message_id=None,
            digest="",
            now=now,
            new_id=self._new_id,
        )


class _Made:
    """The submission of its own in which new versions are registered."""

    def __init__(self, new_id: Callable[[], str], like: SubmissionSet, patient_id: str, now: str) -> None:
        self._new_id = new_id
        self._patient_id = patient_id
        owner = SubmissionSet(
            new_id(),
            patient_id=patient_id,
            unique_id=f"2.25.{UUID(new_id()).int}",
            source_id=like.source_id,
            submission_time=now,
            content_type_code=like.content_type_code,
            authors=like.authors,
            title=(LocalizedString("Link change of a local patient id", "en-GB", "UTF-8"),),
        )
        first_version(owner)
        self.submission = Submission(submission_sets=[owner])

    def next_version(self, item: DocumentEntry | Folder) -> Mapping[str, str]:
        """Add the next version of an object, under the new patient; its old name and its new one."""
        old, previous = item.entry_uuid, item.version or 1
        versions.next_version(item, self._new_id)
        item.patient_id = self._patient_id
        if isinstance(item, DocumentEntry):
            self.submission.entries.append(item)
        else:
            self.submission.folders.append(item)
        self._file(item, previous_version=str(previous))
        return {old: item.entry_uuid}

    def _file(self, item: RegistryObject, *, previous_version: str | None = None) -> None:
        link = self._link(AssociationType.HAS_MEMBER.value, self.submission.submission_set.entry_uuid, item.entry_uuid)
        link.submission_set_status = "Original"
        link.previous_version = previous_version

    def _link(self, kind: str, source: str, target: str) -> Association:
        link = Association(self._new_id(), type=AssociationType(kind), source=source, target=target)
        first_version(link)
        self.submission.associations.append(link)
        return link

    def inherit(self, moving: Moving, names: Mapping[str, str], *, same_patient: bool) -> None:
        """Relationships and memberships of the versions before (AssociationPropagation, ITI TF-2 3.57.4.1.3)."""
        for tie in inherited(moving, same_patient=same_patient):
            self._link(tie.type, names.get(tie.source, tie.source), names.get(tie.target, tie.target))
        for holder, members in sorted(moving.members.items()):
            for member in sorted(members & names.keys()):
                kind = AssociationType.HAS_MEMBER.value
                self._file(self._link(kind, names.get(holder, holder), names[member]))
