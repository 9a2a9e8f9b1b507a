"""Legal holds: what is under one is not removed, under whatever id the patient was known when it was placed."""

from __future__ import annotations

from common.ebxml.removal import RemoveObjects
from common.model import DocumentEntry
from common.standard.errors import ErrorCode
from registry.patients import Patients
from registry.remove import Remove
from registry.store import holding, retaining
from registry.store.holding import Hold
from tests.factories import a_document, a_patient_id, a_submission, a_uuid
from tests.unit.registry.small import SmallRegistry

NOW = "20260401120000"


def a_letter(registry: SmallRegistry, patient: str | None = None) -> DocumentEntry:
    document = a_document(entry_uuid=a_uuid(), patient_id=patient or a_patient_id())
    registry.registered(a_submission(document))
    return document


def hold(registry: SmallRegistry, patient_id: str, unique_id: str | None = None) -> str:
    name = a_uuid()
    with registry.database.write() as work:
        holding.place(work, [Hold(patient_id, name, unique_id, "Inquiry", "Somebody", NOW)])
        work.commit()
    return name


def merge(registry: SmallRegistry, subsumed: str | None, survivor: str | None) -> None:
    assert Patients(registry.database, registry.domain).merge(subsumed or "", survivor or "", a_uuid()) is None


def refused(registry: SmallRegistry, letter: DocumentEntry) -> bool:
    """Whether all of a patient's objects may not be removed because of a hold."""
    both = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"
    patient = registry.found("GetDocuments", {"$XDSDocumentEntryEntryUUID": f"('{letter.entry_uuid}')"}).entries[0]
    slots = {"$patientId": f"'{patient.patient_id}'"}
    slots |= {f"$XDS{kind}Status": both for kind in ("DocumentEntry", "SubmissionSet", "Folder")}
    ids = registry.ids("GetAll", slots)
    remove = Remove(registry.database, max_objects=100)
    response = remove.remove(RemoveObjects(tuple(sorted(ids))), message_id=None, correlation="c1")
    codes = {error.code for error in response.errors}
    assert codes <= {ErrorCode.LocalPolicyRestrictionError}
    return bool(codes)


def test_what_a_patients_hold_covers_stays_until_it_is_lifted(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    name = hold(registry, letter.patient_id or "")

    assert refused(registry, letter)
    with registry.database.write() as work:
        assert holding.lift(work, name, by="Somebody", at=NOW, reason="Over")
        work.commit()
    assert not refused(registry, letter)


def test_a_hold_goes_with_a_patient_who_is_merged(registry: SmallRegistry) -> None:
    held, other = a_letter(registry), a_letter(registry)
    hold(registry, held.patient_id or "")

    merge(registry, held.patient_id, other.patient_id)

    assert refused(registry, held)
    assert refused(registry, other), "it is one patient now"


def test_a_hold_on_the_survivor_covers_what_came_by_a_chain_of_merges(registry: SmallRegistry) -> None:
    first, second, third = a_letter(registry), a_letter(registry), a_letter(registry)
    hold(registry, third.patient_id or "")

    merge(registry, first.patient_id, second.patient_id)
    assert not refused(registry, a_letter(registry))
    merge(registry, second.patient_id, third.patient_id)

    assert refused(registry, first)


def test_a_death_that_was_told_under_another_id_counts(registry: SmallRegistry) -> None:
    old, new = a_patient_id(), a_patient_id()
    with registry.database.write() as work:
        retaining.record_deaths(work, {old: "20200101"}, by="Somebody", at=NOW)
        work.commit()
    merge(registry, old, new)

    with registry.database.read() as work:
        assert retaining.deaths(work, [old, new, a_patient_id()]) == {old: "20200101", new: "20200101"}
