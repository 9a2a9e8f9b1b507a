"""The way out over HTTP, and what a Python user calls: DocumentSource, DocumentConsumer, DocumentAdministrator,
PatientIdentity.

Services use only the way out, and need not wait for what the rest imports: a name is looked for when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.client.administrator import (
        DocumentAdministrator,
        RemovalRefused,
        RemovedDocuments,
        Updated,
        UpdateRefused,
    )
    from common.client.consumer import DocumentConsumer
    from common.client.document_stream import DocumentStream
    from common.client.errors import (
        ClientError,
        ContentMismatch,
        ContentUnreadable,
        DocumentUnavailable,
        FaultReceived,
        NoAnswer,
        NotReached,
        OutcomeUnknown,
        QueryIncomplete,
        QueryRefused,
        Refused,
        SubmissionRefused,
        UnknownRepository,
    )
    from common.client.fetching import Fetched
    from common.client.identity import FoundPatient, PatientIdentity, PatientQueryRefused
    from common.client.message_ids import new_message_id
    from common.client.receiver import AsyncReceiver
    from common.client.results import FetchedDocument, NewDocument, QueryResult, Submitted
    from common.client.source import DocumentSource

__all__ = [
    "AsyncReceiver",
    "ClientError",
    "ContentMismatch",
    "ContentUnreadable",
    "DocumentAdministrator",
    "DocumentConsumer",
    "DocumentSource",
    "DocumentStream",
    "DocumentUnavailable",
    "FaultReceived",
    "Fetched",
    "FetchedDocument",
    "FoundPatient",
    "NewDocument",
    "NoAnswer",
    "NotReached",
    "OutcomeUnknown",
    "PatientIdentity",
    "PatientQueryRefused",
    "QueryIncomplete",
    "QueryRefused",
    "QueryResult",
    "Refused",
    "RemovalRefused",
    "RemovedDocuments",
    "SubmissionRefused",
    "Submitted",
    "UnknownRepository",
    "UpdateRefused",
    "Updated",
    "new_message_id",
]

_NAMES = {
    "administrator": ("DocumentAdministrator", "RemovalRefused", "RemovedDocuments", "Updated", "UpdateRefused"),
    "consumer": ("DocumentConsumer",),
    "document_stream": ("DocumentStream",),
    "errors": (
        "ClientError",
        "ContentMismatch",
        "ContentUnreadable",
        "DocumentUnavailable",
        "FaultReceived",
        "NoAnswer",
        "NotReached",
        "OutcomeUnknown",
        "QueryIncomplete",
        "QueryRefused",
        "Refused",
        "SubmissionRefused",
        "UnknownRepository",
    ),
    "fetching": ("Fetched",),
    "identity": ("FoundPatient", "PatientIdentity", "PatientQueryRefused"),
    "message_ids": ("new_message_id",),
    "receiver": ("AsyncReceiver",),
    "results": ("FetchedDocument", "NewDocument", "QueryResult", "Submitted"),
    "source": ("DocumentSource",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    """One of the names above (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
