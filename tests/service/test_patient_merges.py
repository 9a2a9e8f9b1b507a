"""Merges of patients on both databases: races with registrations, what is kept of them, and undoing them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import select

from common.db import open_database
from common.model import AssociationType, DocumentEntry, Status, Submission
from common.standard.errors import ErrorCode
from registry.patients import Patients
from registry.store import feeding, merging
from registry.store.schema import upgrade
from registry.store.tables import association, entry, folder, identifier, patient, submission_set
from tests.factories import (
    HAS_MEMBER,
    AnyDomain,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_submission_set,
    included,
)
from tests.unit.registry.small import SmallRegistry

RPLC = AssociationType.RPLC
TABLES = (association, entry, folder, identifier, submission_set)


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallRegistry]:
    """An empty registry on either database."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = make()
    database = open_database(url, wait=30)
    upgrade(database)
    yield SmallRegistry(database)
    database.close()


@pytest.fixture
def patients(registry: SmallRegistry) -> Patients:
    """The action on that registry."""
    return Patients(registry.database, registry.domain)


def owners(registry: SmallRegistry) -> dict[str, Counter[str]]:
    """Of each table, how many rows each patient has."""
    with registry.database.engine.connect() as connection:
        return {
            table.name: Counter(row[0] for row in connection.execute(select(table.c.patient_id))) for table in TABLES
        }


