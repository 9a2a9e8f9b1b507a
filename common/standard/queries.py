"""The stored queries of ITI-18 and ITI-51, each a row (ITI TF-2 3.18.4.1.2.3.7, 3.51).

A new query is a new row here. What a row says is all there is to know of it: which parameters it
takes, which attribute each one looks at and how, and what comes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from common.access import asking
from common.model import (
    Association,
    AvailabilityStatus,
    DocumentEntry,
    Folder,
    RegistryObject,
    SubmissionSet,
)


class Match(Enum):
    """How a parameter's values are compared with an attribute."""

    EXACT = auto()  # equal to one of the values
    PATIENT = auto()  # equal to a patient id; decides which patients the query is about
    STATUS = auto()  # an availabilityStatus; unknown ones are ignored
    OBJECT_TYPE = auto()  # stable, on-demand; stable unless told otherwise
    CODE = auto()  # a code written code^^scheme
    FROM = auto()  # not before: lower end of a time range
    TO = auto()  # before: upper end, exclusive
    LIKE = auto()  # % and _ stand for any text and any character
    PATTERN = auto()  # equal, or LIKE: referenceIdList
    ENTRY_UUID = auto()  # an entryUUID
    UNIQUE_ID = auto()  # a uniqueId
    LOGICAL_ID = auto()  # a logicalID: all versions
    ASSOCIATION_TYPE = auto()  # an associationType
    LEVEL = auto()  # $MetadataLevel


