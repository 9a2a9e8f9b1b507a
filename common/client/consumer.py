"""The Document Consumer: finds documents in a registry (ITI-18, ITI-51), fetches them from repositories (ITI-43)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final

from common.audit.asking import Audits
from common.client.answers import query_result
from common.client.channel import Tls
from common.client.document_stream import DocumentStream, document_stream
from common.client.errors import ClientError, QueryIncomplete, QueryRefused, UnknownRepository
from common.client.fetching import Errand, Fetched
from common.client.message_ids import new_message_id
from common.client.query_values import patients_in, slots_of
from common.client.receiver import AsyncReceiver
from common.client.results import QueryResult
from common.client.service import Assertion, Service
from common.closing import Closing
from common.ebxml.query import AdhocQuery, ReturnType, write_query
from common.model import AvailabilityStatus, Code, DocumentEntry, RegistryResponse, Status
from common.standard.queries import BY_NAME, STORED_QUERIES, StoredQuery
from common.standard.transactions import ITI_18, ITI_51

Codes = str | Code | Sequence[str | Code]
CodeGroups = Codes | Sequence[Codes]
Time = str | datetime | None
_AT_ONCE: Final = 500
_DE: Final = "$XDSDocumentEntry"


class DocumentConsumer(Closing):
    """Speaks with one registry and with the repositories it points to; for use by any thread."""

    def __init__(
        self,
        registry_url: str,
        repositories: Mapping[str, str],
        *,
        connect_timeout: float = 2.0,
        answer_timeout: float = 300.0,
        parallel: int = 8,
        tls: Tls | None = None,
        assertion: Assertion | None = None,
        receiver: AsyncReceiver | None = None,
        audit: Audits | None = None,
    ) -> None:
        """``repositories`` are URLs by repositoryUniqueId, of which ``parallel`` are asked at a time; times in seconds.

        ``answer_timeout`` is of silence while an answer is due. With a ``receiver`` answers are sent there, whenever
        they are ready. With ``audit`` everything is recorded.
        """

        def service(url: str) -> Service:
            return Service(
                url,
                connect_timeout=connect_timeout,
                answer_timeout=answer_timeout,
                tls=tls,
                assertion=assertion,
                receiver=receiver,
                audit=audit,
            )

        self._registry = service(registry_url)
        self._repositories = {name: service(url) for name, url in repositories.items()}
        self._parallel = parallel

    def find(
        self,
        patient_id: str,
        *,
        status: str | Sequence[str] = (AvailabilityStatus.APPROVED,),
        class_code: Codes = (),
        type_code: Codes = (),
        practice_setting_code: Codes = (),
        healthcare_facility_type_code: Codes = (),
        event_code: CodeGroups = (),
        confidentiality_code: CodeGroups = (),
        format_code: Codes = (),
        author_person: str | Sequence[str] = (),
        creation_time_from: Time = None,
        creation_time_to: Time = None,
        service_start_time_from: Time = None,
        service_start_time_to: Time = None,
        service_stop_time_from: Time = None,
        service_stop_time_to: Time = None,
        object_type: str | Sequence[str] = (),
        document_availability: str | Sequence[str] = (),
        reference_id: str | Sequence[str] | Sequence[Sequence[str]] = (),
        metadata_level: int | None = None,
    ) -> list[DocumentEntry]:
        """The entries of one patient's documents that match all that is given (ITI TF-2 3.18.4.1.2.3.7.1).

        A list is of values any of which will do; of event codes, confidentiality codes and reference ids there may be
        lists of lists, each of which must match. QueryRefused, QueryIncomplete, NotReached, NoAnswer, FaultReceived.
        """
        slots = {
            "PatientId": patient_id,
            "Status": status,
            "ClassCode": class_code,
            "TypeCode": type_code,
            "PracticeSettingCode": practice_setting_code,
            "HealthcareFacilityTypeCode": healthcare_facility_type_code,
            "EventCodeList": event_code,
            "ConfidentialityCode": confidentiality_code,
            "FormatCode": format_code,
            "AuthorPerson": author_person,
            "CreationTimeFrom": creation_time_from,
            "CreationTimeTo": creation_time_to,
            "ServiceStartTimeFrom": service_start_time_from,
            "ServiceStartTimeTo": service_start_time_to,
            "ServiceStopTimeFrom": service_stop_time_from,
            "ServiceStopTimeTo": service_stop_time_to,
            "Type": object_type,
            "DocumentAvailability": document_availability,
            "ReferenceIdList": reference_id,
        }
        asked = {f"{_DE}{name}": value for name, value in slots.items()} | {"$MetadataLevel": metadata_level}
        return self._entries("FindDocumentsByReferenceId" if reference_id else "FindDocuments", asked)

    def get(self, *, unique_ids: Sequence[str] = (), entry_uuids: Sequence[str] = ()) -> list[DocumentEntry]:
        """The entries with these uniqueIds or entryUUIDs (GetDocuments); raises what ``find`` does."""
        found: dict[str, DocumentEntry] = {}
        for name, ids in (("UniqueId", unique_ids), ("EntryUUID", entry_uuids)):
            wanted = [ids] if isinstance(ids, str) else list(ids)
            for at in range(0, len(wanted), _AT_ONCE):
                entries = self._entries("GetDocuments", {f"{_DE}{name}": wanted[at : at + _AT_ONCE]})
                found |= {entry.entry_uuid: entry for entry in entries}
        return list(found.values())

    def _entries(self, name: str, slots: Mapping[str, Any]) -> list[DocumentEntry]:
        result = self.query(name, slots)
        if not result.is_complete:
            raise QueryIncomplete(result.errors)
        return result.entries

    def query(
        self,
        name_or_id: str,
        slots: Mapping[str, Any],
        leaf: bool = True,
        multi_patient: bool = False,
        *,
        home: str | None = None,
    ) -> QueryResult:
        """Any stored query by its name or id; ITI-51 where it is one across patients.

        Values are text, numbers, Codes, datetimes, or sequences of them; ``leaf``: whole objects, else ids only;
        ``home`` is a homeCommunityId. QueryRefused, NotReached, NoAnswer, FaultReceived; ValueError for a value that
        cannot be asked for. A PartialSuccess is no error here: see ``is_complete`` of the result.
        """
        row = _query_row(name_or_id)
        values = list(slots_of(row, slots))
        body = {
            "ResponseOption": {"returnComposedObjects": True, "returnType": "LeafClass" if leaf else "ObjectRef"},
            "AdhocQuery": {
                "id": row.id if row else name_or_id,
                "home": home,
                "Slot": [{"name": name, "ValueList": {"Value": list(given)}} for name, given in values],
            },
        }
        across = multi_patient or (row is not None and row.multi_patient)
        transaction = ITI_51 if across else ITI_18
        kind = ReturnType.LEAF_CLASS if leaf else ReturnType.OBJECT_REF
        told = tuple((name, tuple(given)) for name, given in values)
        asked = AdhocQuery(row.id if row else name_or_id, kind, told, home)
        with self._registry.recorder.asking(transaction) as asking:
            asking.account.asks(asked.id, write_query(asked), home)
            asking.account.concerns(*patients_in(asked.slots))
            with self._registry.ask(transaction, body, message_id=new_message_id()) as answer:
                result = query_result(answer.body)
            asking.answered(RegistryResponse(result.status, result.errors))
        if result.status is Status.FAILURE:
            raise QueryRefused(result.errors + result.warnings)
        return result

    def fetch(self, entries: Iterable[DocumentEntry]) -> Fetched:
        """The documents of these entries, from whichever repositories hold them; see ``Fetched``."""
        by_repository: dict[str, dict[str, DocumentEntry]] = {}
        for entry in entries:
            by_repository.setdefault(entry.repository_unique_id or "", {})[entry.entry_uuid] = entry
        return Fetched(
            [self._errand(name, tuple(each.values())) for name, each in by_repository.items()], self._parallel
        )

    def open(self, entry: DocumentEntry) -> AbstractContextManager[DocumentStream]:
        """One document as a stream of pieces, verified when it ends; for documents of any size.

        Within: ContentMismatch, NoAnswer. On entering: UnknownRepository, DocumentUnavailable, NotReached, NoAnswer,
        FaultReceived.
        """
        return document_stream(self._service(entry.repository_unique_id or ""), entry)

    def _errand(self, repository: str, entries: tuple[DocumentEntry, ...]) -> Errand:
        try:
            return Errand(entries, self._service(repository))
        except ClientError as problem:
            return Errand(entries, problem=problem)

    def _service(self, repository: str) -> Service:
        service = self._repositories.get(repository)
        if service is None:
            told = (
                f"no address is known for the repository {repository}"
                if repository
                else "the entry names no repository"
            )
            raise UnknownRepository(told)
        return service

    def close(self) -> None:
        """Close the connections."""
        for service in (self._registry, *self._repositories.values()):
            service.close()


def _query_row(name_or_id: str) -> StoredQuery | None:
    row = BY_NAME.get(name_or_id) or STORED_QUERIES.get(name_or_id.lower())
    if row is None and not name_or_id.lower().startswith("urn:uuid:"):
        raise ValueError(f"{name_or_id!r} is no stored query; {', '.join(sorted(BY_NAME))} are")
    return row
