"""ITI-18 and ITI-51 at a running Registry: filters, contents, bounds and policies of every stored query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from common.model import Association, AssociationType, DocumentEntry, Submission
from common.standard.queries import BY_NAME, Match, Shape
from common.standard.transactions import ITI_18, ITI_51
from tests.factories import (
    HAS_MEMBER,
    a_code,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_submission_set,
    a_uuid,
    an_author,
    included,
)
from tests.running import a_pair, back_end
from tests.service.conftest import BACK_ENDS
from tests.unit.common.rules.test_stored_query import GOOD
from tests.wire import STATUS, Services

RPLC, XFRM, APND = AssociationType.RPLC, AssociationType.XFRM, AssociationType.APND
CONFIDENTIALITY: Final = "2.16.840.1.113883.5.25"
REFERRAL: Final = "R'1_a%^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:referral"
ORDER: Final = "O-2^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:order"
DE: Final = "$XDSDocumentEntry"
BOTH: Final = f"('{STATUS}Approved','{STATUS}Deprecated')"


@dataclass
class World:
    """What was registered for one patient, by short names."""

    services: Services
    patient: str = field(default_factory=a_patient_id)
    ids: dict[str, str] = field(default_factory=dict)
    unique_ids: dict[str, str] = field(default_factory=dict)
    items: dict[str, Any] = field(default_factory=dict)

    def register(self, submission: Submission, **named: Any) -> None:
        """Register a submission, and remember some of its objects."""
        answer = self.services.register(submission)
        assert answer.registry_status == "Success", answer.contexts
        for name, item in named.items():
            self.ids[name] = item.entry_uuid
            self.items[name] = item
            self.unique_ids[name] = getattr(item, "unique_id", "")

    def names(self, found: list[str]) -> set[str]:
        """The short names of ids; ids that have none as they are."""
        by_id = {value: name for name, value in self.ids.items()}
        return {by_id.get(each, each) for each in found}

    def ask(self, query: str, **slots: Any) -> set[str]:
        """What a query finds, by short names; slots without ``$XDS``, kinds spelled ``DE``, ``SS``, ``F``."""
        answer = self.services.query(query, dict(spelled(slots)))
        assert answer.registry_status == "Success", answer.contexts
        assert len(answer.ids()) == len(set(answer.ids()))
        return self.names(answer.ids())

    def find(self, **slots: Any) -> set[str]:
        """FindDocuments of Approved documents."""
        return self.ask(
            "FindDocuments", **{"DE_PatientId": f"'{self.patient}'", "DE_Status": f"('{STATUS}Approved')", **slots}
        )


def spelled(slots: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    kinds = {"DE": DE, "SS": "$XDSSubmissionSet", "F": "$XDSFolder", "AS": "$XDSAssociation"}
    for name, value in slots.items():
        kind, _, rest = name.partition("_")
        yield (f"{kinds[kind]}{rest}" if rest else f"${name}"), value


def link(kind: AssociationType, source: Any, target: Any) -> Association:
    return a_link(kind, source, target, entry_uuid=a_uuid())


def owned(submission: Submission, **named: Any) -> Submission:
    """The same submission, its memberships named by UUIDs."""
    for each in submission.associations:
        if each.is_symbolic:
            old, each.entry_uuid = each.entry_uuid, a_uuid()
            for other in submission.associations:
                other.target = each.entry_uuid if other.target == old else other.target
    return submission


@pytest.fixture(scope="module")
def world(services: Services) -> World:
    """Five documents, two folders and three submissions of one patient."""
    made = World(services)
    patient = made.patient

    def document(**differs: Any) -> DocumentEntry:
        return a_document(entry_uuid=a_uuid(), patient_id=patient, **differs)

    a = document(
        authors=(an_author(person="5^O'Hara^Séan^^^Dr^^^&1.2&ISO"), an_author(person="^100%_Sure\\^Ann")),
        confidentiality_codes=(a_code("N", CONFIDENTIALITY), a_code("R", CONFIDENTIALITY)),
        event_codes=(a_code("58000006"), a_code("32485007")),
        reference_id_list=(REFERRAL, ORDER),
        creation_time="20260101120000",
        service_start_time="2026",
        service_stop_time="20260202",
    )
    b = document(
        class_code=a_code("734163000"),
        type_code=a_code("736373009"),
        format_code=a_code("urn:ihe:pcc:xds-ms:2007", "1.3.6.1.4.1.19376.1.2.3"),
        practice_setting_code=a_code("394814009"),
        healthcare_facility_type_code=a_code("264358009"),
        event_codes=(a_code("32485007"),),
        confidentiality_codes=(a_code("V", CONFIDENTIALITY),),
        reference_id_list=(ORDER,),
        creation_time="202601011200",
        service_start_time=None,
        service_stop_time=None,
        authors=(an_author(person=None),),
        mime_type="text/xml",
    )
    old, new = document(creation_time="20250101"), document(creation_time="20250102")
    offline = document(creation_time="2024", document_availability="urn:ihe:iti:2010:DocumentAvailability:Offline")
    f = a_folder(entry_uuid=a_uuid(), patient_id=patient)
    g = a_folder(entry_uuid=a_uuid(), patient_id=patient, codes=(a_code("394814009"), a_code("394802001")))
    fa, fb = link(HAS_MEMBER, f, a), link(HAS_MEMBER, f, b)
    owner = a_submission_set(
        entry_uuid=a_uuid(), patient_id=patient, source_id="1.2.3", submission_time="20260101",
        authors=(an_author(person="^Submitter"),), content_type_code=a_code("373942005"),
    )  # fmt: skip
    apnd = link(APND, b, a)
    first = owned(a_submission(a, b, f, g, fa, fb, apnd, owner=owner))
    made.register(first, a=a, b=b, f=f, g=g, fa=fa, fb=fb, apnd=apnd, s1=owner)

    second = owned(a_submission(old, offline, owner=a_submission_set(entry_uuid=a_uuid(), patient_id=patient)))
    made.register(second, old=old, offline=offline, s2=second.submission_set)
    rplc = link(RPLC, new, old)
    third = owned(a_submission(new, rplc, owner=a_submission_set(entry_uuid=a_uuid(), patient_id=patient)))
    third.associations.append(included(third.submission_set, a.entry_uuid))
    third.associations[-1].entry_uuid = a_uuid()
    made.register(third, new=new, rplc=rplc, s3=third.submission_set)
    for submission, name in ((first, "s1"), (second, "s2"), (third, "s3")):
        for each in submission.associations:
            if each.source == submission.submission_set.entry_uuid:
                made.ids[f"{name}-{made.names([each.target]).pop()}"] = each.entry_uuid
    return made


CLASS_A, CLASS_B = "'823651000000106^^2.16.840.1.113883.6.96'", "'734163000^^2.16.840.1.113883.6.96'"
EVENT_1, EVENT_2 = "'58000006^^2.16.840.1.113883.6.96'", "'32485007^^2.16.840.1.113883.6.96'"
OFFLINE: Final = "'urn:ihe:iti:2010:DocumentAvailability:Offline'"
N, R, V = (f"'{code}^^{CONFIDENTIALITY}'" for code in "NRV")
ALL: Final = {"a", "b", "new"}


@pytest.mark.parametrize(
    ("slots", "found"),
    [
        ({}, ALL),
        ({"DE_Status": f"('{STATUS}Deprecated')"}, {"old"}),
        ({"DE_Status": BOTH}, ALL | {"old"}),
        ({"DE_ClassCode": f"({CLASS_A})"}, {"a", "new"}),
        ({"DE_ClassCode": f"({CLASS_A},{CLASS_B})"}, ALL),
        ({"DE_ClassCode": [f"({CLASS_A})", f"({CLASS_B})"]}, ALL),
        ({"DE_ClassCode": "('823651000000106^^1.2')"}, set()),
        ({"DE_TypeCode": "('736373009^^2.16.840.1.113883.6.96')"}, {"b"}),
        ({"DE_PracticeSettingCode": "('394814009^^2.16.840.1.113883.6.96')"}, {"b"}),
        ({"DE_HealthcareFacilityTypeCode": "('264358009^^2.16.840.1.113883.6.96')"}, {"b"}),
        ({"DE_FormatCode": "('urn:ihe:pcc:xds-ms:2007^^1.3.6.1.4.1.19376.1.2.3')"}, {"b"}),
        ({"DE_EventCodeList": f"({EVENT_1})"}, {"a"}),
        ({"DE_EventCodeList": f"({EVENT_1},{EVENT_2})"}, {"a", "b"}),
        ({"DE_EventCodeList": "('8000006^^2.16.840.1.113883.6.96')"}, set()),
        ({"DE_ConfidentialityCode": f"({N})"}, {"a", "new"}),
        ({"DE_ConfidentialityCode": f"({V},{R})"}, {"a", "b"}),
        ({"DE_CreationTimeFrom": "2026"}, {"a", "b"}),
        ({"DE_CreationTimeFrom": "20260101120000"}, {"a", "b"}),
        ({"DE_CreationTimeTo": "20260101120000"}, {"new"}),
        ({"DE_CreationTimeTo": "'20260101120001'"}, ALL),
        ({"DE_CreationTimeFrom": "20260101120000", "DE_CreationTimeTo": "20260101120000"}, set()),
        ({"DE_ServiceStartTimeFrom": "2026"}, ALL),
        ({"DE_ServiceStartTimeFrom": "20260101000001"}, {"b", "new"}),
        ({"DE_ServiceStartTimeTo": "2026"}, {"b"}),
        ({"DE_ServiceStopTimeTo": "20260203"}, {"a", "b"}),
        ({"DE_ServiceStopTimeFrom": "20260203"}, {"b", "new"}),
        ({"DE_AuthorPerson": "('%')"}, {"a", "new"}),
        ({"DE_AuthorPerson": "('%O''Hara%')"}, {"a"}),
        ({"DE_AuthorPerson": "('%o''hara%')"}, set()),
        ({"DE_AuthorPerson": "'5^O_Hara^S_an^^^Dr^^^&1.2&ISO'"}, {"a"}),
        ({"DE_AuthorPerson": "('O''Hara')"}, set()),
        ({"DE_AuthorPerson": "('^100%\\^Ann')"}, {"a"}),
        ({"DE_AuthorPerson": "('%Sean%')"}, set()),
        ({"DE_AuthorPerson": "('%Okafor%','%Hara%')"}, {"a", "new"}),
        ({"DE_AuthorPerson": "('%Dr%Sure%')"}, set()),
        ({"DE_Type": "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')"}, set()),
        ({"DE_Type": "('urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1')"}, ALL),
        ({"MetadataLevel": "'2'"}, ALL | {"offline"}),
        ({"MetadataLevel": "1"}, ALL),
        ({"DE_DocumentAvailability": f"({OFFLINE})", "MetadataLevel": "2"}, {"offline"}),
        ({"SS_Unknown": "no quotes", "Odd": "("}, ALL),
        ({"DE_ClassCode": f"({CLASS_A})", "DE_EventCodeList": f"({EVENT_1})"}, {"a"}),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)  # fmt: skip
def test_find_documents_by_every_filter(world: World, slots: dict[str, str], found: set[str]) -> None:
    assert world.find(**slots) == found


@pytest.mark.parametrize(
    ("name", "groups", "found"),
    [
        ("EventCodeList", [f"({EVENT_1})", f"({EVENT_2})"], {"a"}),
        ("EventCodeList", [f"({EVENT_1},{EVENT_2})", f"({EVENT_2})"], {"a", "b"}),
        ("ConfidentialityCode", [f"({N})", f"({R})"], {"a"}),
        ("ConfidentialityCode", [f"({N})", f"({V})"], set()),
    ],
)
def test_a_repeated_slot_means_and(world: World, name: str, groups: list[str], found: set[str]) -> None:
    pairs = [(f"{DE}PatientId", f"'{world.patient}'"), (f"{DE}Status", f"('{STATUS}Approved')")]

    answer = world.services.query("FindDocuments", [*pairs, *((f"{DE}{name}", each) for each in groups)])

    assert world.names(answer.ids()) == found


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((REFERRAL,), {"a"}),
        ((ORDER,), {"a", "b"}),
        ((REFERRAL, ORDER), {"a"}),
        (("O-2%",), {"a", "b"}),
        (("o-2%",), set()),
        (("O-2",), set()),
    ],
)
def test_find_documents_by_reference_id(world: World, values: tuple[str, ...], found: set[str]) -> None:
    pairs = [(f"{DE}PatientId", f"'{world.patient}'"), (f"{DE}Status", f"('{STATUS}Approved')")]
    pairs += [(f"{DE}ReferenceIdList", "('" + value.replace("'", "''") + "')") for value in values]

    answer = world.services.query("FindDocumentsByReferenceId", pairs)

    assert world.names(answer.ids()) == found


@pytest.mark.parametrize(
    ("slots", "found"),
    [
        ({"DE_ClassCodeExclude": f"({CLASS_A})"}, {"b"}),
        ({"DE_EventCodeListExclude": f"({EVENT_1})"}, {"b", "new"}),
        ({"DE_EventCodeListExclude": f"({EVENT_2})"}, {"new"}),
        ({"DE_ConfidentialityCodeExclude": f"({N})"}, {"b"}),
        ({"DE_ClassCode": f"({CLASS_A})", "DE_EventCodeListExclude": f"({EVENT_1})"}, {"new"}),
    ],
)
def test_find_documents_exclude(world: World, slots: dict[str, str], found: set[str]) -> None:
    given = {"DE_PatientId": f"'{world.patient}'", "DE_Status": f"('{STATUS}Approved')"}

    assert world.ask("FindDocumentsExclude", **given, **slots) == found


@pytest.mark.parametrize(
    ("slots", "found"),
    [
        ({}, {"s1", "s2", "s3"}),
        ({"SS_SourceId": "('1.2.3')"}, {"s1"}),
        ({"SS_SourceId": "('1.2.3','2.999.826.2.1')"}, {"s1", "s2", "s3"}),
        ({"SS_SubmissionTimeFrom": "20260102"}, {"s2", "s3"}),
        ({"SS_SubmissionTimeTo": "20260101"}, set()),
        ({"SS_SubmissionTimeTo": "20260102"}, {"s1"}),
        ({"SS_AuthorPerson": "'^Sub%'"}, {"s1"}),
        ({"SS_ContentType": "('373942005^^2.16.840.1.113883.6.96')"}, {"s1"}),
    ],
)
def test_find_submission_sets(world: World, slots: dict[str, str], found: set[str]) -> None:
    given = {"SS_PatientId": f"'{world.patient}'", "SS_Status": f"('{STATUS}Approved')"}

    assert world.ask("FindSubmissionSets", **given, **slots) == found


@pytest.mark.parametrize(
    ("slots", "found"),
    [
        ({}, {"f", "g"}),
        ({"F_CodeList": "('394802001^^2.16.840.1.113883.6.96')"}, {"f", "g"}),
        ({"F_CodeList": "('394814009^^2.16.840.1.113883.6.96')"}, {"g"}),
        ({"F_LastUpdateTimeFrom": "2020"}, {"f", "g"}),
        ({"F_LastUpdateTimeTo": "2020"}, set()),
        ({"F_LastUpdateTimeFrom": "2020", "F_LastUpdateTimeTo": "2099"}, {"f", "g"}),
        ({"F_Status": f"('{STATUS}Deprecated')"}, set()),
    ],
)
def test_find_folders(world: World, slots: dict[str, str], found: set[str]) -> None:
    given = {"F_PatientId": f"('{world.patient}')", "F_Status": f"('{STATUS}Approved')"}

    assert world.ask("FindFolders", **{**given, **slots}) == found


STATUSES: Final = {"DE_Status": BOTH, "SS_Status": BOTH, "F_Status": BOTH}
OBJECTS: Final = {"a", "b", "old", "new", "f", "g", "s1", "s2", "s3"}
LINKS: Final = {"fa", "fb", "apnd", "rplc", "s1-a", "s1-b", "s1-f", "s1-g", "s1-fa", "s1-fb", "s2-old", "s2-offline",
                "s3-new", "s3-a", "s1-apnd", "s3-rplc"} - {"s1-apnd", "s3-rplc"}  # fmt: skip


def test_get_all_is_all_of_a_patient_and_the_associations_at_either_end(world: World) -> None:
    assert world.ask("GetAll", patientId=f"'{world.patient}'", **STATUSES) == OBJECTS | LINKS


def test_get_all_filters_documents_only_and_associations_may_point_at_what_is_left_out(world: World) -> None:
    found = world.ask("GetAll", patientId=f"'{world.patient}'", **STATUSES, DE_ConfidentialityCode=f"({V})")

    assert found & OBJECTS == OBJECTS - {"a", "old", "new"}
    assert {"apnd", "s1-a", "s3-a"} <= found


def test_get_all_leaves_out_what_is_of_another_status(world: World) -> None:
    approved = dict.fromkeys(STATUSES, f"('{STATUS}Approved')")

    assert "old" not in world.ask("GetAll", patientId=f"'{world.patient}'", **approved)
    assert world.ask("GetAll", patientId=f"'{a_patient_id()}'", **STATUSES) == set()


@pytest.mark.parametrize("by", ["EntryUUID", "UniqueId"])
@pytest.mark.parametrize(
    ("query", "kind", "of", "found"),
    [
        ("GetDocuments", "DE", ("a", "old"), {"a", "old"}),
        ("GetFolders", "F", ("f", "g"), {"f", "g"}),
        ("GetDocumentsAndAssociations", "DE", ("a",), {"a", "fa", "apnd", "s1-a", "s3-a"}),
        ("GetDocumentsAndAssociations", "DE", ("old",), {"old", "rplc", "s2-old"}),
        ("GetSubmissionSetAndContents", "SS", ("s1",),
         {"s1", "a", "b", "f", "g", "fa", "fb", "s1-a", "s1-b", "s1-f", "s1-g", "s1-fa", "s1-fb"}),
        ("GetSubmissionSetAndContents", "SS", ("s3",), {"s3", "new", "a", "s3-new", "s3-a"}),
        ("GetFolderAndContents", "F", ("f",), {"f", "a", "b", "fa", "fb"}),
        ("GetFolderAndContents", "F", ("g",), {"g"}),
        ("GetFoldersForDocument", "DE", ("a",), {"f"}),
        ("GetFoldersForDocument", "DE", ("new",), set()),
    ],
)  # fmt: skip
def test_get_queries_by_uuid_and_by_unique_id(
    world: World, by: str, query: str, kind: str, of: tuple[str, ...], found: set[str]
) -> None:
    names = world.ids if by == "EntryUUID" else world.unique_ids
    listed = ",".join(f"'{names[name]}'" for name in of)
    value = f"({listed})" if len(of) > 1 else listed

    assert world.ask(query, **{f"{kind}_{by}": value}) == found


@pytest.mark.parametrize("query", [row for row in BY_NAME.values() if row.exclusive], ids=lambda row: row.name)
def test_ids_that_are_not_found_are_simply_not_in_the_answer(world: World, query: Any) -> None:
    slots = {row.name: GOOD[row.match][0] for row in query.parameters if row.required}
    named = next(row.name for row in query.parameters if row.match is Match.ENTRY_UUID)

    for leaf in (False, True):
        answer = world.services.query(query.name, {**slots, named: f"'{a_uuid()}'"}, leaf=leaf)
        assert answer.registry_status == "Success"
        assert len(answer.body.find("{*}RegistryObjectList")) == 0


@pytest.mark.parametrize(
    ("of", "found"),
    [
        (("a",), {"s1", "s3", "s1-a", "s3-a"}),
        (("f",), {"s1", "s1-f"}),
        (("a", "old"), {"s1", "s2", "s3", "s1-a", "s3-a", "s2-old"}),
        (("fa",), {"s1", "s1-fa"}),
        (("s1",), set()),
    ],
)
def test_get_submission_sets_knows_direct_members_only(world: World, of: tuple[str, ...], found: set[str]) -> None:
    listed = ",".join(f"'{world.ids[name]}'" for name in of)

    assert world.ask("GetSubmissionSets", uuid=f"({listed})") == found


def test_get_associations_has_those_with_either_end(world: World) -> None:
    assert world.ask("GetAssociations", uuid=f"('{world.ids['a']}')") == {"fa", "apnd", "s1-a", "s3-a"}
    assert world.ask("GetAssociations", uuid=f"('{world.ids['f']}','{world.ids['old']}')") == {
        "fa", "fb", "s1-f", "rplc", "s2-old",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("of", "types", "found"),
    [
        ("a", (APND,), {"a", "b", "apnd"}),
        ("b", (APND, RPLC), {"a", "b", "apnd"}),
        ("a", (RPLC,), set()),
        ("old", (RPLC,), {"old", "new", "rplc"}),
        ("new", (RPLC, XFRM), {"old", "new", "rplc"}),
        ("a", (HAS_MEMBER,), set()),
        ("offline", (RPLC,), set()),
    ],
)
def test_get_related_documents(world: World, of: str, types: tuple[AssociationType, ...], found: set[str]) -> None:
    listed = ",".join(f"'{each}'" for each in types)

    assert world.ask("GetRelatedDocuments", DE_EntryUUID=f"'{world.ids[of]}'", AssociationTypes=f"({listed})") == found


@pytest.mark.parametrize(
    ("slots", "found"),
    [
        ({"DE_ConfidentialityCode": f"({V})"}, {"b"}),
        ({"DE_FormatCode": "('urn:ihe:iti:xds:2017:mimeTypeSufficient^^1.3.6.1.4.1.19376.1.2.3')"}, {"a"}),
        ({"DE_Type": "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')"}, set()),
    ],
)
@pytest.mark.parametrize(
    ("query", "name", "kind"), [("GetFolderAndContents", "f", "F"), ("GetSubmissionSetAndContents", "s1", "SS")]
)
def test_contents_queries_filter_documents_and_with_them_their_memberships(
    world: World, query: str, name: str, kind: str, slots: dict[str, str], found: set[str]
) -> None:
    answer = world.ask(query, **{f"{kind}_EntryUUID": f"'{world.ids[name]}'"}, **slots)

    assert answer & {"a", "b"} == found
    assert answer & {"fa", "fb"} == {f"f{each}" for each in found}
    assert "apnd" not in answer
    assert name in answer


def test_whole_objects_and_ids_are_the_same_objects(world: World) -> None:
    slots = dict.fromkeys((f"{DE}Status", "$XDSSubmissionSetStatus", "$XDSFolderStatus"), BOTH)
    slots["$patientId"] = f"'{world.patient}'"

    whole = world.services.query("GetAll", slots, leaf=True)
    refs = world.services.query("GetAll", slots)

    elements = {name: whole.ids(name) for name in ("ExtrinsicObject", "RegistryPackage", "Association")}
    assert sorted(each for ids in elements.values() for each in ids) == sorted(refs.ids())
    assert [len(elements[name]) for name in elements] == [4, 5, len(LINKS)]
    assert refs.objects("ExtrinsicObject") == []
    assert whole.ids() == []
    assert all(each.get("status") and each.get("lid") for each in whole.objects("ExtrinsicObject"))


def test_what_comes_back_is_what_was_registered(world: World) -> None:
    found = world.services.objects("GetDocuments", {f"{DE}EntryUUID": f"('{world.ids['a']}')"})

    given: DocumentEntry = world.items["a"]
    [back] = found.entries
    given.availability_status, given.logical_id, given.version = back.availability_status, given.entry_uuid, 1
    assert back == given


def test_metadata_level_2_shows_what_level_1_leaves_out(world: World) -> None:
    assert world.ask("GetDocuments", DE_EntryUUID=f"('{world.ids['offline']}')") == set()
    assert world.ask("GetDocuments", DE_EntryUUID=f"('{world.ids['offline']}')", MetadataLevel="2") == {"offline"}


def test_a_logical_id_names_all_versions_at_level_2(world: World) -> None:
    assert world.ask("GetDocuments", DE_LogicalID=f"('{world.ids['a']}')", MetadataLevel="2") == {"a"}
    assert world.ask("GetFolders", F_LogicalID=f"('{world.ids['f']}')", MetadataLevel="2") == {"f"}


def test_uuids_in_upper_case_and_with_spaces_are_found(world: World) -> None:
    assert world.ask("GetDocuments", DE_EntryUUID=f"(' {world.ids['a'].upper()} ')") == {"a"}


def test_a_document_registered_twice_is_found_twice_by_its_unique_id(services: Services) -> None:
    document = a_document(patient_id=a_patient_id())
    services.register(a_submission(document))
    services.register(a_submission(document))

    assert len(services.query("GetDocuments", {f"{DE}UniqueId": f"'{document.unique_id}'"}).ids()) == 2


@pytest.mark.parametrize(
    "query", ["GetDocuments", "GetDocumentsAndAssociations", "GetFolders", "GetSubmissionSets",
              "GetSubmissionSetAndContents", "GetAssociations"]
)  # fmt: skip
def test_whole_objects_of_several_patients_are_not_mixed_and_ids_are(services: Services, query: str) -> None:
    documents = [a_document(entry_uuid=a_uuid(), patient_id=a_patient_id()) for _ in range(2)]
    folders = [a_folder(entry_uuid=a_uuid(), patient_id=each.patient_id) for each in documents]
    for document, folder in zip(documents, folders, strict=True):
        assert services.register(a_submission(document, folder)).registry_status == "Success"
    mixed = a_submission(patient_id=documents[0].patient_id)
    mixed.associations += [included(mixed.submission_set, each.entry_uuid) for each in documents]
    assert services.register(mixed).registry_status == "Success"
    chosen = folders if query == "GetFolders" else documents
    listed = "(" + ",".join(f"'{each.entry_uuid}'" for each in chosen) + ")"
    slots = {
        "GetFolders": {"$XDSFolderEntryUUID": listed},
        "GetSubmissionSets": {"$uuid": listed},
        "GetAssociations": {"$uuid": listed},
        "GetSubmissionSetAndContents": {"$XDSSubmissionSetUniqueId": f"'{mixed.submission_set.unique_id}'"},
    }.get(query, {f"{DE}EntryUUID": listed})

    whole, refs = services.query(query, slots, leaf=True), services.query(query, slots)

    assert refs.registry_status == "Success"
    if query == "GetAssociations":  # the rule does not name it
        assert whole.registry_status == "Success"
    else:
        assert whole.codes == ["XDSResultNotSinglePatient"]
        assert len(whole.body.find("{*}RegistryObjectList")) == 0


def multi(services: Services, query: str, slots: dict[str, str], *, leaf: bool = False) -> Any:
    return services.query(query, slots, leaf=leaf, action=ITI_51)


def test_iti_51_finds_documents_and_folders_of_several_patients(services: Services) -> None:
    documents = [
        a_document(entry_uuid=a_uuid(), patient_id=a_patient_id(), reference_id_list=(ORDER,)) for _ in range(3)
    ]
    folders = [a_folder(entry_uuid=a_uuid(), patient_id=each.patient_id) for each in documents]
    for document, folder in zip(documents, folders, strict=True):
        assert services.register(a_submission(document, folder)).registry_status == "Success"
    two = "(" + ",".join(f"'{each.patient_id}'" for each in documents[:2]) + ")"
    slots = {f"{DE}PatientId": two, f"{DE}Status": f"('{STATUS}Approved')"}

    found = multi(services, "FindDocumentsForMultiplePatients", slots, leaf=True)
    by_reference = multi(
        services, "FindDocumentsByReferenceIdForMultiplePatients", {**slots, f"{DE}ReferenceIdList": f"('{ORDER}')"}
    )
    in_folders = multi(
        services,
        "FindFoldersForMultiplePatients",
        {"$XDSFolderPatientId": two, "$XDSFolderStatus": f"('{STATUS}Approved')"},
    )

    expected = {each.entry_uuid for each in documents[:2]}
    assert set(found.ids("ExtrinsicObject")) == set(by_reference.ids()) == expected
    assert set(in_folders.ids()) == {each.entry_uuid for each in folders[:2]}


def test_iti_51_needs_a_patient_or_a_code(services: Services) -> None:
    status = {f"{DE}Status": f"('{STATUS}Approved')"}

    assert multi(services, "FindDocumentsForMultiplePatients", status).codes == ["XDSStoredQueryMissingParam"]
    assert (
        multi(
            services, "FindDocumentsForMultiplePatients", {**status, f"{DE}ClassCode": "('none^^1.2')"}
        ).registry_status
        == "Success"
    )


@pytest.mark.parametrize("query", BY_NAME.values(), ids=lambda row: row.name)
def test_every_query_reports_what_is_missing_in_the_form_of_its_answer(services: Services, query: Any) -> None:
    action = ITI_51 if query.multi_patient else ITI_18

    answer = services.query(query.name, {}, action=action)

    assert (answer.status, answer.registry_status) == (200, "Failure")
    assert set(answer.codes) == {"XDSStoredQueryMissingParam"}
    needed = [row.name for row in query.parameters if row.required]
    assert all(any(name in context for context in answer.contexts) for name in needed)
    assert len(answer.body.find("{*}RegistryObjectList")) == 0


# Without access nobody is judged; tests/service/test_access_queries.py asks where they are.
@pytest.mark.parametrize(
    "query", [row for row in BY_NAME.values() if row.shape is not Shape.JUDGE], ids=lambda row: row.name
)
def test_every_parameter_of_every_query_is_answered(services: Services, query: Any) -> None:
    needed = {row.name: GOOD[row.match][0] for row in query.parameters if row.required}
    for row in query.parameters:
        slots = dict(needed)
        if query.one_of and row.name not in query.one_of:
            other = next(each for each in query.parameters if each.name in query.one_of)
            slots[other.name] = GOOD[other.match][0]
        slots[row.name] = GOOD[row.match][0]
        if row.match is Match.LOGICAL_ID:
            slots["$MetadataLevel"] = "2"
        for leaf in (False, True):
            answer = services.query(query.name, slots, leaf=leaf, action=ITI_51 if query.multi_patient else ITI_18)
            assert answer.registry_status == "Success", (row.name, answer.contexts)


def test_a_query_of_the_other_transaction_or_of_none_is_unknown(services: Services) -> None:
    assert services.query("FindDocumentsForMultiplePatients", {}).codes == ["XDSUnknownStoredQuery"]
    assert services.query("FindDocuments", {}, action=ITI_51).codes == ["XDSUnknownStoredQuery"]
    assert services.query("urn:uuid:f2072993-9478-41df-a603-8f016706efe8", {}).codes == ["XDSUnknownStoredQuery"]


@pytest.mark.parametrize(
    ("slots", "codes"),
    [
        ({f"{DE}EntryUUID": "('x')", f"{DE}UniqueId": "('y')"}, ["XDSStoredQueryParamNumber"]),
        ({f"{DE}UniqueId": "y"}, ["XDSRegistryError"]),
        ({f"{DE}UniqueId": ["('a')"] * 1001}, ["XDSStoredQueryParamNumber"]),
        ({f"{DE}UniqueId": "'a'", "$MetadataLevel": "3"}, ["XDSRegistryError"]),
    ],
)
def test_what_cannot_be_asked_is_told(services: Services, slots: dict[str, Any], codes: list[str]) -> None:
    assert services.query("GetDocuments", slots).codes == codes


def test_an_unknown_patient_has_no_documents(services: Services) -> None:
    for patient in (a_patient_id(), "x^^^&1.2.3&ISO"):
        answer = services.find(patient)
        assert (answer.registry_status, answer.ids()) == ("Success", [])


@pytest.mark.parametrize(
    "value",
    ["x'; DROP TABLE entry; --", "%' OR '1'='1", "\\", "\\'", "a\u0000b".replace("\u0000", "\u2400"), "😀" * 200],
)
def test_w6_hostile_values_match_nothing_and_break_nothing(world: World, value: str) -> None:
    quoted = "('" + value.replace("'", "''") + "')"

    assert world.find(DE_AuthorPerson=quoted) == set()
    assert world.ask("GetDocuments", DE_UniqueId=quoted) == set()
    assert world.find() == ALL


@pytest.fixture(scope="module", params=BACK_ENDS)
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A registry with small limits."""
    settings = {"MAX_RESULTS": "3", "MAX_RESULTS_OBJECTREF": "6", "MAX_QUERY_VALUES": "4", "MAX_OBJECTS": "8"}
    pair = a_pair(tmp_path_factory.mktemp("small"), back_end(request.param, request) | settings)
    pair.start()
    yield pair.services
    pair.stop()


