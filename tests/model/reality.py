"""The Registry's actions on a real database, spoken to in the words of the model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from typing import Any, cast

from lxml import etree

from common.client import DocumentAdministrator
from common.client.administrator import RemovalRefused, RemovedDocuments
from common.db import Database
from common.ebxml.removal import RemoveObjects
from common.ebxml.submission import read_submission
from common.model import (
    Association,
    AssociationType,
    AvailabilityStatus,
    DocumentEntry,
    Folder,
    ObjectType,
    RegistryError,
    RegistryResponse,
    Severity,
    Status,
    Submission,
    SubmissionSet,
)
from common.standard.errors import ErrorCode
from console.purging import planning
from console.purging.judging import judge
from console.purging.running import Pace, Run
from registry.patients import Patients
from registry.register import ON_DEMAND, STABLE, Register
from registry.relink import LinkChange, Relink
from registry.remove import Remove
from registry.retention.policy import read_policy
from registry.search import Limits
from registry.store import holding, purging, retaining
from registry.store.holding import Hold
from registry.update import Update
from tests.factories import (
    HAS_MEMBER,
    a_document,
    a_folder,
    a_link,
    a_status_change,
    a_submission_set,
    a_submitted_association,
    an_update,
    included,
    submit_objects,
    text,
)
from tests.model.world import APPROVED, DEPRECATED, ENTRY, FOLDER, LINK, SET, Plan, Revision, Thing
from tests.unit.registry.small import SmallRegistry

NOW = "20260311150000"
AS_OF = date(2026, 3, 11)
POLICY = read_policy(
    'name = "p"\n[[rule]]\nname = "all"\nsource = "the model"\nkeep = [{years = 8, after = "creation"}]\n'
)
_STATUS = {APPROVED: AvailabilityStatus.APPROVED, DEPRECATED: AvailabilityStatus.DEPRECATED}
BOTH = f"('{_STATUS[APPROVED]}','{_STATUS[DEPRECATED]}')"
ANY_TYPE = f"('{ObjectType.STABLE}','{ObjectType.ON_DEMAND}')"


def as_entry(thing: Thing) -> DocumentEntry:
    """The DocumentEntry that a thing of the model stands for."""
    item = a_document(
        entry_uuid=thing.name, patient_id=thing.patient, unique_id=thing.unique_id, title=text(thing.title),
        source_patient_id=thing.local, hash=hashlib.sha1(thing.hash.encode()).hexdigest(), size=str(len(thing.hash)),
    )  # fmt: skip
    item.creation_time = "20010301120000" if thing.is_old else "20250301120000"
    if thing.on_demand:
        item.object_type, item.hash, item.size, item.creation_time = ObjectType.ON_DEMAND, None, None, None
    return item


def as_folder(thing: Thing) -> Folder:
    """The Folder that a thing of the model stands for."""
    made = a_folder(entry_uuid=thing.name, patient_id=thing.patient, unique_id=thing.unique_id)
    made.title = text(thing.title)
    return made


def as_set(thing: Thing) -> SubmissionSet:
    """The SubmissionSet that a thing of the model stands for."""
    return a_submission_set(entry_uuid=thing.name, patient_id=thing.patient, unique_id=thing.unique_id)


def as_submission(plan: Plan) -> Submission:
    """ITI-42 or ITI-61 of what the model plans."""
    owner = as_set(plan.owner)
    made = Submission([owner])
    for thing in plan.items:
        if thing.kind == ENTRY:
            made.entries.append(as_entry(thing))
        else:
            made.folders.append(as_folder(thing))
    made.associations += [a_link(HAS_MEMBER, owner, each.name, submission_set_status="Original") for each in plan.items]
    made.associations += [included(owner, name) for name in plan.included]
    for type_, source, target in plan.links:
        link = a_link(AssociationType[type_], source, target)
        made.associations.append(link)
        if link.type is HAS_MEMBER:
            made.associations.append(a_link(HAS_MEMBER, owner, link, submission_set_status="Original"))
    return made


def codes(response: RegistryResponse) -> set[str]:
    """The errors of an answer; none of a Success."""
    errors = {str(error.code) for error in response.errors if error.severity is Severity.ERROR}
    assert bool(errors) == (response.status is Status.FAILURE), response
    return errors


class Reality(SmallRegistry):
    """Every operation of the model, carried out; ``new_id`` makes the registry's own names."""

    def __init__(self, database: Database, new_id: Callable[[], str]) -> None:
        super().__init__(database, max_objects=1000)
        self.limits = Limits(5000, 5000, 5000)
        self.bytes_removed: set[str] = set()
        parts: dict[str, Any] = {"new_id": new_id, "now": lambda: self.now}
        self._register = Register(database, self.domain, max_objects=1000, **parts)
        self._update = Update(database, self.domain, max_objects=1000, **parts)
        self._remove = Remove(database, max_objects=1000, now=lambda: self.now)
        self._patients = Patients(database, self.domain, **parts)
        self._relink = Relink(database, self.domain, **parts)

    def submit(self, data: bytes, message: str, *, on_demand: bool = False) -> set[str]:
        """ITI-42 or ITI-61."""
        answer = self._register.register(
            lambda: read_submission(etree.fromstring(data)),
            message_id=message,
            digest=hashlib.sha256(data).hexdigest(),
            correlation="c1",
            rules=ON_DEMAND if on_demand else STABLE,
        )
        return codes(answer)

    def _amend(self, submission: Submission, *, restricted: bool = False) -> set[str]:
        data = submit_objects(submission)
        answer = self._update.update(
            lambda: read_submission(etree.fromstring(data)),
            restricted=restricted,
            message_id=submission.submission_set.entry_uuid,
            digest=hashlib.sha256(data).hexdigest(),
            correlation="c1",
        )
        return codes(answer)

    def revise(self, owner: Thing, revisions: list[Revision], *, restricted: bool) -> set[str]:
        """ITI-57 or ITI-92."""
        made = Submission([as_set(owner)])
        for each in revisions:
            item = as_entry(each.item) if each.item.kind == ENTRY else as_folder(each.item)
            item.logical_id = each.item.lid
            one = an_update(
                item,
                previous=str(each.previous),
                propagation=None if each.propagates else "no",
                owner=made.submission_set,
            )
            made.entries += one.entries
            made.folders += one.folders
            made.associations += one.associations
        return self._amend(made, restricted=restricted)

    def change_status(self, owner: Thing, name: str, before: str, after: str) -> set[str]:
        """ITI-57."""
        return self._amend(
            self._owned(owner, a_status_change(name, _STATUS[before], _STATUS[after], patient_id=owner.patient))
        )

    def associate(self, owner: Thing, type_: str, source: str, target: str) -> set[str]:
        """ITI-57."""
        link = a_link(AssociationType[type_], source, target)
        return self._amend(self._owned(owner, a_submitted_association(link, patient_id=owner.patient)))

    @staticmethod
    def _owned(owner: Thing, submission: Submission) -> Submission:
        before = submission.submission_set.entry_uuid
        submission.submission_sets[0] = as_set(owner)
        for link in submission.associations:
            link.source = owner.name if link.source == before else link.source
        return submission

    def remove(self, names: list[str]) -> set[str]:
        """ITI-62."""
        request = RemoveObjects(tuple(names), comment="Tester: the model says so")
        return codes(self._remove.remove(request, message_id=None, correlation="c1"))

    def plan_purge(self, patient: str) -> tuple[str, set[str]]:
        """A plan for one patient's documents; its id, and which entries it is about."""
        with self.database.write() as work:
            entries = retaining.of_patient(work, patient)
            going = [each for each in judge(work, entries, POLICY, AS_OF) if each.verdict.may_go] if entries else []
            plan, items = planning.new_plan(POLICY, AS_OF, "A. Planner", going)
            purging.keep(work, plan, items)
            work.commit()
        return plan.plan_id, {each.entry_uuid for each in items}

    def run_purge(self, plan_id: str) -> dict[str, int]:
        """Somebody else confirms the plan, and it is carried out; how many items ended in which state."""
        planning.confirm(self.database, plan_id, "B. Confirmer")
        with self.database.read() as work:
            plan = planning.known_plan(work, plan_id)
        administrator = cast("DocumentAdministrator", _Administrator(self))
        return Run(self.database, administrator, plan, 1000, Pace(0), lambda _: None).all()

    def merge(self, subsumed: str, survivor: str, message: str) -> bool:
        """A40."""
        return self._patients.merge(subsumed, survivor, message) is None

    def unmerge(self, subsumed: str) -> bool:
        """By an administrator."""
        return not self._patients.unmerge(subsumed)

    def relink(self, old: str, new: str, moving: str, local: str) -> bool:
        """A43."""
        return self._relink.change(LinkChange(old, new, moving, local)) is None

    def hold(self, hold_id: str, patient: str, unique_id: str | None) -> None:
        """On a document, or on a patient."""
        with self.database.write() as work:
            holding.place(work, [Hold(patient, hold_id, unique_id, "an inquiry", "Tester", NOW)])
            work.commit()

    def lift(self, hold_id: str) -> None:
        """End a hold."""
        with self.database.write() as work:
            assert holding.lift(work, hold_id, by="Tester", at=NOW, reason="over")
            work.commit()

    def everything(self, patient: str, level: int) -> list[Thing]:
        """GetAll."""
        slots = {"$patientId": f"'{patient}'", "$MetadataLevel": str(level), "$XDSAssociationStatus": BOTH}
        slots |= {f"$XDS{kind}Status": BOTH for kind in ("DocumentEntry", "SubmissionSet", "Folder")}
        found = self.found("GetAll", slots | {"$XDSDocumentEntryType": ANY_TYPE})
        return [as_thing(each) for each in found.objects()]


