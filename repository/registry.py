"""The repository's registry, over SOAP: registers (ITI-42), and tells what is registered (ITI-18)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from common.access import Act, Who
from common.access.asking import ACT, CONCERNS, QUERY, UNIQUE_ID, Verdict, told
from common.audit.asking import Recorder
from common.audit.spool import SpoolFailed
from common.client.connections import NeighbourError, NoAnswer, NotReached
from common.client.errors import TooBusy
from common.client.soap import SoapClient
from common.ebxml import names as n
from common.ebxml.objects import Element, read_entry
from common.ebxml.query import AdhocQuery, ReturnType, write_query
from common.ebxml.responses import UnreadableAnswerError, read_registry_response
from common.ebxml.verdicts import read_verdicts
from common.faults import checkpoint
from common.model import AvailabilityStatus, DocumentEntry, RegistryError, RegistryResponse, Status
from common.observe import correlation
from common.soap.faults import SoapFault
from common.standard.errors import ErrorCode
from common.standard.queries import BY_NAME
from common.standard.transactions import ITI_18, ITI_42, Transaction

_AT_ONCE: Final = 100
_BREAKDOWNS: Final = frozenset({ErrorCode.XDSRegistryBusy, ErrorCode.XDSRegistryError})
_BUSY: Final = "the registry has too much to do: send the same message again later"


class RegistryUnreachable(Exception):  # noqa: N818
    """Nothing was sent to the registry."""


class RegistryUnclear(Exception):  # noqa: N818
    """The registry gave no clear answer; what it did is unknown."""


class RegistryBroke(RegistryUnclear):
    """The registry says that it failed, or is too busy: that can be told, but what it did is unknown all the same.

    A database that dies while it commits may have committed, and a registry that then tells of its failure is honest
    and may be wrong.
    """

    def __init__(self, response: RegistryResponse) -> None:
        super().__init__(", ".join(error.code for error in response.errors))
        self.response = response


def derived_message_id(source_message_id: str | None) -> str | None:
    """The same ITI-42 MessageID for the same ITI-41, so that the registry knows a repetition."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, source_message_id)}" if source_message_id else None


