"""The On-Demand Document Source: registers documents that can be made, and makes them (ITI TF-2 3.61, 3.43)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha1
from uuid import NAMESPACE_OID, uuid4, uuid5

from common.ebxml.submission import write_submission
from common.model import (
    Association,
    AssociationType,
    DocumentEntry,
    LocalizedString,
    ObjectType,
    RegistryResponse,
    Status,
    Submission,
    SubmissionSet,
)
from common.standard.transactions import ITI_42, ITI_61, Transaction
from repository.on_demand.definition import MIME_TYPE, Definition, read_definition, write_definition
from repository.on_demand.generator import Generated, Generator, Order, generator
from repository.registry import Registry, RegistryUnclear
from repository.settling import Settling
from repository.storage import Blob, DocumentStore, StorageError

log = logging.getLogger("portolan.on_demand")

_HAS_MEMBER = AssociationType.HAS_MEMBER

Seen = Callable[[list[str]], frozenset[str]]
"""Which of some documents may be seen, by their uniqueIds."""


class NotGenerated(Exception):  # noqa: N818
    """The generator failed, or is not there."""


@dataclass(frozen=True, slots=True)
class Made:
    """A document made on demand; ``kept`` tells whether it can be had again under its own uniqueId."""

    content: bytes
    mime_type: str
    unique_id: str
    kept: bool


def content_unique_id(on_demand_unique_id: str, digest: str) -> str:
    """The uniqueId of a content of an on-demand document: another content, another id (ITI TF-2 3.43.4.2.2)."""
    return f"2.25.{uuid5(NAMESPACE_OID, f'{on_demand_unique_id} {digest}').int}"


class OnDemandSource:
    """Registers on-demand documents of one Repository, and makes them."""

    def __init__(
        self,
        store: DocumentStore,
        registry: Registry,
        settling: Settling,
        *,
        repository_unique_id: str,
        max_bytes: int,
        find_generator: Callable[[str], Generator] = generator,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._registry = registry
        self._settling = settling
        self._repository_unique_id = repository_unique_id
        self._max_bytes = max_bytes
        self._find_generator = find_generator
        self._now = now

    def register(self, entry: DocumentEntry, definition: Definition) -> RegistryResponse:
        """ITI-61, with the definition durable before the Registry is told; what is refused leaves nothing.

        RegistryUnreachable and RegistryUnclear as for ITI-41; what is in doubt is settled by the sweeper.
        """
        self._find_generator(definition.generator)
        offered = replace(
            entry,
            object_type=ObjectType.ON_DEMAND,
            creation_time=None,
            hash=None,
            size=None,
            repository_unique_id=self._repository_unique_id,
        )
        with self._store.upload() as upload:
            upload.write(write_definition(definition))
            blob = upload.commit(entry.unique_id or "", MIME_TYPE)
        submission = _submission(offered, definition, self._now())
        try:
            response = self._register(submission, ITI_61)
        except RegistryUnclear:
            raise  # unknown is not failed: the mark stays until the Registry has been asked
        except Exception:
            self._store.remove(blob)
            raise
        if response.status is Status.SUCCESS:
            self._store.settle(blob)
        else:
            self._store.remove(blob)
        return response

    def _register(self, submission: Submission, transaction: Transaction) -> RegistryResponse:
        sets = [(each.patient_id, each.unique_id) for each in submission.submission_sets]
        return self._registry.register(
            write_submission(submission), message_id=None, transaction=transaction, sets=sets
        )

    def make(self, blob: Blob, seen: Seen | None = None) -> Made | None:
        """The document as it is now; None where it is not registered any more. NotGenerated, RegistryUnclear.

        With ``seen`` it is made of what somebody may see, and so is for them alone and not kept.
        """
        entry = self._registry.on_demand_entry(blob.unique_id)
        if entry is None:
            return None
        with self._store.read(blob) as reader:
            definition = read_definition(reader.content())
        generated = self._generated(entry, definition, seen)
        digest = sha1(generated.content, usedforsecurity=False).hexdigest()
        unique_id = content_unique_id(blob.unique_id, digest)
        kept = definition.keep and seen is None and self._keep(entry, definition, generated, unique_id, digest)
        return Made(generated.content, generated.mime_type, unique_id, kept)

    def _generated(self, entry: DocumentEntry, definition: Definition, seen: Seen | None) -> Generated:
        order = Order(entry, definition.parameters, self._now(), lambda: self._others(entry, seen))
        try:
            generated = self._find_generator(definition.generator)(order)
        except RegistryUnclear:
            raise
        except Exception as error:
            log.exception("the generator %s failed", definition.generator)
            raise NotGenerated(definition.generator) from error
        if len(generated.content) > self._max_bytes or not generated.content:
            raise NotGenerated(f"{definition.generator} made {len(generated.content)} bytes")
        return generated

    def _others(self, entry: DocumentEntry, seen: Seen | None) -> list[DocumentEntry]:
        """The patient's documents but for what this one was before: it would be another one each time it is kept."""
        name = entry.unique_id or ""
        found = self._registry.documents_of(entry.patient_id or "")
        found = [each for each in found if each.unique_id != content_unique_id(name, each.hash or "")]
        if seen is None:
            return found
        shown = seen([each.unique_id or "" for each in found])
        return [each for each in found if each.unique_id in shown]

    def _keep(
        self, entry: DocumentEntry, definition: Definition, generated: Generated, unique_id: str, digest: str
    ) -> bool:
        """Store and register a snapshot, once for each content; whether it is kept.

        What cannot be kept now is given out all the same: it is right, only not for later.
        """
        try:
            if self._is_kept(unique_id):
                return True
            with self._store.upload() as upload:
                upload.write(generated.content)
                blob = upload.commit(unique_id, generated.mime_type)
            submission = _snapshot(entry, definition, generated, unique_id, digest, self._now())
            response = self._register(submission, ITI_42)
            if response.status is Status.SUCCESS:
                self._store.settle(blob)
                return True
            self._store.remove(blob)
            if self._is_kept(unique_id):
                return True  # somebody else registered the same meanwhile
            log.warning("a snapshot was not registered: %s", ", ".join(error.code for error in response.errors))
        except (StorageError, RegistryUnclear) as error:
            log.warning("a snapshot is not kept for now: %s", error)
        return False

    def _is_kept(self, unique_id: str) -> bool:
        """Whether a content is stored and registered; of one that is marked the registry has to say so."""
        found = self._store.find(unique_id)
        return any(not blob.pending for blob in found) or any(self._settling.settle(blob) for blob in found)


