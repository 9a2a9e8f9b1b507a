"""What the registry is about: document entries, submission sets, folders, associations.

Plain values. Nothing in this room knows XML, SQL or HTTP, and it imports nothing of ours.
"""

from common.model.enums import AssociationType, AvailabilityStatus, DocumentAvailability, ObjectType
from common.model.objects import (
    Association,
    DocumentEntry,
    Flaw,
    Folder,
    RegistryObject,
    Submission,
    SubmissionSet,
)
from common.model.results import RegistryError, RegistryResponse, Severity, Status
from common.model.values import Author, Classification, Code, LocalizedString

__all__ = [
    "Association",
    "AssociationType",
    "Author",
    "AvailabilityStatus",
    "Classification",
    "Code",
    "DocumentAvailability",
    "DocumentEntry",
    "Flaw",
    "Folder",
    "LocalizedString",
    "ObjectType",
    "RegistryError",
    "RegistryObject",
    "RegistryResponse",
    "Severity",
    "Status",
    "Submission",
    "SubmissionSet",
]