class Registry:
    """One registry, by its SOAP address."""

    def __init__(self, client: SoapClient, recorder: Recorder | None = None) -> None:
        self._client = client
        self._recorder = recorder or Recorder(None, "")

    def register(
        self,
        submission: bytes,
        *,
        message_id: str | None,
        transaction: Transaction = ITI_42,
        sets: Iterable[tuple[str | None, str | None]] = (),
    ) -> RegistryResponse:
        """The registry's answer to ITI-42, or ITI-61; RegistryUnreachable, RegistryUnclear, RegistryBroke.

        ``sets`` are the patient and the uniqueId of each SubmissionSet, for the record.
        """
        try:
            with self._recorder.asking(transaction) as asking:
                asking.account.submits(sets)
                try:
                    response = self._registered(submission, message_id, transaction)
                except RegistryBroke as broke:
                    asking.answered(broke.response)
                    raise
                asking.answered(response)
                return response
        except SpoolFailed as error:
            raise RegistryUnclear(str(error)) from error

    def _registered(self, submission: bytes, message_id: str | None, transaction: Transaction) -> RegistryResponse:
        checkpoint("iti42.sent")
        try:
            body = self._client.call(transaction, submission, message_id=message_id)
            if body.tag != n.REGISTRY_RESPONSE:
                raise RegistryUnclear("what came back is no RegistryResponse")
            response = read_registry_response(body)
        except NotReached as error:
            raise RegistryUnreachable(str(error)) from error
        except TooBusy as error:
            raise RegistryBroke(_failure(RegistryError(ErrorCode.XDSRegistryBusy, _BUSY))) from error
        except (NoAnswer, SoapFault, UnreadableAnswerError) as error:
            raise RegistryUnclear(str(error)) from error
        checkpoint("iti42.answered")
        if any(error.code in _BREAKDOWNS for error in response.errors):
            raise RegistryBroke(response)
        return response

    def hash_of(self, unique_id: str) -> str | None:
        """The registered SHA-1 of a document, ``None`` when it is not registered.

        Ids first: whole objects of one uniqueId may be of several patients, and then cannot be had at once.
        """
        name = "$XDSDocumentEntryUniqueId"
        refs = self._query({name: _quoted(unique_id)}, ReturnType.OBJECT_REF)
        names = [ref.get("id", "") for ref in refs if ref.tag == n.OBJECT_REF]
        if not names:
            return None
        found = self._query({"$XDSDocumentEntryEntryUUID": _quoted(names[0])}, ReturnType.LEAF_CLASS)
        entries = [read_entry(each, []) for each in found if each.tag == n.EXTRINSIC_OBJECT]
        return _hash(entries[0]) if entries else None

    def on_demand_entry(self, unique_id: str) -> DocumentEntry | None:
        """The latest entry of an on-demand document, a current one first; None when there is none."""
        name = "$XDSDocumentEntryUniqueId"
        refs = self._asked("GetDocuments", {name: _quoted(unique_id)}, ReturnType.OBJECT_REF)
        found: list[DocumentEntry] = []
        for ref in refs:
            if ref.tag == n.OBJECT_REF:
                slots = {"$XDSDocumentEntryEntryUUID": _quoted(ref.get("id", ""))}
                objects = self._asked("GetDocuments", slots, ReturnType.LEAF_CLASS)
                found += [read_entry(each, []) for each in objects if each.tag == n.EXTRINSIC_OBJECT]
        return min((each for each in found if not each.is_stable), key=lambda each: each.is_deprecated, default=None)

    def documents_of(self, patient_id: str) -> list[DocumentEntry]:
        """The current stable documents of a patient; RegistryUnclear."""
        slots = {
            "$XDSDocumentEntryPatientId": "'" + patient_id.replace("'", "''") + "'",
            "$XDSDocumentEntryStatus": _quoted(AvailabilityStatus.APPROVED.value),
        }
        found = self._asked("FindDocuments", slots, ReturnType.LEAF_CLASS)
        return [read_entry(each, []) for each in found if each.tag == n.EXTRINSIC_OBJECT]

    def held(self, unique_ids: Sequence[str]) -> set[str]:
        """Those documents that are under a legal hold (FindHeldDocuments); RegistryUnclear when nobody can tell."""
        held: set[str] = set()
        for start in range(0, len(unique_ids), _AT_ONCE):
            part = unique_ids[start : start + _AT_ONCE]
            if not self._any_held(part):
                continue
            held |= {name for name in part if len(part) == 1 or self._any_held([name])}
        return held

    def verdicts(
        self, who: Who, act: Act, *, unique_ids: Sequence[str] = (), patients: Iterable[str] = ()
    ) -> list[Verdict]:
        """What the Registry says of an act, on documents where some are named (JudgeAccess); RegistryUnclear."""
        subject = {name: _listed(values) for name, values in told(who)}
        subject[ACT] = _listed([act.value])
        if concerned := sorted(patients):
            subject[CONCERNS] = _listed(concerned)
        found: list[Verdict] = []
        for start in range(0, max(len(unique_ids), 1), _AT_ONCE):
            part = unique_ids[start : start + _AT_ONCE]
            more = {UNIQUE_ID: _listed(part)} if part else {}
            found += read_verdicts(self._asked(QUERY, {**subject, **more}, ReturnType.OBJECT_REF))
        return found

    def _any_held(self, unique_ids: Sequence[str]) -> bool:
        values = "(" + ",".join(_quoted(each)[1:-1] for each in unique_ids) + ")"
        found = self._asked("FindHeldDocuments", {"$XDSDocumentEntryUniqueId": values}, ReturnType.OBJECT_REF)
        return any(each.tag == n.OBJECT_REF for each in found)

    def _query(self, slots: dict[str, str], return_type: ReturnType) -> Element:
        return self._asked("GetDocuments", {**slots, "$MetadataLevel": "2"}, return_type)

    def _asked(self, name: str, slots: dict[str, str], return_type: ReturnType) -> Element:
        asked = tuple((slot, (value,)) for slot, value in slots.items())
        query = AdhocQuery(BY_NAME[name].id, return_type, asked)
        try:
            with self._recorder.asking(ITI_18) as asking:
                written = write_query(query)
                asking.account.asks(query.id, written)
                asking.account.concerns(slots.get("$XDSDocumentEntryPatientId", "").strip("'").replace("''", "'"))
                body = self._client.call(ITI_18, written)
                response = read_registry_response(body)
                asking.answered(response)
        except (NeighbourError, SoapFault, UnreadableAnswerError, SpoolFailed) as error:
            raise RegistryUnclear(str(error)) from error
        objects = body.find(n.REGISTRY_OBJECT_LIST)
        if response.status is not Status.SUCCESS or objects is None:
            raise RegistryUnclear("the registry did not answer the query")
        return objects

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _failure(error: RegistryError) -> RegistryResponse:
    told = replace(error, context=f"{error.context} [{correlation.current()}]")
    return RegistryResponse(Status.FAILURE, (told,))


def _listed(values: Iterable[str]) -> str:
    return "(" + ",".join(_quoted(each)[1:-1] for each in values) + ")"


def _quoted(value: str) -> str:
    return "('" + value.replace("'", "''") + "')"


def _hash(entry: DocumentEntry) -> str | None:
    return entry.hash.lower() if entry.hash else None