class _Administrator:
    """Sends ITI-62 to the Registry here, and ITI-86 to a Repository of which only what was removed is known."""

    def __init__(self, reality: Reality) -> None:
        self._reality = reality

    def remove_metadata(self, entry_uuids: list[str], *, by: str, reason: str, message_id: str) -> None:
        """As DocumentAdministrator."""
        refused = self._reality.remove(entry_uuids)
        if refused:
            raise RemovalRefused(tuple(RegistryError(ErrorCode[code], code) for code in refused))

    def remove_documents(self, repository: str, unique_ids: list[str], *, message_id: str) -> RemovedDocuments:
        """As DocumentAdministrator."""
        self._reality.bytes_removed.update(unique_ids)
        return RemovedDocuments(tuple(unique_ids))


def as_thing(item: SubmissionSet | DocumentEntry | Folder | Association | Any) -> Thing:
    """A registered object as the model has it."""
    status = APPROVED if item.availability_status is AvailabilityStatus.APPROVED else DEPRECATED
    thing = Thing(item.entry_uuid, "", getattr(item, "patient_id", "") or "", status=status)
    thing.lid, thing.version = item.logical_id or item.entry_uuid, item.version or 1
    thing.unique_id = getattr(item, "unique_id", "") or ""
    if isinstance(item, Association):
        thing.kind, thing.type, thing.source, thing.target = LINK, item.type.name, item.source, item.target
        return thing
    thing.kind = {DocumentEntry: ENTRY, Folder: FOLDER, SubmissionSet: SET}[type(item)]
    thing.title = item.title[0].value if item.title and thing.kind != SET else ""
    if isinstance(item, DocumentEntry):
        thing.on_demand, thing.local = item.object_type is ObjectType.ON_DEMAND, item.source_patient_id or ""
        thing.hash = item.hash or ""
    return thing
