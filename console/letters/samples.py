"""Six letters about three made-up patients, as files with what is needed to submit them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from console.letters import sample_texts as texts
from console.letters.cda import cda
from console.letters.model import CONFIDENTIALITY, Clinician, Letter, Organisation, Patient, Section, Term
from console.letters.pdf import pdf

IHE_FORMATS: Final = "1.3.6.1.4.1.19376.1.2.3"

HOSPITAL: Final = Organisation("Northbeck General Hospital", "ZT901", ("1 Example Way", "Northbeck", "ZZ99 1AA"))
PRACTICE: Final = Organisation("Millrace Surgery", "ZT902", ("5 Sample Street", "Northbeck", "ZZ99 2BB"))

FENWICK: Final = Patient(
    "9990001006", "NGH4471893", "Mrs", "Maud", "Fenwick", "F", "19420317", "12 Sample Lane", "Northbeck", "ZZ99 3VZ"
)
THISTLEWOOD: Final = Patient(
    "9990001014",
    "NGH5520417",
    "Mr",
    "Arthur",
    "Thistlewood",
    "M",
    "19510902",
    "3 Example Rise",
    "Northbeck",
    "ZZ99 3WZ",
)
ODELL_MARSH: Final = Patient(
    "9990001022",
    "NGH6038852",
    "Miss",
    "Zoë",
    "O'Dell-Marsh",
    "F",
    "19981123",
    "7a Specimen Court",
    "Northbeck",
    "ZZ99 4AZ",
)

OKAFOR: Final = Clinician("555021935107", "Dr", "Amara", "Okafor", "Consultant Physician")
LINDQVIST: Final = Clinician("555021936114", "Miss", "Ingrid", "Lindqvist", "Consultant Orthopaedic Surgeon")
PEMBERTON: Final = Clinician("555021937122", "Dr", "Rafiq", "Pemberton", "Consultant in Respiratory Medicine")

_DISCHARGE: Final = Term("373942005", "Discharge summary")
_OUTPATIENT: Final = Term("823681000000100", "Outpatient letter")
_CLASS: Final = Term("823651000000106", "Clinical note")
_FACILITY: Final = Term("22232009", "Hospital")
_NORMAL: Final = Term("N", "Normal", CONFIDENTIALITY)
_MEDICINE: Final = Term("394802001", "General medicine")
_ORTHOPAEDICS: Final = Term("394801008", "Trauma and orthopaedics")
_RESPIRATORY: Final = Term("418112009", "Respiratory medicine")
_PNEUMONIA: Final = Term("233604007", "Pneumonia")
_HIP: Final = Term("52734007", "Total replacement of hip")
_ASTHMA: Final = Term("195967001", "Asthma")
_SUMMER: Final = timezone(timedelta(hours=1))

# A CDA document has no format code of its own in the NHS; the MIME type says enough for both kinds.
_FORMAT: Final = Term("urn:ihe:iti:xds:2017:mimeTypeSufficient", "mimeType Sufficient", IHE_FORMATS)


@dataclass(frozen=True)
class SampleLetter:
    """A letter as a file, and what its metadata is made of."""

    name: str
    mime_type: str
    content: bytes
    letter: Letter
    class_code: Term = _CLASS
    format_code: Term = _FORMAT
    facility_code: Term = _FACILITY
    confidentiality: Term = _NORMAL
    language: str = "en-GB"


def sample_letters() -> list[SampleLetter]:
    """The six letters, always the same bytes."""
    made = []
    for letter, name, write in _letters():
        mime_type = "application/pdf" if write is pdf else "text/xml"
        made.append(SampleLetter(name, mime_type, write(letter), letter))
    return made


def _letters() -> list[tuple[Letter, str, Callable[[Letter], bytes]]]:
    winter = UTC
    return [
        (
            _stay(
                ("20260311.1", FENWICK, OKAFOR, _MEDICINE, _PNEUMONIA, texts.PNEUMONIA),
                datetime(2026, 3, 6, 9, 40, tzinfo=winter),
                datetime(2026, 3, 11, 14, 20, tzinfo=winter),
            ),
            "fenwick-discharge.pdf",
            pdf,
        ),
        (
            _visit(
                ("20260422.1", FENWICK, PEMBERTON, _RESPIRATORY, _PNEUMONIA, texts.CHEST_CLINIC),
                datetime(2026, 4, 22, 10, 30, tzinfo=_SUMMER),
            ),
            "fenwick-chest-clinic.xml",
            cda,
        ),
        (
            _stay(
                ("20260206.1", THISTLEWOOD, LINDQVIST, _ORTHOPAEDICS, _HIP, texts.HIP_REPLACEMENT),
                datetime(2026, 2, 3, 7, 15, tzinfo=winter),
                datetime(2026, 2, 6, 11, 5, tzinfo=winter),
            ),
            "thistlewood-discharge.xml",
            cda,
        ),
        (
            _visit(
                ("20260319.1", THISTLEWOOD, LINDQVIST, _ORTHOPAEDICS, _HIP, texts.HIP_CLINIC),
                datetime(2026, 3, 19, 14, 0, tzinfo=winter),
            ),
            "thistlewood-hip-clinic.pdf",
            pdf,
        ),
        (
            _stay(
                ("20260116.1", ODELL_MARSH, PEMBERTON, _RESPIRATORY, _ASTHMA, texts.ASTHMA),
                datetime(2026, 1, 14, 23, 10, tzinfo=winter),
                datetime(2026, 1, 16, 16, 45, tzinfo=winter),
            ),
            "odell-marsh-discharge.xml",
            cda,
        ),
        (
            _visit(
                ("20260218.1", ODELL_MARSH, PEMBERTON, _RESPIRATORY, _ASTHMA, texts.ASTHMA_CLINIC),
                datetime(2026, 2, 18, 9, 20, tzinfo=winter),
            ),
            "odell-marsh-asthma-clinic.pdf",
            pdf,
        ),
    ]


_What = tuple[str, Patient, Clinician, Term, Term, tuple[Section, ...]]


def _stay(what: _What, admitted: datetime, discharged: datetime) -> Letter:
    """A discharge letter, written an hour after the patient left."""
    written = discharged + timedelta(hours=1)
    return _letter(what, "Discharge letter", _DISCHARGE, written, admitted, discharged, inpatient=True)


def _visit(what: _What, seen: datetime) -> Letter:
    """An outpatient letter, written a day after a visit of half an hour."""
    ended = seen + timedelta(minutes=30)
    return _letter(what, "Outpatient letter", _OUTPATIENT, seen + timedelta(days=1), seen, ended, inpatient=False)


def _letter(
    what: _What, title: str, kind: Term, written: datetime, began: datetime, ended: datetime, inpatient: bool
) -> Letter:
    number, patient, author, setting, event, sections = what
    return Letter(
        number=number,
        title=title,
        type=kind,
        setting=setting,
        events=(event,),
        written=written,
        began=began,
        ended=ended,
        patient=patient,
        author=author,
        hospital=HOSPITAL,
        practice=PRACTICE,
        sections=sections,
        inpatient=inpatient,
    )
