"""ITI-61: what differs for on-demand documents from ITI-42 (ITI TF-2 3.61.4.1.2)."""

from __future__ import annotations

from common.model import Submission
from common.rules import Objections, Rulebook
from common.standard.errors import ErrorCode
from registry.known import Domain, Known
from registry.rules import structure
from registry.rules.meaning import MEANING
from registry.rules.structure import STRUCTURE

ON_DEMAND_STRUCTURE: Rulebook[[Submission, Known]] = Rulebook()
ON_DEMAND_MEANING: Rulebook[[Submission, Known, Domain]] = Rulebook()
WRONG = ErrorCode.XDSRegistryMetadataError

for _code, _rule in STRUCTURE.rules:
    if _rule is not structure.documents_are_stable:
        ON_DEMAND_STRUCTURE.rule(_code)(_rule)
for _code, _meaning in MEANING.rules:
    ON_DEMAND_MEANING.rule(_code)(_meaning)


@ON_DEMAND_STRUCTURE.rule(WRONG)
def documents_are_on_demand(submission: Submission, known: Known) -> Objections:
    """Stable entries come by ITI-42, with their bytes in a Repository."""
    for entry in submission.entries:
        if entry.is_stable:
            yield entry.entry_uuid, "a stable DocumentEntry is registered by ITI-42, not by ITI-61"


@ON_DEMAND_STRUCTURE.rule(WRONG)
def there_is_a_document(submission: Submission, known: Known) -> Objections:
    """At least one on-demand entry: this is what the transaction is for."""
    if not submission.entries:
        yield "", "the submission has no on-demand DocumentEntry"


@ON_DEMAND_MEANING.rule(WRONG)
def a_unique_id_is_not_that_of_fixed_bytes(submission: Submission, known: Known, domain: Domain) -> Objections:
    """A further on-demand entry may have a known uniqueId, a stable document's is its own."""
    for entry in submission.entries:
        taken = known.taken.get(entry.unique_id or "")
        if taken and taken.kind == "DocumentEntry" and taken.hash is not None:
            yield entry.unique_id or "", "the uniqueId is that of a registered stable document"
