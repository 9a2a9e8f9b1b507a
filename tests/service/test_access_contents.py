"""SubmissionSets and Folders of which no document may be seen, in every query that finds them; on both databases."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from common.access import Act
from common.audit import account
from common.db import Database
from common.db.database import Work
from common.web.answers import outcome
from registry.access.touching import Touching
from registry.search import Limits
from tests.access_cases import PRACTICE, SPECIALIST
from tests.access_kit import keep
from tests.factories import (
    HAS_MEMBER,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_submission_set,
    a_uuid,
)
from tests.service.test_access_queries import BOTH, DOCTOR, SEALED, GuardedRegistry, by_uuid, database

__all__ = ["database"]


@pytest.fixture
def registry(database: Database) -> GuardedRegistry:
    return GuardedRegistry(database)


def a_patient(registry: GuardedRegistry) -> str:
    patient = a_patient_id()
    keep(registry.database, "relationships", {"patient_id": patient, "organisation": PRACTICE})
    return patient


@dataclass
class Filed:
    """A SubmissionSet with a Folder, each with one document; ids and uniqueIds."""

    set: str
    folder: str
    document: str
    set_id: str
    folder_id: str
    document_id: str = ""


def a_file(registry: GuardedRegistry, patient: str, *, sealed: bool) -> Filed:
    codes = {"confidentiality_codes": SEALED} if sealed else {}
    document = a_document(patient_id=patient, entry_uuid=a_uuid(), **codes)
    folder = a_folder(patient_id=patient, entry_uuid=a_uuid())
    given = registry.registered(a_submission(document, folder, a_link(HAS_MEMBER, folder, document)))
    owner = given.submission_set
    unique = (str(each.unique_id) for each in (owner, folder, document))
    return Filed(owner.entry_uuid, folder.entry_uuid, document.entry_uuid, *unique)


def finds(patient: str, *filed: Filed) -> dict[str, dict[str, str]]:
    """Queries that find SubmissionSets or Folders."""
    folders = {"$XDSFolderPatientId": f"'{patient}'", "$XDSFolderStatus": BOTH}
    every = by_uuid([name for each in filed for name in (each.set, each.folder, each.document)])
    return {
        "FindSubmissionSets": {"$XDSSubmissionSetPatientId": f"'{patient}'", "$XDSSubmissionSetStatus": BOTH},
        "FindFolders": folders,
        "FindFoldersForMultiplePatients": {**folders, "$XDSFolderPatientId": f"('{patient}')"},
        "GetAll": {"$patientId": f"'{patient}'", "$XDSDocumentEntryStatus": BOTH, "$XDSSubmissionSetStatus": BOTH,
                   "$XDSFolderStatus": BOTH},
        "GetFolders": {"$XDSFolderEntryUUID": by_uuid([each.folder for each in filed])},
        "GetSubmissionSets": {"$uuid": by_uuid([name for each in filed for name in (each.document, each.folder)])},
        "GetAssociations": {"$uuid": every},
        "GetFolderAndContents": {"$XDSFolderUniqueId": f"'{filed[0].folder_id}'"},
        "GetSubmissionSetAndContents": {"$XDSSubmissionSetUniqueId": f"'{filed[0].set_id}'"},
        "GetFoldersForDocument": {"$XDSDocumentEntryEntryUUID": f"'{filed[0].document}'"},
    }  # fmt: skip


NAMES = list(finds("", Filed("", "", "", "", "")))


def asked(registry: GuardedRegistry, name: str, slots: dict[str, str]) -> set[str]:
    return registry.ids(name, slots, multi_patient=name.endswith("MultiplePatients"))


@pytest.mark.parametrize("name", NAMES)
def test_one_that_holds_hidden_documents_alone_is_not_there(registry: GuardedRegistry, name: str) -> None:
    patient = a_patient(registry)
    hidden = a_file(registry, patient, sealed=True)
    slots = finds(patient, hidden)[name]

    assert asked(registry, name, slots) == set()
    assert registry.ask(name, slots, leaf=True, multi_patient=name.endswith("MultiplePatients")).count == 0
    registry.who = replace(DOCTOR, roles=frozenset({SPECIALIST}))
    assert asked(registry, name, slots)


@pytest.mark.parametrize("name", NAMES)
def test_beside_one_that_is_seen_it_is_not_there_either(registry: GuardedRegistry, name: str) -> None:
    patient = a_patient(registry)
    seen, hidden = a_file(registry, patient, sealed=False), a_file(registry, patient, sealed=True)

    found = asked(registry, name, finds(patient, seen, hidden)[name])

    assert found
    assert not found & {hidden.set, hidden.folder, hidden.document}
    if not name.startswith(("Find", "GetAll")):
        assert found == asked(registry, name, finds(patient, seen)[name])
    assert {seen.set, seen.folder} & found or name == "GetAssociations"


def test_one_that_never_held_documents_is_seen_with_the_patient(registry: GuardedRegistry) -> None:
    patient, stranger = a_patient(registry), a_patient_id()
    for whose in (patient, stranger):
        folder = a_folder(patient_id=whose, entry_uuid=a_uuid())
        given = registry.registered(a_submission(folder, patient_id=whose))
        expected = {folder.entry_uuid, given.submission_set.entry_uuid} if whose == patient else set()
        slots = finds(whose, Filed(given.submission_set.entry_uuid, folder.entry_uuid, "", "", ""))
        assert asked(registry, "FindFolders", slots["FindFolders"]) == expected & {folder.entry_uuid}
        assert asked(registry, "FindSubmissionSets", slots["FindSubmissionSets"]) == expected - {folder.entry_uuid}


def test_one_that_filed_what_was_there_goes_by_that(registry: GuardedRegistry) -> None:
    """A SubmissionSet whose members are Associations, or a Folder, holds the documents that these lead to."""
    patient = a_patient(registry)
    seen, hidden = a_file(registry, patient, sealed=False), a_file(registry, patient, sealed=True)

    def filing(folder: str, document: str) -> str:
        link = a_link(HAS_MEMBER, folder, document, entry_uuid=a_uuid())
        return registry.registered(a_submission(link, patient_id=patient)).submission_set.entry_uuid

    of_open, of_sealed = filing(hidden.folder, seen.document), filing(seen.folder, hidden.document)
    empty = a_folder(patient_id=patient, entry_uuid=a_uuid())
    of_folder = registry.registered(a_submission(empty)).submission_set.entry_uuid
    slots = finds(patient, seen)["FindSubmissionSets"]

    assert asked(registry, "FindSubmissionSets", slots) == {seen.set, of_open, of_folder}
    of_content = filing(empty.entry_uuid, hidden.document)
    assert asked(registry, "FindSubmissionSets", slots) == {seen.set, of_open}
    assert not {of_sealed, of_content} & asked(registry, "GetSubmissionSets", {"$uuid": by_uuid([seen.document])})
    # The Folder of the hidden document holds one now that is seen.
    assert asked(registry, "FindFolders", finds(patient, seen)["FindFolders"]) == {seen.folder, hidden.folder}


@pytest.mark.parametrize("kind", ["document", "package"])
def test_that_a_unique_id_is_taken_tells_nothing_of_whose_it_is(registry: GuardedRegistry, kind: str) -> None:
    told = []
    for sealed in (True, False):
        patient, mine = a_patient_id(), a_patient_id()
        filed = a_file(registry, patient, sealed=sealed)
        again = a_document(patient_id=mine, hash="b" * 40, unique_id=filed.document_id)
        owner = a_submission_set(patient_id=mine, unique_id=filed.folder_id)
        with account.bind() as kept:
            response = registry.register(a_submission(again) if kind == "document" else a_submission(owner=owner))
            outcome(response)
        texts = " ".join(f"{error.context} {error.location}" for error in response.errors)
        for name in (patient.partition("^")[0], filed.set, filed.folder, filed.document):
            assert name not in texts
        codes = [error.code.name for error in response.errors]
        assert codes == ["XDSNonIdenticalHash"] if kind == "document" else "XDSDuplicateUniqueIdInRegistry" in codes
        assert set(codes) <= set(kept.problems)
        told.append(texts.replace(filed.folder_id, "").replace(filed.document_id, ""))
    assert told[0] == told[1]


def test_nothing_is_done_to_a_folder_that_is_not_seen(registry: GuardedRegistry) -> None:
    patient = a_patient(registry)
    seen, hidden = a_file(registry, patient, sealed=False), a_file(registry, patient, sealed=True)
    names = {seen.set, seen.folder, seen.document, hidden.set, hidden.folder, hidden.document}

    with registry.database.read() as work:
        found = Touching(registry.guard, DOCTOR, Act.SUBMIT).hidden(work, names)
    assert found == {hidden.set, hidden.folder, hidden.document}


def test_what_is_hidden_takes_no_room_and_is_not_counted(registry: GuardedRegistry) -> None:
    patient = a_patient(registry)
    for _ in range(6):
        a_file(registry, patient, sealed=True)
    seen = a_file(registry, patient, sealed=False)
    slots = finds(patient, seen)["FindSubmissionSets"]
    registry.limits = Limits(1000, 2, 2)

    assert asked(registry, "FindSubmissionSets", slots) == {seen.set}


def test_the_trail_says_by_which_rule(registry: GuardedRegistry) -> None:
    patient = a_patient(registry)
    hidden = a_file(registry, patient, sealed=True)

    with account.bind() as told:
        asked(registry, "FindSubmissionSets", finds(patient, hidden)["FindSubmissionSets"])
    assert [(each.allowed, each.rule, each.patient_id) for each in told.judgements] == [(False, "sealed", patient)]


@pytest.mark.parametrize("name", ["FindSubmissionSets", "FindFolders", "GetAll", "GetAssociations"])
def test_statements_do_not_grow_with_what_is_there(
    registry: GuardedRegistry, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    rows = Work.rows

    def count(work: Work, *given: object) -> object:
        counted.append(1)
        return rows(work, *given)  # type: ignore[arg-type]

    few, many = a_patient(registry), a_patient(registry)
    filed = {
        whose: [a_file(registry, whose, sealed=bool(number % 2)) for number in range(size)]
        for whose, size in ((few, 2), (many, 12))
    }
    search = registry.guard
    monkeypatch.setattr(GuardedRegistry, "guard", property(lambda _: search))
    asked(registry, name, finds(few, *filed[few])[name])
    monkeypatch.setattr(Work, "rows", count)
    numbers = []
    for whose in (few, many):
        counted.clear()
        assert asked(registry, name, finds(whose, *filed[whose])[name])
        numbers.append(len(counted))

    assert numbers[0] == numbers[1] <= 10