def test_x12_an_answer_over_the_limit_is_refused_and_never_cut(small: Services) -> None:
    patient = a_patient_id()
    for count in range(1, 8):
        assert small.register(a_submission(a_document(), patient_id=patient)).registry_status == "Success"
        whole, refs = small.find(patient, leaf=True), small.find(patient)
        assert whole.codes == (["XDSTooManyResults"] if count > 3 else [])
        assert refs.codes == (["XDSTooManyResults"] if count > 6 else [])
        assert len(whole.ids("ExtrinsicObject")) == (0 if count > 3 else count)
        assert len(refs.ids()) == (0 if count > 6 else count)
    assert "ObjectRef" in whole.contexts[0]


def test_limits_count_every_object_of_an_answer_associations_too(small: Services) -> None:
    patient = a_patient_id()
    submission = a_submission(a_document(), a_document(), patient_id=patient)
    assert small.register(submission).registry_status == "Success"

    slots = {"$XDSSubmissionSetUniqueId": f"'{submission.submission_set.unique_id}'"}

    assert len(small.query("GetSubmissionSetAndContents", slots).ids()) == 5
    assert small.query("GetSubmissionSetAndContents", slots, leaf=True).codes == ["XDSTooManyResults"]


def test_limits_of_values_and_of_objects_refuse(small: Services) -> None:
    values = "(" + ",".join(f"'{number}'" for number in range(5)) + ")"
    assert small.query("GetDocuments", {f"{DE}UniqueId": values}).codes == ["XDSStoredQueryParamNumber"]

    patient = a_patient_id()
    answer = small.register(a_submission(*(a_document() for _ in range(4)), patient_id=patient))
    assert answer.codes == ["XDSRegistryOutOfResources"]
    assert small.everything(patient) == []
