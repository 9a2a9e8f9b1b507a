"""The way out over HTTP, and what a Python user calls: DocumentSource, DocumentConsumer, DocumentAdministrator."""

from common.client.administrator import DocumentAdministrator, RemovalRefused, RemovedDocuments
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
from common.client.message_ids import new_message_id
from common.client.results import FetchedDocument, NewDocument, QueryResult, Submitted
from common.client.source import DocumentSource

__all__ = [
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
    "NewDocument",
    "NoAnswer",
    "NotReached",
    "OutcomeUnknown",
    "QueryIncomplete",
    "QueryRefused",
    "QueryResult",
    "Refused",
    "RemovalRefused",
    "RemovedDocuments",
    "SubmissionRefused",
    "Submitted",
    "UnknownRepository",
    "new_message_id",
]