def _submission(entry: DocumentEntry, definition: Definition, now: datetime) -> Submission:
    owner = SubmissionSet(
        "SubmissionSet01",
        patient_id=entry.patient_id,
        unique_id=f"2.25.{uuid4().int}",
        source_id=definition.source_id,
        submission_time=f"{now:%Y%m%d%H%M%S}",
        content_type_code=definition.content_type,
        authors=entry.authors,
        title=(LocalizedString("Made on demand", "en-GB", "UTF-8"),),
    )
    member = Association("Member01", type=_HAS_MEMBER, source=owner.entry_uuid, target=entry.entry_uuid)
    member.submission_set_status = "Original"
    return Submission([owner], [entry], associations=[member])


def _snapshot(
    entry: DocumentEntry, definition: Definition, generated: Generated, unique_id: str, digest: str, now: datetime
) -> Submission:
    """The stable document that an on-demand document was at some time (ITI TF-3 4.2.2.2.6)."""
    stable = replace(
        entry,
        entry_uuid="Document01",
        logical_id=None,
        version=None,
        availability_status=None,
        object_type=ObjectType.STABLE,
        unique_id=unique_id,
        mime_type=generated.mime_type,
        hash=digest,
        size=str(len(generated.content)),
        creation_time=f"{now:%Y%m%d%H%M%S}",
    )
    submission = _submission(stable, definition, now)
    # Of several who make the same content at once one registers it: the others' SubmissionSet is taken.
    submission.submission_set.unique_id = f"2.25.{uuid5(NAMESPACE_OID, f'snapshot {unique_id}').int}"
    link = Association("Snapshot01", type=AssociationType.IS_SNAPSHOT_OF, source="Document01", target=entry.entry_uuid)
    submission.associations.append(link)
    return submission
