"""What can be said of a document on the command line, in a sidecar file and in defaults: one table for all three."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Kind(Enum):
    """How a value is read."""

    TEXT = auto()
    PATIENT = auto()  # an NHS Number or a CX
    CODE = auto()  # CODE, where the domain has only one such code, or CODE^^SCHEME
    TIME = auto()  # a DTM, or a date or time as ISO 8601 has them


@dataclass(frozen=True)
class Field:
    """One field: its key in files, which with dashes is the option; `attribute` is IHE's name of it."""

    key: str
    kind: Kind
    attribute: str
    help: str
    many: bool = False
    of_set: bool = False

    @property
    def option(self) -> str:
        """The option of the command line."""
        return f"--{self.key.replace('_', '-')}"


def _code(key: str, attribute: str, help_text: str, *, many: bool = False, of_set: bool = False) -> Field:
    return Field(key, Kind.CODE, attribute, help_text, many, of_set)


FIELDS: Final = {
    row.key: row
    for row in (
        Field("patient", Kind.PATIENT, "patientId", "NHS Number, or an id as id^^^&OID&ISO."),
        Field("title", Kind.TEXT, "title", "Title that people see."),
        Field("comments", Kind.TEXT, "comments", "A remark."),
        Field("mime_type", Kind.TEXT, "mimeType", "MIME type; by the file's name where it is not given."),
        _code("class_code", "classCode", "What sort of document it is, broadly."),
        _code("type_code", "typeCode", "What sort of document it is, exactly."),
        _code("format_code", "formatCode", "What its content is built to."),
        _code("practice_setting_code", "practiceSettingCode", "Clinical specialty."),
        _code("healthcare_facility_type_code", "healthcareFacilityTypeCode", "Sort of organisation."),
        _code("confidentiality_code", "confidentialityCode", "How confidential; may be repeated.", many=True),
        _code("event_code", "eventCodeList", "What was done or found; may be repeated.", many=True),
        Field("language_code", Kind.TEXT, "languageCode", "Language, such as en-GB."),
        Field("creation_time", Kind.TIME, "creationTime", "When it was written."),
        Field("service_start_time", Kind.TIME, "serviceStartTime", "When the care began."),
        Field("service_stop_time", Kind.TIME, "serviceStopTime", "When the care ended."),
        Field("author_person", Kind.TEXT, "authorPerson", "Author as id^family^given^^^prefix^^^&OID&ISO."),
        Field("author_institution", Kind.TEXT, "authorInstitution", "Organisation, name or XON.", many=True),
        Field("author_role", Kind.TEXT, "authorRole", "Author's role.", many=True),
        Field("author_specialty", Kind.TEXT, "authorSpecialty", "Author's specialty.", many=True),
        Field("author_telecommunication", Kind.TEXT, "authorTelecommunication", "Author's phone or mail.", many=True),
        Field("legal_authenticator", Kind.TEXT, "legalAuthenticator", "Who signed, as an XCN."),
        Field("source_patient_id", Kind.TEXT, "sourcePatientId", "The patient's id where it was written, as a CX."),
        Field("source_patient_info", Kind.TEXT, "sourcePatientInfo", "PID-3|… to PID-11|….", many=True),
        Field("reference_id", Kind.TEXT, "referenceIdList", "An id it belongs to, as id^^^&OID&ISO^type.", many=True),
        Field("unique_id", Kind.TEXT, "uniqueId", "Its own id; made from content and patient when not given."),
        _code("content_type_code", "contentTypeCode", "What led to the submission.", of_set=True),
        Field("source_id", Kind.TEXT, "sourceId", "OID of the submitting system.", of_set=True),
    )
}
