"""Every stored query with documents, folders and patients that somebody may not see (S10, S11), on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import update

from common.access import Who, load_access_policy
from common.audit import account
from common.db import Database, open_database
from common.ebxml.query import AdhocQuery
from common.model import AssociationType
from common.standard.queries import BY_NAME, EXTENSIONS, Shape
from registry.access.guard import Guard
from registry.search import Answer, Limits, Search
from registry.store.schema import upgrade
from registry.store.tables import entry
from tests.access_cases import CLINICIAN, HOSPITAL, PRACTICE, SPECIALIST, TREATMENT
from tests.access_kit import a_county, an_agreement, keep
from tests.factories import (
    APPROVED,
    DEPRECATED,
    HAS_MEMBER,
    a_code,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_uuid,
)
from tests.unit.registry.small import SmallRegistry

DE = "$XDSDocumentEntry"
BOTH = f"('{APPROVED}','{DEPRECATED}')"
DOCTOR = Who(user="555000000001", roles=frozenset({CLINICIAN}), organisation=PRACTICE, purposes=frozenset({TREATMENT}))
SEALED = (a_code("V", "2.16.840.1.113883.5.25", "Very restricted"),)


class GuardedRegistry(SmallRegistry):
    """Answers somebody."""

    who = DOCTOR
    guarded = True

    def ask(self, name: str, slots: Any, *, leaf: bool = False, multi_patient: bool = False) -> Answer:
        """ITI-18 or ITI-51 by ``who``."""
        pairs = tuple((slot, (values,) if isinstance(values, str) else tuple(values)) for slot, values in slots.items())
        search = Search(self.database, self.limits, None, self.guard if self.guarded else None)
        asked = AdhocQuery(BY_NAME[name].id, "LeafClass" if leaf else "ObjectRef", pairs)
        return search.answer(asked, multi_patient=multi_patient, correlation="c1", who=self.who)

    @property
    def guard(self) -> Guard:
        """With a memory of its own, as another process has."""
        return Guard(self.database, load_access_policy(""), now=lambda: self.now)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path_factory.mktemp('registry') / 'registry.db'}"
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = make()
    made = open_database(url)
    upgrade(made)
    a_county(made)
    an_agreement(made)
    yield made
    made.close()


@pytest.fixture
def registry(database: Database) -> GuardedRegistry:
    return GuardedRegistry(database)


@dataclass
class Record:
    """An open and a sealed document of one patient in one folder, the second appended to the first; ids by name."""

    patient: str
    names: dict[str, str]
    unique: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.names[name]


def a_record(registry: SmallRegistry, *, related: bool = True) -> Record:
    patient = a_patient_id()
    reference = {"reference_id_list": ("A1^^^&2.999.6&ISO^urn:ihe:iti:xds:2013:accession",)}
    first = a_document(patient_id=patient, entry_uuid=a_uuid(), **reference)
    hidden = a_document(patient_id=patient, entry_uuid=a_uuid(), confidentiality_codes=SEALED, **reference)
    kept = a_folder(patient_id=patient, entry_uuid=a_uuid())
    links = {
        "open in folder": a_link(HAS_MEMBER, kept, first, entry_uuid=a_uuid()),
        "sealed in folder": a_link(HAS_MEMBER, kept, hidden, entry_uuid=a_uuid()),
        "between": a_link(AssociationType.APND, hidden, first, entry_uuid=a_uuid()),
    }
    given = registry.registered(a_submission(first, hidden, kept, *links.values()))
    names = {"open": first.entry_uuid, "sealed": hidden.entry_uuid, "folder": kept.entry_uuid}
    names |= {name: link.entry_uuid for name, link in links.items()} | {"set": given.submission_set.entry_uuid}
    if related:
        keep(registry.database, "relationships", {"patient_id": patient, "organisation": PRACTICE})
    unique = {"open": first.unique_id, "sealed": hidden.unique_id, "folder": kept.unique_id}
    return Record(patient, names, {**unique, "set": given.submission_set.unique_id})  # type: ignore[dict-item]


def by_uuid(names: list[str]) -> str:
    return "(" + ",".join(f"'{name}'" for name in names) + ")"


def questions(record: Record, document: str) -> dict[str, dict[str, str]]:
    """Every stored query, asked so that it would find all of the record; with ``document`` where it names one."""
    status = {f"{DE}Status": BOTH}
    one = {f"{DE}EntryUUID": f"'{record[document]}'"}
    patient = f"'{record.patient}'"
    find = {f"{DE}PatientId": patient, **status}
    reference = {f"{DE}ReferenceIdList": "'%'"}
    folders = {"$XDSFolderPatientId": patient, "$XDSFolderStatus": BOTH}
    everything = by_uuid([*record.names.values()])
    return {
        "FindDocuments": find,
        "FindDocumentsByReferenceId": find | reference,
        "FindDocumentsExclude": find,
        "FindSubmissionSets": {"$XDSSubmissionSetPatientId": patient, "$XDSSubmissionSetStatus": BOTH},
        "FindFolders": folders,
        "GetAll": {"$patientId": patient, **status, "$XDSSubmissionSetStatus": BOTH, "$XDSFolderStatus": BOTH},
        "GetDocuments": {f"{DE}UniqueId": by_uuid([record.unique["open"], record.unique["sealed"]])},
        "GetFolders": {"$XDSFolderEntryUUID": f"('{record['folder']}')"},
        "GetAssociations": {"$uuid": everything},
        "GetDocumentsAndAssociations": {f"{DE}EntryUUID": by_uuid([record["open"], record["sealed"]])},
        "GetSubmissionSets": {"$uuid": f"('{record[document]}')"},
        "GetSubmissionSetAndContents": {"$XDSSubmissionSetUniqueId": f"'{record.unique['set']}'"},
        "GetFolderAndContents": {"$XDSFolderUniqueId": f"'{record.unique['folder']}'"},
        "GetFoldersForDocument": one,
        "GetRelatedDocuments": {**one, "$AssociationTypes": f"('{AssociationType.APND}')"},
        "FindDocumentsForMultiplePatients": {f"{DE}PatientId": f"({patient})", **status},
        "FindFoldersForMultiplePatients": {"$XDSFolderPatientId": f"({patient})", "$XDSFolderStatus": BOTH},
        "FindDocumentsByReferenceIdForMultiplePatients": {f"{DE}PatientId": f"({patient})", **status, **reference},
    }


STANDARD = [name for name in BY_NAME if name not in EXTENSIONS]
FINDS_NO_DOCUMENTS = ("FindSubmissionSets", "FindFolders", "GetFolders", "GetSubmissionSets")
FINDS_SEALED = [
    name for name in STANDARD if not name.startswith(FINDS_NO_DOCUMENTS) or name == "GetSubmissionSetAndContents"
]
NAMES_ONE = ("GetSubmissionSets", "GetFoldersForDocument", "GetRelatedDocuments")


def asked(registry: GuardedRegistry, name: str, slots: dict[str, str]) -> set[str]:
    return registry.ids(name, slots, multi_patient=BY_NAME[name].multi_patient)


def tied_to_sealed(record: Record) -> set[str]:
    return {record[name] for name in ("sealed", "sealed in folder", "between")}


def test_there_is_a_question_for_every_stored_query(registry: GuardedRegistry) -> None:
    record = a_record(registry)

    assert set(questions(record, "open")) == set(STANDARD)
    for name, slots in questions(record, "sealed").items():
        registry.guarded = False
        if name in FINDS_SEALED:
            assert tied_to_sealed(record) & asked(registry, name, slots) or name in NAMES_ONE, name


@pytest.mark.parametrize("name", STANDARD)
def test_a_sealed_document_and_what_is_tied_to_it_is_not_there(registry: GuardedRegistry, name: str) -> None:
    record = a_record(registry)
    slots = questions(record, "open")[name]
    registry.guarded = False
    everything = asked(registry, name, slots)
    registry.guarded = True

    seen = asked(registry, name, slots)

    # Members by which the SubmissionSet holds what is not seen have names that nobody was told.
    member = {each for each in everything - seen if each not in record.names.values()}
    assert seen <= everything
    assert not seen & tied_to_sealed(record)
    if name == "GetRelatedDocuments":
        assert seen == set()  # the one relationship is with the sealed one
    else:
        assert everything - seen - member <= tied_to_sealed(record)


@pytest.mark.parametrize("name", NAMES_ONE)
def test_nothing_is_found_by_a_document_that_is_not_seen(registry: GuardedRegistry, name: str) -> None:
    record = a_record(registry)

    assert asked(registry, name, questions(record, "sealed")[name]) == set()
    registry.who = replace(DOCTOR, roles=frozenset({SPECIALIST}))
    assert asked(registry, name, questions(record, "sealed")[name])


@pytest.mark.parametrize("name", STANDARD)
def test_whoever_may_see_sealed_documents_sees_all_that_there_is(registry: GuardedRegistry, name: str) -> None:
    record = a_record(registry)
    slots = questions(record, "sealed")[name]
    registry.guarded = False
    everything = asked(registry, name, slots)
    registry.guarded, registry.who = True, replace(DOCTOR, roles=frozenset({SPECIALIST}))

    assert asked(registry, name, slots) == everything


@pytest.mark.parametrize("name", STANDARD)
def test_s11_whatever_is_guessed_of_a_stranger_is_not_there(registry: GuardedRegistry, name: str) -> None:
    record = a_record(registry, related=False)

    with account.bind() as told:
        answer = registry.ask(name, questions(record, "open")[name], multi_patient=BY_NAME[name].multi_patient)
        whole = registry.ask(
            name, questions(record, "open")[name], leaf=True, multi_patient=BY_NAME[name].multi_patient
        )

    assert not answer.response.errors
    assert answer.count == whole.count == 0
    assert answer.body == registry.ask(
        name, questions(replace(record, patient=a_patient_id(), names=dict.fromkeys(record.names, a_uuid()),
                                unique=dict.fromkeys(record.unique, "2.25.1")), "open")[name],
        multi_patient=BY_NAME[name].multi_patient,
    ).body  # fmt: skip
    assert not any(each.allowed for each in told.judgements)
    assert {each.patient_id for each in told.judgements} <= {record.patient, ""}


def test_whole_objects_are_as_they_are_without_access(registry: GuardedRegistry) -> None:
    record = a_record(registry)
    slots = {f"{DE}EntryUUID": f"('{record['open']}')"}
    guarded = registry.ask("GetDocuments", slots, leaf=True)
    registry.guarded = False

    assert guarded.body == registry.ask("GetDocuments", slots, leaf=True).body


def test_limits_count_what_is_seen(registry: GuardedRegistry) -> None:
    patient = a_patient_id()
    keep(registry.database, "relationships", {"patient_id": patient, "organisation": PRACTICE})
    hidden = [a_document(patient_id=patient, confidentiality_codes=SEALED) for _ in range(20)]
    seen = [a_document(patient_id=patient) for _ in range(4)]
    registry.max_objects = 1000
    registry.registered(a_submission(*hidden, *seen))
    slots = {f"{DE}PatientId": f"'{patient}'", f"{DE}Status": BOTH}
    registry.limits = Limits(1000, 4, 4)

    assert len(registry.ids("FindDocuments", slots)) == 4
    registry.limits = Limits(1000, 3, 3)
    [error] = registry.ask("FindDocuments", slots).response.errors
    assert error.code == "XDSTooManyResults"
    assert "3 objects" in error.context


def test_older_entries_have_their_organisation_read_from_the_fragment(registry: GuardedRegistry) -> None:
    record = a_record(registry)
    with registry.database.engine.begin() as connection:
        changed = update(entry).where(entry.c.entry_uuid == record["open"]).values(author_organisations=None)
        connection.execute(changed)
    slots = {f"{DE}EntryUUID": f"('{record['open']}')"}

    assert registry.ids("GetDocuments", slots) == {record["open"]}
    assert registry.ask("GetDocuments", slots, leaf=True).count == 1


def test_a_change_counts_at_once_in_every_process(registry: GuardedRegistry) -> None:
    record, guard = a_record(registry), registry.guard
    slots = questions(record, "open")["GetDocuments"]
    search = Search(registry.database, registry.limits, None, guard)
    query = AdhocQuery(BY_NAME["GetDocuments"].id, "ObjectRef", tuple((k, (v,)) for k, v in slots.items()))

    def count(who: Who) -> int:
        return search.answer(query, multi_patient=False, correlation="c", who=who).count

    nurse = replace(DOCTOR, roles=frozenset({f"R9{record['open'][-6:]}^2.999"}))
    assert count(nurse) == 0
    keep(
        registry.database,
        "roles",
        *({"role": next(iter(nurse.roles)), "right": right} for right in ("search", "sealed")),
    )
    assert count(nurse) == 2


@pytest.mark.parametrize(("basis", "rule"), [("implied", "consent"), ("explicit", "care"), ("", "care")])
def test_a_hospital_needs_a_consent_that_was_given(registry: GuardedRegistry, basis: str, rule: str) -> None:
    record = a_record(registry, related=False)
    registry.who = replace(DOCTOR, organisation=HOSPITAL)
    keep(registry.database, "relationships", {"patient_id": record.patient, "organisation": HOSPITAL})
    keep(registry.database, "consents", {"patient_id": record.patient, "decision": "permit", "basis": basis})

    for name in ("FindDocuments", "GetDocuments"):
        with account.bind() as told:
            asked(registry, name, questions(record, "open")[name])
        assert {each.rule for each in told.judgements} == {rule, "sealed"}


def test_the_account_tells_what_the_answer_does_not(registry: GuardedRegistry) -> None:
    record = a_record(registry)

    with account.bind() as told:
        registry.ask("FindDocuments", questions(record, "open")["FindDocuments"])
    assert {(each.allowed, each.rule, each.count, each.patient_id) for each in told.judgements} == {
        (True, "care", 1, record.patient),
        (False, "sealed", 1, record.patient),
    }
    with account.bind() as told:
        registry.ask("GetDocuments", questions(record, "open")["GetDocuments"])
    assert {each.objects for each in told.judgements} == {(record["open"],), (record["sealed"],)}


@pytest.mark.parametrize("who", [Who(), replace(DOCTOR, roles=frozenset({"R0000^2.999"}))], ids=["nobody", "no right"])
def test_who_may_not_search_at_all_hears_no_more_than_that(registry: GuardedRegistry, who: Who) -> None:
    record = a_record(registry)
    registry.who = who

    for name, slots in questions(record, "open").items():
        [error] = registry.ask(name, slots, multi_patient=BY_NAME[name].multi_patient).response.errors
        assert error.code == "XDSRegistryError"
        assert error.context == "this is not allowed to whoever asks [c1]"


def test_what_others_may_do_is_told_to_those_who_may_ask(registry: GuardedRegistry) -> None:
    record = a_record(registry)
    slots = {"$AccessAct": "'read'", f"{DE}UniqueId": f"('{record.unique['open']}')", "$AccessUser": "'x'"}

    for name in EXTENSIONS:
        [error] = registry.ask(name, slots).response.errors
        assert "not allowed" in error.context
    role = f"JUDGE{record['open'][-6:]}^2.999"
    keep(registry.database, "roles", {"role": role, "right": "judge"})
    registry.who = replace(DOCTOR, roles=frozenset({role}))
    for name in EXTENSIONS:
        assert registry.ask(name, slots).response.errors == ()
    [error] = registry.ask("JudgeAccess", {**slots, "$AccessAct": "'cook'"}).response.errors
    assert "no such act" in error.context
    registry.guarded = False
    [error] = registry.ask("JudgeAccess", slots).response.errors
    assert "not judged here" in error.context


def test_every_shape_is_answered() -> None:
    assert {row.shape for row in BY_NAME.values()} == set(Shape)
