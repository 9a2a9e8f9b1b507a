"""Stored queries on what ITI-42 alone cannot make: on-demand entries, older versions, deprecated folders and links."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree
from sqlalchemy import update

from common.model import AssociationType, AvailabilityStatus, ObjectType
from common.standard.identifiers import RIM
from registry.search import Limits
from registry.store.tables import association, entry, folder
from tests.factories import HAS_MEMBER, AnyDomain, a_document, a_folder, a_link, a_patient_id, a_submission, a_uuid
from tests.unit.registry.small import SmallRegistry

APPROVED, DEPRECATED = AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED
BOTH_TYPES = f"('{ObjectType.STABLE}','{ObjectType.ON_DEMAND}')"
DE = "$XDSDocumentEntry"


def changed(registry: SmallRegistry, table: Any, uuid: str, **values: Any) -> None:
    with registry.database.engine.begin() as connection:
        connection.execute(update(table).where(table.c.entry_uuid == uuid).values(**values))


@pytest.fixture
def family(registry: SmallRegistry) -> dict[str, str]:
    """A stable and an on-demand document in one folder, the one a snapshot of the other; ids by name."""
    patient = a_patient_id()
    stable, on_demand = (a_document(entry_uuid=a_uuid(), patient_id=patient) for _ in range(2))
    kept = a_folder(entry_uuid=a_uuid(), patient_id=patient)
    links = [
        a_link(HAS_MEMBER, kept, stable, entry_uuid=a_uuid()),
        a_link(HAS_MEMBER, kept, on_demand, entry_uuid=a_uuid()),
        a_link(AssociationType.APND, stable, on_demand, entry_uuid=a_uuid()),
    ]
    submission = registry.registered(a_submission(stable, on_demand, kept, *links))
    changed(registry, entry, on_demand.entry_uuid, object_type=ObjectType.ON_DEMAND.value)
    return {
        "patient": patient,
        "stable": stable.entry_uuid,
        "on demand": on_demand.entry_uuid,
        "on demand unique": on_demand.unique_id or "",
        "folder": kept.entry_uuid,
        "set": submission.submission_set.entry_uuid,
        **dict(zip(("of stable", "of on demand", "between"), (each.entry_uuid for each in links), strict=True)),
    }


def queries(family: dict[str, str]) -> dict[str, dict[str, str]]:
    status = f"('{APPROVED}')"
    types = f"('{AssociationType.APND}')"
    return {
        "FindDocuments": {f"{DE}PatientId": f"'{family['patient']}'", f"{DE}Status": status},
        "GetAll": {
            "$patientId": f"'{family['patient']}'",
            f"{DE}Status": status,
            "$XDSSubmissionSetStatus": status,
            "$XDSFolderStatus": status,
        },
        "GetSubmissionSetAndContents": {"$XDSSubmissionSetEntryUUID": f"'{family['set']}'"},
        "GetFolderAndContents": {"$XDSFolderEntryUUID": f"'{family['folder']}'"},
        "GetRelatedDocuments": {f"{DE}EntryUUID": f"'{family['stable']}'", "$AssociationTypes": types},
    }


NAMES = ("FindDocuments", "GetAll", "GetSubmissionSetAndContents", "GetFolderAndContents", "GetRelatedDocuments")


@pytest.mark.parametrize("name", NAMES)
def test_on_demand_entries_are_left_out_unless_asked_for(
    registry: SmallRegistry, family: dict[str, str], name: str
) -> None:
    slots = queries(family)[name]

    assert family["on demand"] not in registry.ids(name, slots)
    assert family["on demand"] in registry.ids(name, {**slots, f"{DE}Type": BOTH_TYPES})


def test_contents_leave_out_links_to_what_they_leave_out(registry: SmallRegistry, family: dict[str, str]) -> None:
    asked = queries(family)

    assert registry.ids("GetFolderAndContents", asked["GetFolderAndContents"]) == {
        family["folder"], family["stable"], family["of stable"],
    }  # fmt: skip
    assert family["between"] not in registry.ids("GetSubmissionSetAndContents", asked["GetSubmissionSetAndContents"])
    assert registry.ids("GetRelatedDocuments", asked["GetRelatedDocuments"]) == set()
    assert registry.ids("GetRelatedDocuments", {**asked["GetRelatedDocuments"], f"{DE}Type": BOTH_TYPES}) == {
        family["stable"], family["on demand"], family["between"],
    }  # fmt: skip


def test_get_documents_returns_on_demand_entries_too(registry: SmallRegistry, family: dict[str, str]) -> None:
    for slots in (
        {f"{DE}EntryUUID": f"('{family['on demand']}')"},
        {f"{DE}UniqueId": f"('{family['on demand unique']}')"},
    ):
        assert registry.ids("GetDocuments", slots) == {family["on demand"]}


def test_a_folder_is_found_for_an_on_demand_document(registry: SmallRegistry, family: dict[str, str]) -> None:
    slots = {f"{DE}EntryUUID": f"'{family['on demand']}'"}

    assert registry.ids("GetFoldersForDocument", slots) == {family["folder"]}


@pytest.mark.parametrize(
    ("table", "which", "values", "name"),
    [
        (entry, "stable", {"is_latest": 0}, "FindDocuments"),
        (entry, "stable", {"is_latest": 0}, "GetFolderAndContents"),
        (entry, "stable", {"is_latest": 0}, "GetSubmissionSetAndContents"),
        (folder, "folder", {"is_latest": 0}, "GetAll"),
        (folder, "folder", {"is_latest": 0}, "GetFolderAndContents"),
        (folder, "folder", {"availability_status": DEPRECATED.value}, "GetSubmissionSetAndContents"),
    ],
)
def test_level_1_leaves_out_older_versions_and_deprecated_folders(
    registry: SmallRegistry, family: dict[str, str], table: Any, which: str, values: dict[str, Any], name: str
) -> None:
    slots = queries(family)[name]
    assert family[which] in registry.ids(name, slots)

    changed(registry, table, family[which], **values)

    assert family[which] not in registry.ids(name, slots)
    assert family[which] in registry.ids(name, {**slots, "$MetadataLevel": "2"})


@pytest.mark.parametrize("name", ["GetAssociations", "GetDocumentsAndAssociations", "GetFolderAndContents"])
def test_deprecated_associations_are_shown_at_level_2_when_asked_for(
    registry: SmallRegistry, family: dict[str, str], name: str
) -> None:
    slots = {
        "GetAssociations": {"$uuid": f"('{family['stable']}')"},
        "GetDocumentsAndAssociations": {f"{DE}EntryUUID": f"('{family['stable']}')"},
        "GetFolderAndContents": queries(family)["GetFolderAndContents"],
    }[name]
    changed(registry, association, family["of stable"], availability_status=DEPRECATED.value)
    both = {"$XDSAssociationStatus": f"('{APPROVED}','{DEPRECATED}')"}

    assert family["of stable"] not in registry.ids(name, {**slots, **both})
    assert family["of stable"] not in registry.ids(name, {**slots, "$MetadataLevel": "2"})
    assert family["of stable"] in registry.ids(name, {**slots, **both, "$MetadataLevel": "2"})


def test_the_status_that_is_written_is_that_of_the_row(registry: SmallRegistry, family: dict[str, str]) -> None:
    changed(registry, entry, family["stable"], availability_status=DEPRECATED.value)

    answer = registry.ask("GetDocuments", {f"{DE}EntryUUID": f"('{family['stable']}')"}, leaf=True)

    [found] = etree.fromstring(answer.body).iter(f"{{{RIM}}}ExtrinsicObject")
    assert found.get("status") == DEPRECATED
    assert (answer.count, answer.query) == (1, "GetDocuments")


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 300])
def test_any_number_of_ids_is_asked_for_at_once(registry: SmallRegistry, family: dict[str, str], count: int) -> None:
    names = [f"'{a_uuid()}'" for _ in range(count - 1)] + [f"'{family['stable']}'"]
    slots = {"$uuid": "(" + ",".join(names) + ")"}

    assert registry.ids("GetAssociations", slots) >= {family["of stable"], family["between"]}
    assert registry.ids("GetSubmissionSets", slots) > {family["set"]}
    assert registry.ids("GetDocuments", {f"{DE}EntryUUID": slots["$uuid"]}) == {family["stable"]}


def test_limits_hold_for_get_all_too(registry: SmallRegistry, family: dict[str, str]) -> None:
    slots = queries(family)["GetAll"]
    for limit in range(12):
        registry.limits = Limits(1000, limit, limit)
        answer = registry.ask("GetAll", slots)
        codes = [error.code for error in answer.response.errors]
        assert codes == ([] if limit >= 11 else ["XDSTooManyResults"]), limit


def test_by_policy_a_query_for_an_unknown_patient_is_an_error(registry: SmallRegistry, family: dict[str, str]) -> None:
    registry.strict, registry.domain = True, AnyDomain(only_fed=True)
    slots = queries(family)["FindDocuments"]

    before = registry.ask("FindDocuments", slots).response.errors
    registry.feed(family["patient"])

    assert [error.code for error in before] == ["XDSUnknownPatientId"]
    assert registry.ids("FindDocuments", slots) == {family["stable"]}
