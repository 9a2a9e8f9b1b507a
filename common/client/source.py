"""The Document Source: submits documents to a repository (ITI-41)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from common.audit.asking import Audits
from common.client.channel import Tls
from common.client.errors import ClientError, NoAnswer, OutcomeUnknown, SubmissionRefused
from common.client.message_ids import Names, new_message_id, time_of
from common.client.receiver import AsyncReceiver
from common.client.results import NewDocument, Submitted, warnings_of
from common.client.service import Assertion, Attachment, Service
from common.client.submission import Prepared, Replaces, prepare, request_body
from common.clock import utc_now
from common.closing import Closing
from common.ebxml import names as n
from common.ebxml.responses import UnreadableAnswerError, read_registry_response
from common.model import Association, Folder, RegistryResponse, Status, SubmissionSet
from common.standard.transactions import ITI_41

_REMEMBERED: Final = 1000


class DocumentSource(Closing):
    """Submits documents to one repository; for use by any thread."""

    def __init__(
        self,
        repository_url: str,
        *,
        source_id: str,
        connect_timeout: float = 2.0,
        answer_timeout: float = 300.0,
        tls: Tls | None = None,
        assertion: Assertion | None = None,
        receiver: AsyncReceiver | None = None,
        audit: Audits | None = None,
    ) -> None:
        """``source_id`` is the OID of this source; times in seconds, the second of silence while the answer is due.

        With a ``receiver`` answers are sent there, whenever they are ready. With ``audit`` everything is recorded.
        """
        self._source_id = source_id
        self._service = Service(
            repository_url,
            connect_timeout=connect_timeout,
            answer_timeout=answer_timeout,
            tls=tls,
            assertion=assertion,
            receiver=receiver,
            audit=audit,
        )
        self._times = _Times()

    def submit(
        self,
        documents: Sequence[NewDocument],
        *,
        submission_set: SubmissionSet | None = None,
        folders: Sequence[Folder] = (),
        associations: Sequence[Association] = (),
        replaces: Replaces | None = None,
        message_id: str | None = None,
    ) -> Submitted:
        """Submit documents, folders and associations: all of them are registered, or none (ITI TF-2 3.41).

        ``replaces`` gives the entryUUID that a new document takes the place of, by the new one's unique_id or index.
        Raises SubmissionRefused, NotReached when nothing was sent, OutcomeUnknown when the same call with the same
        ``message_id`` settles it, FaultReceived; ValueError or ContentUnreadable before anything is registered.
        """
        name = message_id or new_message_id()
        try:
            prepared = prepare(
                documents,
                names=Names(name),
                source_id=self._source_id,
                submission_time=self._times.of(name),
                submission_set=submission_set,
                folders=folders,
                associations=associations,
                replaces=replaces or {},
            )
            body, attachments = request_body(prepared)
            with self._service.recorder.asking(ITI_41) as asking:
                made = prepared.submission.submission_sets
                asking.account.submits((each.patient_id, each.unique_id) for each in made)
                response = self._sent(body, attachments, name)
                asking.answered(response)
        except ClientError as error:
            error.message_id = name
            raise
        return _submitted(response, prepared, name)

    def _sent(self, body: dict[str, object], attachments: Sequence[Attachment], message_id: str) -> RegistryResponse:
        try:
            with self._service.ask(ITI_41, body, message_id=message_id, attachments=attachments) as answer:
                if answer.body.tag != n.REGISTRY_RESPONSE:
                    raise NoAnswer("what came back is no RegistryResponse")
                return read_registry_response(answer.body)
        except (NoAnswer, UnreadableAnswerError) as error:
            raise OutcomeUnknown(message_id, str(error)) from error

    def close(self) -> None:
        """Close the connections."""
        self._service.close()


class _Times:
    """The submissionTime of each message: it has to be the same when the message is sent again."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def of(self, message_id: str) -> str:
        """The time in the id; for an id that tells none, the time when it was first seen here."""
        told = time_of(message_id)
        if told is not None:
            return told
        with self._lock:
            if message_id not in self._known and len(self._known) >= _REMEMBERED:
                self._known.pop(next(iter(self._known)))
            return self._known.setdefault(message_id, utc_now())


def _submitted(response: RegistryResponse, prepared: Prepared, message_id: str) -> Submitted:
    if response.status is not Status.SUCCESS:
        refused = SubmissionRefused(response.errors)
        refused.message_id = message_id
        raise refused
    submission = prepared.submission
    return Submitted(
        submission.submission_set.unique_id or "",
        tuple(entry.unique_id or "" for entry in submission.entries),
        tuple(entry.entry_uuid for entry in submission.entries),
        message_id,
        warnings_of(response.errors),
    )
