"""What a Python user calls, all of it at once."""

from common.client.administrator import DocumentAdministrator, RemovalRefused, RemovedDocuments, Updated, UpdateRefused
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
