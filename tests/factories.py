"""Makes valid things; a test names only what differs. Everybody and everything in them is made up."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from dataclasses import replace
from typing import Any

from common.codes import CodeSets
from common.ebxml.submission import write_submission
from common.model import (
    Association,
    AssociationType,
    Author,
    AvailabilityStatus,
    Code,
    DocumentEntry,
    Folder,
    LocalizedString,
    RegistryObject,
    Submission,
    SubmissionSet,
)
from common.standard.nhs import check_digit

AUTHORITY = "2.16.840.1.113883.2.1.4.1"
SNOMED = "2.16.840.1.113883.6.96"
SOURCE_ID = "2.999.826.2.1"
REPOSITORY_ID = "2.999.826.1.1"
HAS_MEMBER = AssociationType.HAS_MEMBER

_counter = itertools.count(int(uuid.uuid4()) % 900_000)
_names = itertools.count(1)


def an_nhs_number() -> str:
    """A fresh valid NHS Number of the 999 test range."""
    while True:
        first = f"999{next(_counter) % 1_000_000:06d}"
        digit = check_digit(first)
        if digit is not None:
            return first + digit


def a_patient_id(number: str | None = None) -> str:
    """A patient id as XDS writes it."""
    return f"{number or an_nhs_number()}^^^&{AUTHORITY}&ISO"


def a_uuid() -> str:
    """A fresh ``urn:uuid:`` name."""
    return f"urn:uuid:{uuid.uuid4()}"


def an_oid() -> str:
    """A fresh OID of the arc for UUIDs."""
    return f"2.25.{uuid.uuid4().int}"


def text(value: str) -> tuple[LocalizedString, ...]:
    """A text in English."""
    return (LocalizedString(value, "en-GB", "UTF-8"),)


def a_code(code: str, scheme: str = SNOMED, display: str = "A display name") -> Code:
    """A code with a display name."""
    return Code(code, scheme, text(display))


def an_author(**differs: Any) -> Author:
    """A made-up consultant of a made-up hospital."""
    author = Author(
        person="555021935107^Okafor^Amara^^^Dr^^^&1.2.826.0.1285.0.2.0.65&ISO",
        institutions=("Northbeck General Hospital^^^^^&2.16.840.1.113883.2.1.3.2.4.19.1&ISO^^^^ZT901",),
        roles=("Discharging consultant",),
        specialties=("General medicine",),
        telecommunications=("^^Internet^amara.okafor@northbeck.example",),
    )
    return replace(author, **differs)


def a_document(**differs: Any) -> DocumentEntry:
    """A DocumentEntry of a discharge letter, with a symbolic id."""
    unique_id = differs.get("unique_id") or an_oid()
    entry = DocumentEntry(
        f"Document{next(_names):04d}",
        unique_id=unique_id,
        patient_id="9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO",
        mime_type="application/pdf",
        creation_time="20260311141500",
        hash=hashlib.sha1(unique_id.encode()).hexdigest(),
        size="1480",
        repository_unique_id=REPOSITORY_ID,
        language_code="en-GB",
        legal_authenticator="555021935107^Okafor^Amara^^^Dr^^^&1.2.826.0.1285.0.2.0.65&ISO",
        service_start_time="20260306093000",
        service_stop_time="20260311140000",
        source_patient_id="NGH4471893^^^&2.999.826.4.1&ISO",
        source_patient_info=("PID-3|NGH4471893^^^&2.999.826.4.1&ISO", "PID-5|Fenwick^Maud^^^Mrs", "PID-8|F"),
        authors=(an_author(),),
        class_code=a_code("823651000000106", display="Clinical note"),
        confidentiality_codes=(a_code("N", "2.16.840.1.113883.5.25", "Normal"),),
        format_code=a_code("urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3"),
        healthcare_facility_type_code=a_code("22232009", display="Hospital"),
        practice_setting_code=a_code("394802001", display="General medicine"),
        type_code=a_code("824331000000106", display="Inpatient final discharge letter"),
        title=text("Discharge letter"),
    )
    return replace(entry, **differs)


def a_submission_set(**differs: Any) -> SubmissionSet:
    """A SubmissionSet of the same made-up patient."""
    owner = SubmissionSet(
        f"SubmissionSet{next(_names):04d}",
        unique_id=an_oid(),
        source_id=SOURCE_ID,
        patient_id="9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO",
        submission_time="20260311142000",
        authors=(an_author(),),
        content_type_code=a_code("58000006", display="Patient discharge"),
        title=text("Discharge"),
    )
    return replace(owner, **differs)


def a_folder(**differs: Any) -> Folder:
    """A Folder of the same made-up patient."""
    folder = Folder(
        f"Folder{next(_names):04d}",
        unique_id=an_oid(),
        patient_id="9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO",
        codes=(a_code("394802001", display="General medicine"),),
        title=text("Care plans"),
    )
    return replace(folder, **differs)


def a_link(
    type_: AssociationType, source: RegistryObject | str, target: RegistryObject | str, **differs: Any
) -> Association:
    """An Association between two objects, or ids."""

    def name(end: RegistryObject | str) -> str:
        return end if isinstance(end, str) else end.entry_uuid

    link = Association(f"Link{next(_names):04d}", type=type_, source=name(source), target=name(target))
    return replace(link, **differs)


def a_submission(
    *items: DocumentEntry | Folder | Association, patient_id: str | None = None, owner: SubmissionSet | None = None
) -> Submission:
    """A good submission of these objects: with its SubmissionSet, and every membership that is needed."""
    first = next((item.patient_id for item in items if isinstance(item, DocumentEntry | Folder)), None)
    patient = patient_id or first or "9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO"
    owner = owner or a_submission_set(patient_id=patient)
    submission = Submission(submission_sets=[owner])
    if patient_id:
        items = tuple(
            replace(item, patient_id=patient_id) if isinstance(item, DocumentEntry | Folder) else item for item in items
        )
    for item in items:
        if isinstance(item, DocumentEntry):
            submission.entries.append(item)
        elif isinstance(item, Folder):
            submission.folders.append(item)
        else:
            submission.associations.append(item)
    for item in (*submission.entries, *submission.folders, *submission.associations[:]):
        if isinstance(item, Association) and item.type is not HAS_MEMBER:
            continue
        submission.associations.append(a_link(HAS_MEMBER, owner, item, submission_set_status="Original"))
    return submission


def included(owner: SubmissionSet, entry_uuid: str) -> Association:
    """A registered DocumentEntry included in a SubmissionSet by reference."""
    return a_link(HAS_MEMBER, owner, entry_uuid, submission_set_status="Reference")


def a_new_version(item: DocumentEntry | Folder, **differs: Any) -> DocumentEntry | Folder:
    """The next version of a registered object, with a symbolic id; ``item`` may be any version of it."""
    changes = {"entry_uuid": f"Version{next(_names):04d}", "logical_id": item.logical_id or item.entry_uuid}
    return replace(item, **{**changes, "version": None, "availability_status": None, **differs})


def an_update(
    *items: DocumentEntry | Folder,
    previous: str | None = "1",
    propagation: str | None = None,
    owner: SubmissionSet | None = None,
) -> Submission:
    """ITI-57 or ITI-92: new versions of registered objects, each with its HasMember."""
    owner = owner or a_submission_set(patient_id=items[0].patient_id)
    submission = Submission(submission_sets=[owner])
    for item in items:
        (submission.entries if isinstance(item, DocumentEntry) else submission.folders).append(item)  # type: ignore[arg-type]
        slots = {"previous_version": previous, "association_propagation": propagation}
        submission.associations.append(a_link(HAS_MEMBER, owner, item, submission_set_status="Original", **slots))
    return submission


def a_status_change(
    target: RegistryObject | str, before: AvailabilityStatus, after: AvailabilityStatus, *, patient_id: str
) -> Submission:
    """ITI-57: another availabilityStatus."""
    owner = a_submission_set(patient_id=patient_id)
    slots = {"original_status": before.value, "new_status": after.value}
    return Submission(
        [owner], associations=[a_link(AssociationType.UPDATE_AVAILABILITY_STATUS, owner, target, **slots)]
    )


def a_submitted_association(link: Association, *, patient_id: str) -> Submission:
    """ITI-57: an Association by itself."""
    owner = a_submission_set(patient_id=patient_id)
    return Submission([owner], associations=[link, a_link(AssociationType.SUBMIT_ASSOCIATION, owner, link)])


def submit_objects(submission: Submission) -> bytes:
    """The SubmitObjectsRequest of a submission."""
    return write_submission(submission)


class AnyDomain:
    """An affinity domain that takes every code and every patient; tests narrow it."""

    def __init__(
        self, *, only_fed: bool = False, refuse_patient: str | None = None, codes: CodeSets | None = None
    ) -> None:
        self.only_fed_patients = only_fed
        self.home_community = ""
        self._problem = refuse_patient
        self._codes = codes or CodeSets()

    def accepts_code(self, attribute: str, code: str, scheme: str) -> bool:
        """As the code sets have it."""
        return self._codes.accepts(attribute, code, scheme)

    def accepts_mime(self, mime_type: str) -> bool:
        """As the code sets have it."""
        return self._codes.accepts_mime(mime_type)

    def patient_problem(self, patient_id: str) -> str | None:
        """The same for every patient."""
        return self._problem


APPROVED = AvailabilityStatus.APPROVED
DEPRECATED = AvailabilityStatus.DEPRECATED
