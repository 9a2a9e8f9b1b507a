"""Metadata attributes: where each stands in ebRIM, how often, of which type, and who needs it.

ITI TF-3 Tables 4.2.3.2-1 to 4.2.3.4-1. Reader, writer, rules and manual read the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag, StrEnum, auto
from typing import Final

from common.model import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet


class Place(Enum):
    """Which part of ebRIM holds a value."""

    XML_ATTRIBUTE = auto()
    SLOT = auto()
    CODE = auto()
    AUTHOR = auto()
    EXTERNAL_IDENTIFIER = auto()


class DataType(StrEnum):
    """Names of the types of ITI TF-3 Table 4.2.3.1.7-2; the checks are in ``common.hl7.types``."""

    CX = "cx"
    CXI = "cxi"
    XCN = "xcn"
    DTM = "dtm"
    OID = "oid"
    OID_URN = "oid_urn"
    SHA1 = "sha1"
    SIZE = "size"
    LANGUAGE = "language"
    MIME_TYPE = "mime_type"
    IDENTIFIER = "identifier"
    RECIPIENT = "intended_recipient"
    PATIENT_INFO = "source_patient_info"
    TEXT = "text"
    CODE = "code"
    AUTHOR = "author"


class By(Flag):
    """In which transactions an attribute is required, or forbidden."""

    NOBODY = 0
    REGISTER = auto()  # ITI-42
    ON_DEMAND = auto()  # ITI-61
    BOTH = REGISTER | ON_DEMAND


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row. ``key`` is the slot name, the scheme or the XML attribute; ``label`` the fixed Name
    of an ExternalIdentifier; ``code_set`` the affinity domain's list that its codes come from."""

    name: str
    field: str
    place: Place
    key: str
    type: DataType
    many: bool = False
    required: By = By.NOBODY
    forbidden: By = By.NOBODY
    label: str = ""
    code_set: str = ""


def _slot(name: str, field: str, type_: DataType, *, key: str = "", **more: object) -> Attribute:
    return Attribute(name, field, Place.SLOT, key or name, type_, **more)  # type: ignore[arg-type]


def _code(name: str, field: str, scheme: str, *, many: bool = False, required: By = By.BOTH) -> Attribute:
    return Attribute(name, field, Place.CODE, f"urn:uuid:{scheme}", DataType.CODE, many, required, code_set=name)


def _author(scheme: str) -> Attribute:
    return Attribute("author", "authors", Place.AUTHOR, f"urn:uuid:{scheme}", DataType.AUTHOR, many=True)


def _identifier(name: str, field: str, type_: DataType, scheme: str, label: str) -> Attribute:
    return Attribute(
        name, field, Place.EXTERNAL_IDENTIFIER, f"urn:uuid:{scheme}", type_, required=By.BOTH, label=f"{label}.{name}"
    )


_HOME = Attribute("homeCommunityId", "home_community_id", Place.XML_ATTRIBUTE, "home", DataType.OID_URN)