def snapshot(registry: SmallRegistry) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is kept of objects."""
    with registry.database.engine.connect() as connection:
        return {table.name: sorted(map(tuple, connection.execute(select(table))), key=str) for table in TABLES}


def a_letter(patient_id: str, *more: object) -> Submission:
    return a_submission(a_document(patient_id=patient_id), *more)  # type: ignore[arg-type]


def documents(registry: SmallRegistry, patient_id: str) -> list[DocumentEntry]:
    approved = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"
    slots = {"$XDSDocumentEntryPatientId": f"'{patient_id}'", "$XDSDocumentEntryStatus": approved}
    return registry.found("FindDocuments", slots).entries


def test_r6_nothing_stays_under_a_retired_id(registry: SmallRegistry, patients: Patients) -> None:
    """Plain submissions, and such with references, while their patients are merged, chains included."""
    registry.limits = registry.limits.__class__(1000, 5000, 5000)
    names = [a_patient_id() for _ in range(12)]
    targets = {name: registry.registered(a_letter(name)).entries[0] for name in names[::2]}
    kept: dict[str, list[str]] = {name: [str(targets[name].unique_id)] if name in targets else [] for name in names}

    def submit(number: int) -> tuple[str, str, Status | None]:
        name = names[number % len(names)]
        document = a_document(patient_id=name)
        submission = a_submission(document)
        if number % 3 == 0 and name in targets:
            owner = a_submission_set(patient_id=name)
            links = (included(owner, targets[name].entry_uuid),)
            submission = a_submission(document, *links, owner=owner)
        if number % 7 == 0:
            submission = a_submission(document, *[a_document(patient_id=name) for _ in range(15)])
        answer = registry.register(submission)
        codes = {error.code for error in answer.errors}
        assert codes <= {ErrorCode.XDSUnknownPatientId, ErrorCode.XDSPatientIdDoesNotMatch}, codes
        return name, str(document.unique_id), answer.status

    done = [Event() for _ in range(10)]

    def merge(number: int) -> str | None:
        # One after the other: into a patient who is merged away by then there is nothing to merge.
        assert number == 0 or done[number - 1].wait(60)
        problem = patients.merge(names[number], names[number + 1], f"m{number}")
        done[number].set()
        return problem.reason if problem else None

    work: list[Callable[[], object]] = [lambda number=number: submit(number) for number in range(240)]  # type: ignore[misc]
    for number in range(10):
        work.insert(20 * (number + 1), lambda number=number: merge(number))  # type: ignore[misc]
    with ThreadPoolExecutor(8) as pool:
        results = [each.result() for each in [pool.submit(task) for task in work]]

    merges = [each for each in results if each is None or isinstance(each, str)]
    assert merges == [None] * 10
    for result in results:
        if isinstance(result, tuple) and result[2] is Status.SUCCESS:
            kept[result[0]].append(result[1])
    for name, count in owners(registry).items():
        assert not set(count) & set(names[:10]), name
    found = {item.unique_id for item in documents(registry, names[10])}
    assert set().union(*[kept[name] for name in names[:11]]) <= found
    refused = [each for each in results if isinstance(each, tuple) and each[2] is not Status.SUCCESS]
    assert len(refused) < 240


def test_r6_first_submissions_for_new_patients_race_with_merges(registry: SmallRegistry, patients: Patients) -> None:
    for _ in range(15):
        old, new = a_patient_id(), a_patient_id()

        def submit(_: int, old: str = old) -> Status:
            return registry.register(a_letter(old)).status

        with ThreadPoolExecutor(4) as pool:
            sent = [pool.submit(submit, number) for number in range(3)]
            merged = pool.submit(patients.merge, old, new, "m")
            assert merged.result() is None
            good = sum(each.result() is Status.SUCCESS for each in sent)
        assert documents(registry, old) == []
        assert len(documents(registry, new)) == good


def test_w9_merges_in_circles_at_once_leave_one_survivor(registry: SmallRegistry, patients: Patients) -> None:
    for _ in range(10):
        names = [a_patient_id() for _ in range(3)]
        for name in names:
            registry.registered(a_letter(name))
        pairs = [(names[0], names[1]), (names[1], names[2]), (names[2], names[0]), (names[1], names[0])]
        random.shuffle(pairs)
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(lambda pair: patients.merge(*pair, "m"), pairs))

        assert 1 <= outcomes.count(None) <= 2
        assert sorted(len(documents(registry, name)) for name in names)[:1] == [0]
        assert sum(len(documents(registry, name)) for name in names) == 3


def everything(patient_id: str) -> Submission:
    document, folder = a_document(patient_id=patient_id), a_folder(patient_id=patient_id)
    return a_submission(document, folder, a_link(HAS_MEMBER, folder, document))


def test_an_undone_merge_leaves_everything_as_it_was(registry: SmallRegistry, patients: Patients) -> None:
    first, second, third = a_patient_id(), a_patient_id(), a_patient_id()
    for name in (first, second, third):
        registry.registered(everything(name))
    before = snapshot(registry)

    assert patients.merge(first, second, "1") is None
    between = snapshot(registry)
    assert patients.merge(second, third, "2") is None
    assert len(documents(registry, third)) == 3

    [told] = patients.unmerge(first)
    assert "itself merged" in told
    assert patients.unmerge(second) == []
    assert snapshot(registry) == between
    assert patients.unmerge(first) == []
    assert snapshot(registry) == before
    assert "no merge" in patients.unmerge(first)[0]
    # What was undone can be done again, and submissions are taken again.
    registry.registered(a_letter(first))
    assert patients.merge(first, third, "3") is None
    with registry.database.read() as work:
        told_of = [(each.subsumed, each.survivor, bool(each.undone_at)) for each in merging.merges(work)]
    assert sorted(told_of) == sorted([(first, second, True), (second, third, True), (first, third, False)])


def test_what_came_later_and_depends_on_nothing_stays(registry: SmallRegistry, patients: Patients) -> None:
    old, new = a_patient_id(), a_patient_id()
    registry.registered(everything(old))
    patients.merge(old, new, "1")
    later = registry.registered(a_letter(new)).entries[0]

    assert patients.unmerge(old) == []
    assert [item.unique_id for item in documents(registry, new)] == [later.unique_id]
    assert len(documents(registry, old)) == 1


@pytest.mark.parametrize("tie", ["replacement", "folder"])
def test_a_merge_that_something_new_depends_on_is_not_undone(
    registry: SmallRegistry, patients: Patients, tie: str
) -> None:
    old, new = a_patient_id(), a_patient_id()
    given = registry.registered(everything(old))
    patients.merge(old, new, "1")
    document = a_document(patient_id=new)
    if tie == "replacement":
        registry.registered(a_submission(document, a_link(RPLC, document, given.entries[0].entry_uuid)))
    else:
        registry.registered(a_submission(document, a_link(HAS_MEMBER, given.folders[0].entry_uuid, document)))
    before = snapshot(registry)

    problems = patients.unmerge(old)

    assert problems
    assert all("Association" in each for each in problems)
    assert snapshot(registry) == before


def test_a_document_of_the_other_patient_in_a_submission_set_hinders_nobody(
    registry: SmallRegistry, patients: Patients
) -> None:
    old, new = a_patient_id(), a_patient_id()
    given = registry.registered(a_letter(old)).entries[0]
    owner = a_submission_set(patient_id=new)
    registry.registered(a_submission(included(owner, given.entry_uuid), owner=owner, patient_id=new))
    before = snapshot(registry)

    assert patients.merge(old, new, "1") is None
    assert patients.unmerge(old) == []
    assert snapshot(registry) == before


def test_ids_that_need_escaping_are_rewritten_in_fragments(registry: SmallRegistry, patients: Patients) -> None:
    old, new = "A<&>1^^^&2.999.1&ISO", "BB1^^^&2.999.1&ISO"
    registry.registered(everything(old))

    assert patients.merge(old, new, "1") is None
    [found] = documents(registry, new)
    assert (found.patient_id, found.source_patient_id) == (new, "NGH4471893^^^&2.999.826.4.1&ISO")


def test_only_those_that_were_fed_are_known_by_that_policy(registry: SmallRegistry) -> None:
    """A row that only a refused or an earlier submission left behind is no feed."""
    registry.domain = AnyDomain(only_fed=True)
    patients = Patients(registry.database, registry.domain)
    fed, unfed = a_patient_id(), a_patient_id()
    assert patients.make_known([fed, fed]) is None
    assert SmallRegistry(registry.database).register(a_letter(unfed)).status is Status.SUCCESS  # under another policy

    assert registry.register(a_letter(fed)).status is Status.SUCCESS
    assert [error.code for error in registry.register(a_letter(unfed)).errors] == [ErrorCode.XDSUnknownPatientId]
    for pair in ((fed, unfed), (unfed, fed)):
        problem = patients.merge(*pair, "m")
        assert problem is not None
        assert "feed" in problem.reason
    with registry.database.read() as work:
        assert [row[0] for row in feeding.fed_patients(work)] == [fed]
    assert patients.make_known([unfed]) is None
    assert patients.merge(unfed, fed, "m") is None
    assert len(documents(registry, fed)) == 2


def test_a_patient_who_was_merged_away_does_not_come_back_by_a_feed(
    registry: SmallRegistry, patients: Patients
) -> None:
    old, new = a_patient_id(), a_patient_id()
    patients.merge(old, new, "1")

    assert patients.make_known([old]) is None
    assert registry.register(a_letter(old)).status is not Status.SUCCESS
    with registry.database.engine.connect() as connection:
        row = connection.execute(select(patient.c.merged_into).where(patient.c.patient_id == old)).scalar_one()
    assert row == new


def test_a_query_for_a_subsumed_id_finds_nothing_or_is_told(registry: SmallRegistry, patients: Patients) -> None:
    old, new = a_patient_id(), a_patient_id()
    registry.registered(a_letter(old))
    patients.merge(old, new, "1")

    assert documents(registry, old) == []
    registry.strict = True
    approved = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"
    slots = {"$XDSDocumentEntryPatientId": f"'{old}'", "$XDSDocumentEntryStatus": approved}
    assert [each.code for each in registry.ask("FindDocuments", slots).response.errors] == [
        ErrorCode.XDSUnknownPatientId
    ]
    assert len(documents(registry, new)) == 1


def test_a_crash_before_the_commit_leaves_nothing_half_merged(registry: SmallRegistry, patients: Patients) -> None:
    from common.faults import FaultRaised, armed

    old, new = a_patient_id(), a_patient_id()
    registry.registered(everything(old))
    before = snapshot(registry)
    for step in ("merge.moved", "db.flushed"):
        with armed(f"{step}=raise"), pytest.raises(FaultRaised):
            patients.merge(old, new, "1")
        assert snapshot(registry) == before
    assert patients.merge(old, new, "1") is None
    with armed("unmerge.moved=raise"), pytest.raises(FaultRaised):
        patients.unmerge(old)
    assert len(documents(registry, new)) == 1
