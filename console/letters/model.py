"""What a letter says, before it is written as PDF or CDA."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from console.letters import hl7

NHS_NUMBER: Final = "2.16.840.1.113883.2.1.4.1"
ODS: Final = "2.16.840.1.113883.2.1.3.2.4.19.1"
SDS_USER: Final = "1.2.826.0.1285.0.2.0.65"
SNOMED: Final = "2.16.840.1.113883.6.96"
CONFIDENTIALITY: Final = "2.16.840.1.113883.5.25"
# 2.999 is the arc set aside for examples.
HOSPITAL_NUMBERS: Final = "2.999.826.4.1"
DOCUMENTS: Final = "2.999.826.9.2"


@dataclass(frozen=True)
class Term:
    """A code with its scheme and display name."""

    code: str
    display: str
    scheme: str = SNOMED


@dataclass(frozen=True)
class Organisation:
    """An organisation with its ODS code."""

    name: str
    ods: str
    address: tuple[str, ...]


@dataclass(frozen=True)
class Clinician:
    """A clinician with the SDS user id."""

    sds: str
    prefix: str
    given: str
    family: str
    role: str

    @property
    def full_name(self) -> str:
        """As it stands under a letter."""
        return f"{self.prefix} {self.given} {self.family}"

    @property
    def xcn(self) -> str:
        """As an XCN."""
        return hl7.xcn(self.family, self.given, prefix=self.prefix, identifier=self.sds, authority=SDS_USER)


@dataclass(frozen=True)
class Patient:
    """A patient; sex is M, F, O or U and the date of birth is YYYYMMDD, as in PID-8 and PID-7."""

    nhs_number: str
    local_id: str
    prefix: str
    given: str
    family: str
    sex: str
    birth: str
    street: str
    city: str
    postcode: str

    @property
    def patient_id(self) -> str:
        """The NHS Number as a CX."""
        return hl7.cx(self.nhs_number, NHS_NUMBER)

    @property
    def source_patient_id(self) -> str:
        """The hospital's own number as a CX."""
        return hl7.cx(self.local_id, HOSPITAL_NUMBERS)

    @property
    def source_patient_info(self) -> tuple[str, ...]:
        """The values of sourcePatientInfo."""
        name = hl7.person_name(self.family, self.given, prefix=self.prefix)
        address = "^".join(hl7.escaped(part) for part in (self.street, "", self.city, "", self.postcode, "GBR"))
        values = (self.source_patient_id, name, self.birth, self.sex, address)
        return tuple(f"PID-{field}|{value}" for field, value in zip((3, 5, 7, 8, 11), values, strict=True))


@dataclass(frozen=True)
class Table:
    """Rows of text under column headings; `widths` are shares of the page."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Section:
    """One part of a letter under a PRSB heading; the code is missing where none is confirmed."""

    heading: str
    code: str | None = None
    paragraphs: tuple[str, ...] = ()
    table: Table | None = None


@dataclass(frozen=True)
class Letter:
    """A letter with all that its metadata is made of; times carry their zone."""

    number: str
    title: str
    type: Term
    setting: Term
    events: tuple[Term, ...]
    written: datetime
    began: datetime
    ended: datetime
    patient: Patient
    author: Clinician
    hospital: Organisation
    practice: Organisation
    sections: tuple[Section, ...]
    inpatient: bool = True

    @property
    def unique_id(self) -> str:
        """The document's uniqueId, an OID."""
        return f"{DOCUMENTS}.{self.number}"


def dtm(moment: datetime) -> str:
    """A moment as DTM to the second, in UTC."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")