DOCUMENT_ENTRY: Final = (
    _HOME,
    Attribute("mimeType", "mime_type", Place.XML_ATTRIBUTE, "mimeType", DataType.MIME_TYPE, required=By.BOTH),
    _slot("creationTime", "creation_time", DataType.DTM, required=By.REGISTER, forbidden=By.ON_DEMAND),
    _slot("hash", "hash", DataType.SHA1, required=By.REGISTER, forbidden=By.ON_DEMAND),
    _slot("size", "size", DataType.SIZE, required=By.REGISTER, forbidden=By.ON_DEMAND),
    _slot("repositoryUniqueId", "repository_unique_id", DataType.OID, required=By.BOTH),
    _slot("languageCode", "language_code", DataType.LANGUAGE, required=By.BOTH),
    _slot("legalAuthenticator", "legal_authenticator", DataType.XCN),
    _slot("referenceIdList", "reference_id_list", DataType.CXI, key="urn:ihe:iti:xds:2013:referenceIdList", many=True),
    _slot("serviceStartTime", "service_start_time", DataType.DTM),
    _slot("serviceStopTime", "service_stop_time", DataType.DTM),
    _slot("sourcePatientId", "source_patient_id", DataType.CX, required=By.BOTH),
    _slot("sourcePatientInfo", "source_patient_info", DataType.PATIENT_INFO, many=True),
    _slot("URI", "uri", DataType.TEXT, many=True),
    _slot("documentAvailability", "document_availability", DataType.TEXT),
    _author("93606bcf-9494-43ec-9b4e-a7748d1a838d"),
    _code("classCode", "class_code", "41a5887f-8865-4c09-adf7-e362475b143a"),
    _code("confidentialityCode", "confidentiality_codes", "f4f85eac-e6cb-4883-b524-f2705394840f", many=True),
    _code("eventCodeList", "event_codes", "2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4", many=True, required=By.NOBODY),
    _code("formatCode", "format_code", "a09d5840-386c-46f2-b5ad-9c3699a4309d"),
    _code("healthcareFacilityTypeCode", "healthcare_facility_type_code", "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"),
    _code("practiceSettingCode", "practice_setting_code", "cccf5598-8b07-4b77-a05e-ae952c785ead"),
    _code("typeCode", "type_code", "f0306f51-975f-434e-a61c-c59651d33983"),
    _identifier("patientId", "patient_id", DataType.CX, "58a6f841-87b3-4a3e-92fd-a8ffeff98427", "XDSDocumentEntry"),
    _identifier(
        "uniqueId", "unique_id", DataType.IDENTIFIER, "2e82c1f6-a085-4c72-9da3-8640a32e42ab", "XDSDocumentEntry"
    ),
)

SUBMISSION_SET: Final = (
    _HOME,
    _slot("submissionTime", "submission_time", DataType.DTM, required=By.BOTH),
    _slot("intendedRecipient", "intended_recipients", DataType.RECIPIENT, many=True),
    _author("a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"),
    _code("contentTypeCode", "content_type_code", "aa543740-bdda-424e-8c96-df4873be8500"),
    _identifier("patientId", "patient_id", DataType.CX, "6b5aea1a-874d-4603-a4bc-96a0a7b38446", "XDSSubmissionSet"),
    _identifier("sourceId", "source_id", DataType.OID, "554ac39e-e3fe-47fe-b233-965d2a147832", "XDSSubmissionSet"),
    _identifier("uniqueId", "unique_id", DataType.OID, "96fdda7c-d067-4183-912e-bf5ee74998a8", "XDSSubmissionSet"),
)

FOLDER: Final = (
    _HOME,
    _slot("lastUpdateTime", "last_update_time", DataType.DTM),
    _code("codeList", "codes", "1ba97051-7806-41a8-a48b-8fce7af683c5", many=True),
    _identifier("patientId", "patient_id", DataType.CX, "f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a", "XDSFolder"),
    _identifier("uniqueId", "unique_id", DataType.OID, "75df8f67-9973-4fbe-a900-df66cefecc5a", "XDSFolder"),
)

ASSOCIATION: Final = (
    _HOME,
    _slot("SubmissionSetStatus", "submission_set_status", DataType.TEXT),
    _slot("PreviousVersion", "previous_version", DataType.TEXT),
    _slot("AssociationPropagation", "association_propagation", DataType.TEXT),
    _slot("OriginalStatus", "original_status", DataType.TEXT),
    _slot("NewStatus", "new_status", DataType.TEXT),
    Attribute(
        "associationDocumentation",
        "documentation",
        Place.CODE,
        "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3",
        DataType.CODE,
        many=True,
        code_set="associationDocumentation",
    ),
)

ATTRIBUTES: Final[dict[type[RegistryObject], tuple[Attribute, ...]]] = {
    DocumentEntry: DOCUMENT_ENTRY,
    SubmissionSet: SUBMISSION_SET,
    Folder: FOLDER,
    Association: ASSOCIATION,
}

AUTHOR_SLOTS: Final = {
    "authorPerson": "person",
    "authorInstitution": "institutions",
    "authorRole": "roles",
    "authorSpecialty": "specialties",
    "authorTelecommunication": "telecommunications",
}

LIMITED_METADATA_NODES: Final = {
    "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85": DocumentEntry,
    "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707": SubmissionSet,
    "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03": Folder,
}


def placed(kind: type[RegistryObject], place: Place) -> dict[str, Attribute]:
    """The rows of one kind of object that stand in one part of ebRIM, by their key."""
    return {row.key: row for row in ATTRIBUTES[kind] if row.place is place}