class Shape(Enum):
    """What a query returns besides the objects it names."""

    FIND = auto()
    GET = auto()
    GET_ALL = auto()
    GET_ASSOCIATIONS = auto()
    GET_WITH_ASSOCIATIONS = auto()
    GET_SUBMISSION_SETS = auto()
    SUBMISSION_SET_CONTENTS = auto()
    FOLDER_CONTENTS = auto()
    FOLDERS_FOR_DOCUMENT = auto()
    RELATED_DOCUMENTS = auto()
    HELD = auto()
    JUDGE = auto()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``many``: takes a list. ``every``: may be repeated, and each must match (AND).

    ``missing_passes``: an object without the attribute passes. ``excludes``: what matches is left out.
    ``inclusive``: an upper end that belongs to the range.
    """

    name: str
    match: Match
    field: str
    many: bool = False
    every: bool = False
    required: bool = False
    missing_passes: bool = False
    excludes: bool = False
    inclusive: bool = False
    of: type[RegistryObject] = DocumentEntry


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """One stored query; ``one_of`` are groups of parameters of which at least one is needed,
    and of ``exclusive`` at most one may be there."""

    id: str
    name: str
    finds: type[RegistryObject]
    shape: Shape
    parameters: tuple[Parameter, ...]
    one_of: frozenset[str] = frozenset()
    exclusive: frozenset[str] = frozenset()
    multi_patient: bool = False

    def parameter(self, name: str) -> Parameter | None:
        """The row of a parameter; ``None`` for names that this query does not have."""
        return next((row for row in self.parameters if row.name == name), None)


_DE: Final = "$XDSDocumentEntry"
STATUSES: Final = frozenset(status.value for status in AvailabilityStatus)

LEVEL: Final = Parameter("$MetadataLevel", Match.LEVEL, "")
ASSOCIATION_STATUS: Final = Parameter(
    "$XDSAssociationStatus", Match.STATUS, "availability_status", many=True, of=Association
)
OBJECT_TYPE: Final = Parameter(f"{_DE}Type", Match.OBJECT_TYPE, "object_type", many=True)
FORMAT: Final = Parameter(f"{_DE}FormatCode", Match.CODE, "format_code", many=True)
CONFIDENTIALITY: Final = Parameter(
    f"{_DE}ConfidentialityCode", Match.CODE, "confidentiality_codes", many=True, every=True
)

_CODES: Final = (
    Parameter(f"{_DE}ClassCode", Match.CODE, "class_code", many=True),
    Parameter(f"{_DE}TypeCode", Match.CODE, "type_code", many=True),
    Parameter(f"{_DE}PracticeSettingCode", Match.CODE, "practice_setting_code", many=True),
    Parameter(f"{_DE}HealthcareFacilityTypeCode", Match.CODE, "healthcare_facility_type_code", many=True),
    FORMAT,
    Parameter(f"{_DE}EventCodeList", Match.CODE, "event_codes", many=True, every=True),
    CONFIDENTIALITY,
)
_REFERENCE: Final = Parameter(
    f"{_DE}ReferenceIdList", Match.PATTERN, "reference_id_list", many=True, every=True, required=True
)


def _between(
    name: str, field: str, *, missing_passes: bool = False, of: type[RegistryObject] = DocumentEntry
) -> tuple[Parameter, Parameter]:
    return (
        Parameter(f"{name}From", Match.FROM, field, missing_passes=missing_passes, of=of),
        Parameter(f"{name}To", Match.TO, field, missing_passes=missing_passes, of=of),
    )


def _status(name: str, of: type[RegistryObject] = DocumentEntry) -> Parameter:
    return Parameter(name, Match.STATUS, "availability_status", many=True, required=True, of=of)


def _patient(name: str, of: type[RegistryObject] = DocumentEntry, *, many: bool = False) -> Parameter:
    return Parameter(name, Match.PATIENT, "patient_id", many=many, required=not many, of=of)


_DOCUMENT_FILTERS: Final = (
    _status(f"{_DE}Status"),
    *_CODES,
    *_between(f"{_DE}CreationTime", "creation_time", missing_passes=True),
    *_between(f"{_DE}ServiceStartTime", "service_start_time", missing_passes=True),
    *_between(f"{_DE}ServiceStopTime", "service_stop_time", missing_passes=True),
    Parameter(f"{_DE}AuthorPerson", Match.LIKE, "author_persons", many=True),
    OBJECT_TYPE,
    Parameter(f"{_DE}DocumentAvailability", Match.EXACT, "document_availability", many=True),
    LEVEL,
)
_ONE_PATIENT: Final = _patient(f"{_DE}PatientId")
_PATIENTS: Final = _patient(f"{_DE}PatientId", many=True)


def _twins(codes: Iterable[Parameter]) -> tuple[Parameter, ...]:
    """The ``…Exclude`` parameters of FindDocumentsExclude (CP-ITI-1323)."""
    return tuple(
        Parameter(f"{row.name}Exclude", row.match, row.field, many=True, every=row.every, excludes=True)
        for row in codes
    )


_FOLDER: Final = "$XDSFolder"
_FOLDER_FILTERS: Final = (
    _status(f"{_FOLDER}Status", Folder),
    Parameter(f"{_FOLDER}LastUpdateTimeFrom", Match.FROM, "last_update_time", of=Folder),
    # The registry makes this time itself, to the second: a Folder changed in the second that a query calls
    # "now" has to be found by it. (The standard's text says "inclusive" of upper ends; its formula says "<".)
    Parameter(f"{_FOLDER}LastUpdateTimeTo", Match.TO, "last_update_time", inclusive=True, of=Folder),
    Parameter(f"{_FOLDER}CodeList", Match.CODE, "codes", many=True, every=True, of=Folder),
    LEVEL,
)
_SET: Final = "$XDSSubmissionSet"


def _named(prefix: str, of: type[RegistryObject] = DocumentEntry, *, many: bool) -> tuple[Parameter, Parameter]:
    return (
        Parameter(f"{prefix}EntryUUID", Match.ENTRY_UUID, "entry_uuid", many=many, of=of),
        Parameter(f"{prefix}UniqueId", Match.UNIQUE_ID, "unique_id", many=many, of=of),
    )


def _logical(prefix: str, of: type[RegistryObject] = DocumentEntry) -> Parameter:
    return Parameter(f"{prefix}LogicalID", Match.LOGICAL_ID, "logical_id", many=True, of=of)


def _get(
    id_: str, name: str, finds: type[RegistryObject], shape: Shape, named: tuple[Parameter, ...], *more: Parameter
) -> StoredQuery:
    names = frozenset(row.name for row in named)
    return StoredQuery(id_, name, finds, shape, (*named, *more, LEVEL), one_of=names, exclusive=names)


_UUIDS: Final = Parameter("$uuid", Match.ENTRY_UUID, "entry_uuid", many=True, required=True)
_MULTI_DOCUMENTS: Final = frozenset(
    f"{_DE}{name}" for name in ("PatientId", "ClassCode", "EventCodeList", "HealthcareFacilityTypeCode")
)
_CONTENTS: Final = (FORMAT, CONFIDENTIALITY, OBJECT_TYPE)

_ROWS: Final = (
    StoredQuery(
        "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
        "FindDocuments",
        DocumentEntry,
        Shape.FIND,
        (_ONE_PATIENT, *_DOCUMENT_FILTERS),
    ),
    StoredQuery(
        "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492",
        "FindDocumentsByReferenceId",
        DocumentEntry,
        Shape.FIND,
        (_ONE_PATIENT, _REFERENCE, *_DOCUMENT_FILTERS),
    ),
    StoredQuery(
        "urn:uuid:4308b1df-36de-4bef-8e2e-ba91f593c435",
        "FindDocumentsExclude",
        DocumentEntry,
        Shape.FIND,
        (_ONE_PATIENT, *_DOCUMENT_FILTERS, *_twins(_CODES)),
    ),
    StoredQuery(
        "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9",
        "FindSubmissionSets",
        SubmissionSet,
        Shape.FIND,
        (
            _patient(f"{_SET}PatientId", SubmissionSet),
            _status(f"{_SET}Status", SubmissionSet),
            Parameter(f"{_SET}SourceId", Match.EXACT, "source_id", many=True, of=SubmissionSet),
            *_between(f"{_SET}SubmissionTime", "submission_time", of=SubmissionSet),
            Parameter(f"{_SET}AuthorPerson", Match.LIKE, "author_persons", of=SubmissionSet),
            Parameter(f"{_SET}ContentType", Match.CODE, "content_type_code", many=True, of=SubmissionSet),
        ),
    ),
    StoredQuery(
        "urn:uuid:958f3006-baad-4929-a4de-ff1114824431",
        "FindFolders",
        Folder,
        Shape.FIND,
        (_patient(f"{_FOLDER}PatientId", Folder), *_FOLDER_FILTERS),
    ),
    StoredQuery(
        "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3",
        "GetAll",
        DocumentEntry,
        Shape.GET_ALL,
        (
            _patient("$patientId"),
            _status(f"{_DE}Status"),
            _status(f"{_SET}Status", SubmissionSet),
            _status(f"{_FOLDER}Status", Folder),
            *_CONTENTS,
            ASSOCIATION_STATUS,
            LEVEL,
        ),
    ),
    _get(
        "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4",
        "GetDocuments",
        DocumentEntry,
        Shape.GET,
        (*_named(_DE, many=True), _logical(_DE)),
    ),
    _get(
        "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4",
        "GetFolders",
        Folder,
        Shape.GET,
        (*_named(_FOLDER, Folder, many=True), _logical(_FOLDER, Folder)),
    ),
    StoredQuery(
        "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155",
        "GetAssociations",
        DocumentEntry,
        Shape.GET_ASSOCIATIONS,
        (_UUIDS, ASSOCIATION_STATUS, LEVEL),
    ),
    _get(
        "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a",
        "GetDocumentsAndAssociations",
        DocumentEntry,
        Shape.GET_WITH_ASSOCIATIONS,
        _named(_DE, many=True),
        ASSOCIATION_STATUS,
    ),
    StoredQuery(
        "urn:uuid:51224314-5390-4169-9b91-b1980040715a",
        "GetSubmissionSets",
        SubmissionSet,
        Shape.GET_SUBMISSION_SETS,
        (_UUIDS, ASSOCIATION_STATUS),
    ),
    _get(
        "urn:uuid:e8e3cb2c-e39c-46b9-99e4-c12f57260b83",
        "GetSubmissionSetAndContents",
        SubmissionSet,
        Shape.SUBMISSION_SET_CONTENTS,
        _named(_SET, SubmissionSet, many=False),
        *_CONTENTS,
    ),
    _get(
        "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7",
        "GetFolderAndContents",
        Folder,
        Shape.FOLDER_CONTENTS,
        _named(_FOLDER, Folder, many=False),
        *_CONTENTS,
        ASSOCIATION_STATUS,
    ),
    _get(
        "urn:uuid:10cae35a-c7f9-4cf5-b61e-fc3278ffb578",
        "GetFoldersForDocument",
        Folder,
        Shape.FOLDERS_FOR_DOCUMENT,
        _named(_DE, many=False),
        ASSOCIATION_STATUS,
    ),
    _get(
        "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6",
        "GetRelatedDocuments",
        DocumentEntry,
        Shape.RELATED_DOCUMENTS,
        _named(_DE, many=False),
        Parameter("$AssociationTypes", Match.ASSOCIATION_TYPE, "type", many=True, required=True, of=Association),
        OBJECT_TYPE,
        ASSOCIATION_STATUS,
    ),
    StoredQuery(
        "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f",
        "FindDocumentsForMultiplePatients",
        DocumentEntry,
        Shape.FIND,
        (_PATIENTS, *_DOCUMENT_FILTERS),
        one_of=_MULTI_DOCUMENTS,
        multi_patient=True,
    ),
    StoredQuery(
        "urn:uuid:50d3f5ac-39a2-11de-a1ca-b366239e58df",
        "FindFoldersForMultiplePatients",
        Folder,
        Shape.FIND,
        (_patient(f"{_FOLDER}PatientId", Folder, many=True), *_FOLDER_FILTERS),
        one_of=frozenset({f"{_FOLDER}PatientId", f"{_FOLDER}CodeList"}),
        multi_patient=True,
    ),
    StoredQuery(
        "urn:uuid:1191642d-86c4-42d8-b784-f95445f9f0d5",
        "FindDocumentsByReferenceIdForMultiplePatients",
        DocumentEntry,
        Shape.FIND,
        (_PATIENTS, _REFERENCE, *_DOCUMENT_FILTERS),
        one_of=_MULTI_DOCUMENTS | {_REFERENCE.name},
        multi_patient=True,
    ),
)

_EXTENSIONS: Final = (
    # Which of these documents are under a legal hold, registered or removed: a Repository asks before ITI-86.
    StoredQuery(
        "urn:uuid:6f4f2f5b-9c0e-4a55-8d86-1f2a7c3b9e10",
        "FindHeldDocuments",
        DocumentEntry,
        Shape.HELD,
        (Parameter(f"{_DE}UniqueId", Match.UNIQUE_ID, "unique_id", many=True, required=True),),
    ),
    # What somebody may do, with these documents or at all: a Repository asks before it gives any.
    StoredQuery(
        "urn:uuid:0c1f6c1e-5c0a-4d6d-9d0e-7b6a52f1b8c4",
        asking.QUERY,
        DocumentEntry,
        Shape.JUDGE,
        (
            Parameter(asking.ACT, Match.EXACT, "", required=True),
            Parameter(asking.UNIQUE_ID, Match.UNIQUE_ID, "unique_id", many=True),
            Parameter(asking.CONCERNS, Match.EXACT, "", many=True),
            *(Parameter(name, Match.EXACT, "") for name in asking.SUBJECT),
            *(Parameter(name, Match.EXACT, "", many=True) for name in asking.SUBJECT_LISTS),
        ),
    ),
)
"""Queries of our own, beyond the standard."""

EXTENSIONS: Final = frozenset(row.name for row in _EXTENSIONS)
STORED_QUERIES: Final = {row.id: row for row in _ROWS + _EXTENSIONS}
BY_NAME: Final = {row.name: row for row in _ROWS + _EXTENSIONS}
