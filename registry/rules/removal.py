"""ITI-62: what may be removed, so that nothing is left dangling (ITI TF-2 3.62.4.1.3, supplement RMD)."""

from __future__ import annotations

from common.ebxml.removal import DELETE_ALL, RemoveObjects
from common.rules import Objections, Rulebook
from common.standard.errors import ErrorCode
from registry.removable import Removable

FORM: Rulebook[[RemoveObjects]] = Rulebook()
REMOVAL: Rulebook[[Removable]] = Rulebook()


@FORM.rule(ErrorCode.XDSRegistryMetadataError)
def objects_are_listed_and_nothing_else_is_asked(request: RemoveObjects) -> Objections:
    """Exactly one ObjectRefList; no query, no other scope, no slots."""
    if request.lists != 1:
        yield "", f"a RemoveObjectsRequest holds one ObjectRefList, and this one has {request.lists}"
    elif not request.ids:
        yield "", "the ObjectRefList names no object"
    if request.has_query:
        yield "AdhocQuery", "what is to be removed is listed by id, and not by a query"
    if request.has_slots:
        yield "RequestSlotList", "a removal takes no Slots"
    if request.deletion_scope != DELETE_ALL:
        yield "deletionScope", "objects are removed as a whole: no other deletionScope is served"


@REMOVAL.rule(ErrorCode.UnresolvedReferenceException)
def every_object_is_registered(known: Removable) -> Objections:
    """Of whatever kind, version and status."""
    for name in known.listed:
        if name in known.objects:
            continue
        removed_at = known.gone.get(name)
        yield name, f"the object was removed already, at {removed_at} UTC" if removed_at else "no object has this id"


@REMOVAL.rule(ErrorCode.ReferencesExistException)
def nothing_that_stays_refers_to_what_goes(known: Removable) -> Objections:
    """No Association keeps an end that is not there any more."""
    going = {each.entry_uuid for each in known.going()}
    for link in known.links_staying():
        for role, end in (("source", link.source), ("target", link.target)):
            if end in going:
                name = link.type.rpartition(":")[2]
                yield end, f"it is still the {role} of the {name} {link.entry_uuid}, which is not in the request"


@REMOVAL.rule(ErrorCode.XDSUnreferencedObjectException)
def whatever_stays_stays_in_a_submission_set(known: Removable) -> Objections:
    """An entry, a Folder or a membership that was filed is filed still."""
    listed = set(known.listed)
    filed = {link.target for link in known.links_staying() if _files(known, link.entry_uuid)}
    told: set[str] = set()
    for link in known.links_going():
        left = link.target
        if _files(known, link.entry_uuid) and left not in listed | filed | told:
            told.add(left)
            yield left, f"without the HasMember {link.entry_uuid} it would be in no SubmissionSet any more"


@REMOVAL.rule(ErrorCode.XDSUnreferencedObjectException)
def a_submission_set_that_stays_has_members(known: Removable) -> Objections:
    """Whoever takes the last member out takes the SubmissionSet too."""
    listed = set(known.listed)
    holding = {link.source for link in known.links_staying() if link.is_membership}
    told: set[str] = set()
    for link in known.links_going():
        left = link.source
        if known.is_submission_set(left) and left not in listed | holding | told:
            told.add(left)
            yield left, f"without the HasMember {link.entry_uuid} the SubmissionSet would hold nothing any more"


@REMOVAL.rule(ErrorCode.LocalPolicyRestrictionError)
def nothing_is_under_legal_hold(known: Removable) -> Objections:
    """A hold on the document or on its patient stops every removal until it is lifted."""
    for each in known.going():
        if hold := known.held.get(each.entry_uuid):
            yield each.entry_uuid, f"it is under the legal hold {hold}, and is not removed before that is lifted"


def _files(known: Removable, name: str) -> bool:
    """Whether an Association is the HasMember of a SubmissionSet."""
    link = known.links[name]
    return link.is_membership and known.is_submission_set(link.source)
