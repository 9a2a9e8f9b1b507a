"""ITI-41: documents and their metadata belong together (ITI TF-2 3.41.4.1.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from common.hl7.types import identifier
from common.rules import Objections, Rulebook
from common.standard.errors import ErrorCode
from repository.on_demand.definition import MIME_TYPE as ON_DEMAND


@dataclass(frozen=True, slots=True)
class Entry:
    """What the repository looks at in a DocumentEntry."""

    id: str
    unique_id: str
    is_stable: bool
    hash: str | None
    size: str | None
    mime_type: str = ""


@dataclass(frozen=True, slots=True)
class Bytes:
    """What was received as one document."""

    sha1: str
    size: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One ITI-41: entries, the ids of its Document elements, and what was received for each id."""

    has_submission: bool
    entries: tuple[Entry, ...]
    documents: tuple[str, ...]
    received: Mapping[str, Bytes]


PROVIDE: Rulebook[[Delivery]] = Rulebook()
rule = PROVIDE.rule
WRONG = ErrorCode.XDSRepositoryMetadataError


@rule(WRONG)
def there_is_a_submission(delivery: Delivery) -> Objections:
    """A SubmitObjectsRequest with a RegistryObjectList."""
    if not delivery.has_submission:
        yield "", "the request has no SubmitObjectsRequest with a RegistryObjectList"


@rule(ErrorCode.XDSMissingDocument)
def every_entry_has_its_document(delivery: Delivery) -> Objections:
    """By id, exactly one."""
    have = set(delivery.documents)
    for entry in delivery.entries:
        if entry.id not in have:
            yield entry.id, "this DocumentEntry came without its document"


@rule(ErrorCode.XDSMissingDocumentMetadata)
def every_document_has_its_entry(delivery: Delivery) -> Objections:
    """By id."""
    have = {entry.id for entry in delivery.entries}
    for name in delivery.documents:
        if name not in have:
            yield name[:256], "this document came without its DocumentEntry"


@rule(WRONG)
def an_entry_has_one_document(delivery: Delivery) -> Objections:
    """Two Documents for one entry: which would it be?"""
    for name, count in Counter(delivery.documents).items():
        if count > 1:
            yield name[:256], f"{count} Document elements have this id"
    for name, count in Counter(entry.id for entry in delivery.entries).items():
        if count > 1:
            yield name[:256], f"{count} DocumentEntries have this id"


@rule(WRONG)
def documents_are_stable(delivery: Delivery) -> Objections:
    """Only fixed bytes are provided."""
    for entry in delivery.entries:
        if not entry.is_stable:
            yield entry.id, "only a stable DocumentEntry is provided with its document"


@rule(WRONG)
def no_document_pretends_to_be_made_on_demand(delivery: Delivery) -> Objections:
    """The type under which definitions of on-demand documents are kept is not for documents."""
    for entry in delivery.entries:
        if entry.mime_type.partition(";")[0].strip().lower() == ON_DEMAND:
            yield entry.id, f"the mimeType {ON_DEMAND} is reserved"


@rule(WRONG)
def every_entry_has_a_unique_id(delivery: Delivery) -> Objections:
    """Without it nothing can be stored or asked for."""
    for entry in delivery.entries:
        if problem := identifier(entry.unique_id):
            yield entry.id, f"uniqueId {problem}"


@rule(ErrorCode.XDSRepositoryDuplicateUniqueIdInMessage)
def unique_ids_differ(delivery: Delivery) -> Objections:
    """Within one message."""
    for value, count in Counter(entry.unique_id for entry in delivery.entries).items():
        if count > 1 and value:
            yield value[:256], f"{count} DocumentEntries have this uniqueId"


@rule(WRONG)
def declared_hash_is_true(delivery: Delivery) -> Objections:
    """Compared without regard to case."""
    for entry in delivery.entries:
        got = delivery.received.get(entry.id)
        if got and entry.hash is not None and entry.hash.lower() != got.sha1:
            yield entry.id, f"the declared hash {entry.hash[:64]!r} is not that of the document received, {got.sha1}"


@rule(WRONG)
def declared_size_is_true(delivery: Delivery) -> Objections:
    """In bytes."""
    for entry in delivery.entries:
        got = delivery.received.get(entry.id)
        if got and entry.size is not None and entry.size != str(got.size):
            yield entry.id, f"the declared size {entry.size[:24]!r} is not that of the document received, {got.size}"
