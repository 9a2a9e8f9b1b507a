"""The repository's registry, over SOAP: registers (ITI-42), and tells what is registered (ITI-18)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from common.access import Who
from common.access.asking import told
from common.audit.spool import SpoolFailed
from common.client.connections import NoAnswer, NotReached
from common.client.errors import TooBusy
from common.ebxml import names as n
from common.ebxml.objects import Element, read_entry
from common.ebxml.query import ReturnType
from common.ebxml.responses import UnreadableAnswerError, read_registry_response
from common.faults import checkpoint
from common.judging.queries import AT_ONCE, Queries, RegistryUnclear, quoted
from common.model import AvailabilityStatus, DocumentEntry, RegistryError, RegistryResponse, Status
from common.observe import correlation
from common.soap.behalf import write_behalf
from common.soap.faults import SoapFault
from common.standard.errors import ErrorCode
from common.standard.transactions import ITI_42, Transaction

__all__ = ["Registry", "RegistryBroke", "RegistryUnclear", "RegistryUnreachable", "derived_message_id"]

_BREAKDOWNS: Final = frozenset({ErrorCode.XDSRegistryBusy, ErrorCode.XDSRegistryError})
_BUSY: Final = "the registry has too much to do: send the same message again later"


class RegistryUnreachable(Exception):  # noqa: N818
    """Nothing was sent to the registry."""


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


class Registry(Queries):
    """One registry, by its SOAP address."""

    def register(
        self,
        submission: bytes,
        *,
        message_id: str | None,
        transaction: Transaction = ITI_42,
        sets: Iterable[tuple[str | None, str | None]] = (),
        who: Who | None = None,
    ) -> RegistryResponse:
        """The registry's answer to ITI-42, or ITI-61; RegistryUnreachable, RegistryUnclear, RegistryBroke.

        ``sets`` are the patient and the uniqueId of each SubmissionSet, for the record. ``who`` is whoever it is sent
        for, where access is decided: what the submission refers to is judged for them.
        """
        header = write_behalf(told(who)) if who is not None else b""
        try:
            with self._recorder.asking(transaction) as asking:
                asking.account.submits(sets)
                try:
                    response = self._registered(submission, message_id, transaction, header)
                except RegistryBroke as broke:
                    asking.answered(broke.response)
                    raise
                asking.answered(response)
                return response
        except SpoolFailed as error:
            raise RegistryUnclear(str(error)) from error

    def _registered(
        self, submission: bytes, message_id: str | None, transaction: Transaction, header: bytes
    ) -> RegistryResponse:
        checkpoint("iti42.sent")
        try:
            body = self._client.call(transaction, submission, message_id=message_id, header=header)
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
        refs = self._query({name: quoted(unique_id)}, ReturnType.OBJECT_REF)
        names = [ref.get("id", "") for ref in refs if ref.tag == n.OBJECT_REF]
        if not names:
            return None
        found = self._query({"$XDSDocumentEntryEntryUUID": quoted(names[0])}, ReturnType.LEAF_CLASS)
        entries = [read_entry(each, []) for each in found if each.tag == n.EXTRINSIC_OBJECT]
        return _hash(entries[0]) if entries else None

    def on_demand_entry(self, unique_id: str) -> DocumentEntry | None:
        """The latest entry of an on-demand document, a current one first; None when there is none."""
        name = "$XDSDocumentEntryUniqueId"
        refs = self.asked("GetDocuments", {name: quoted(unique_id)}, ReturnType.OBJECT_REF)
        found: list[DocumentEntry] = []
        for ref in refs:
            if ref.tag == n.OBJECT_REF:
                slots = {"$XDSDocumentEntryEntryUUID": quoted(ref.get("id", ""))}
                objects = self.asked("GetDocuments", slots, ReturnType.LEAF_CLASS)
                found += [read_entry(each, []) for each in objects if each.tag == n.EXTRINSIC_OBJECT]
        return min((each for each in found if not each.is_stable), key=lambda each: each.is_deprecated, default=None)

    def documents_of(self, patient_id: str) -> list[DocumentEntry]:
        """The current stable documents of a patient; RegistryUnclear."""
        slots = {
            "$XDSDocumentEntryPatientId": "'" + patient_id.replace("'", "''") + "'",
            "$XDSDocumentEntryStatus": quoted(AvailabilityStatus.APPROVED.value),
        }
        found = self.asked("FindDocuments", slots, ReturnType.LEAF_CLASS)
        return [read_entry(each, []) for each in found if each.tag == n.EXTRINSIC_OBJECT]

    def held(self, unique_ids: Sequence[str]) -> set[str]:
        """Those documents that are under a legal hold (FindHeldDocuments); RegistryUnclear when nobody can tell."""
        held: set[str] = set()
        for start in range(0, len(unique_ids), AT_ONCE):
            part = unique_ids[start : start + AT_ONCE]
            if not self._any_held(part):
                continue
            held |= {name for name in part if len(part) == 1 or self._any_held([name])}
        return held

    def _any_held(self, unique_ids: Sequence[str]) -> bool:
        values = "(" + ",".join(quoted(each)[1:-1] for each in unique_ids) + ")"
        found = self.asked("FindHeldDocuments", {"$XDSDocumentEntryUniqueId": values}, ReturnType.OBJECT_REF)
        return any(each.tag == n.OBJECT_REF for each in found)

    def _query(self, slots: dict[str, str], return_type: ReturnType) -> Element:
        return self.asked("GetDocuments", {**slots, "$MetadataLevel": "2"}, return_type)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _failure(error: RegistryError) -> RegistryResponse:
    told = replace(error, context=f"{error.context} [{correlation.current()}]")
    return RegistryResponse(Status.FAILURE, (told,))


def _hash(entry: DocumentEntry) -> str | None:
    return entry.hash.lower() if entry.hash else None
