"""ITI-62 at a running Registry: all that is listed goes for good, or nothing does, and nothing is left dangling."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import pytest

from common.model import Association, AssociationType, DocumentEntry, Folder, Submission
from common.standard.identifiers import LCM, RIM
from common.standard.transactions import ITI_62
from tests.factories import (
    HAS_MEMBER,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_uuid,
    included,
    submit_objects,
)
from tests.service.test_iti42_register import APND, RPLC, XFRM, a_named_document, at_once, documents, registered
from tests.wire import Answer, Services, envelope


def named(submission: Submission) -> Submission:
    """The same with a UUID for each symbolic id."""
    names = {item.entry_uuid: a_uuid() for item in submission.objects() if item.is_symbolic}
    for item in submission.objects():
        item.entry_uuid = names.get(item.entry_uuid, item.entry_uuid)
    for link in submission.associations:
        link.source, link.target = names.get(link.source, link.source), names.get(link.target, link.target)
    return submission


@dataclass
class Filed:
    """A submission that was registered, by the ids of what it holds."""

    submission: Submission
    patient_id: str

    @property
    def ids(self) -> list[str]:
        return [item.entry_uuid for item in self.submission.objects()]

    @property
    def submission_set(self) -> str:
        return self.submission.submission_set.entry_uuid

    def member(self, target: str) -> str:
        """The HasMember of the SubmissionSet."""
        [found] = [
            link.entry_uuid
            for link in self.submission.associations
            if link.source == self.submission_set and link.target == target
        ]
        return found


def filed(services: Services, *items: DocumentEntry | Folder | Association, patient_id: str = "") -> Filed:
    patient = patient_id or a_patient_id()
    submission = named(a_submission(*items, patient_id=patient))
    answer = services.register(submission)
    assert answer.registry_status == "Success", answer.contexts
    return Filed(submission, patient)


def a_letter_in_a_folder(services: Services) -> tuple[Filed, str, str, str]:
    """A submission of a letter in a Folder: it, entry, Folder and membership."""
    entry, folder = a_named_document(), a_folder(entry_uuid=a_uuid())
    link = a_link(HAS_MEMBER, folder, entry, entry_uuid=a_uuid())
    return filed(services, entry, folder, link), entry.entry_uuid, folder.entry_uuid, link.entry_uuid


def refused(services: Services, code: str, where: str, *ids: str, patient_id: str) -> None:
    """A removal is refused at this object, with this code, and changes nothing."""
    before = sorted(services.everything(patient_id))
    answer = services.remove(*ids)
    assert (answer.registry_status, set(answer.codes)) == ("Failure", {code}), answer.contexts
    assert any(where in context for context in answer.contexts), answer.contexts
    assert sorted(services.everything(patient_id)) == before


def test_a_whole_submission_goes_for_good(services: Services) -> None:
    whole, entry, folder, _ = a_letter_in_a_folder(services)
    other = filed(services, a_named_document(), patient_id=whole.patient_id)

    answer = services.remove(*whole.ids)

    assert answer.registry_status == "Success", answer.contexts
    assert sorted(services.everything(whole.patient_id)) == sorted(other.ids)
    assert documents(services, entry) == {}
    assert services.query("GetFolders", {"$XDSFolderEntryUUID": f"('{folder}')"}).ids() == []


def test_an_unknown_object_is_named_and_nothing_goes(services: Services) -> None:
    whole = filed(services, a_named_document())
    unknown = a_uuid()

    refused(services, "UnresolvedReferenceException", unknown, *whole.ids, unknown, patient_id=whole.patient_id)


def test_what_is_left_of_a_submission_is_never_dangling(services: Services) -> None:
    """Every part of a submission is tried."""
    whole, entry, folder, link = a_letter_in_a_folder(services)
    owner = whole.submission_set
    links = {each.entry_uuid: (each.source, each.target) for each in whole.submission.associations}
    may_go = []
    for size in range(1, len(whole.ids) + 1):
        for part in combinations(whole.ids, size):
            stays = set(whole.ids) - set(part)
            dangling = any({*links[name]} - stays for name in stays & links.keys())
            members = {links[name][1] for name in stays & links.keys() if links[name][0] == owner}
            orphans = (stays & {entry, folder, link}) - members
            empty = owner in stays and not members
            if not dangling and not orphans and not empty:
                may_go.append(set(part))
            elif size < 4:
                answer = services.remove(*part)
                expected = {"ReferencesExistException"} if dangling else set()
                if orphans or empty:
                    expected |= {"XDSUnreferencedObjectException"}
                assert answer.registry_status == "Failure", part
                assert set(answer.codes) <= expected | {"XDSUnreferencedObjectException"}, (part, answer.contexts)
                assert set(answer.codes) & expected, (part, answer.contexts)
    assert sorted(services.everything(whole.patient_id)) == sorted(whole.ids)
    smallest = {link, whole.member(link)}
    assert smallest in may_go
    assert services.remove(*smallest).registry_status == "Success"
    assert sorted(services.everything(whole.patient_id)) == sorted(set(whole.ids) - smallest)


def test_each_kind_alone_is_refused_for_what_refers_to_it_or_is_left(services: Services) -> None:
    whole, entry, folder, link = a_letter_in_a_folder(services)

    for name in (entry, folder, whole.submission_set, link):
        refused(services, "ReferencesExistException", name, name, patient_id=whole.patient_id)
    for name in (entry, folder, link):
        member = whole.member(name)
        refused(services, "XDSUnreferencedObjectException", name, member, patient_id=whole.patient_id)


def test_a_submission_set_is_not_left_with_nothing(services: Services) -> None:
    entry = a_named_document()
    whole = filed(services, entry)

    refused(
        services,
        "XDSUnreferencedObjectException",
        whole.submission_set,
        entry.entry_uuid,
        whole.member(entry.entry_uuid),
        patient_id=whole.patient_id,
    )


def test_one_of_two_documents_of_a_submission_goes(services: Services) -> None:
    first, second = a_named_document(), a_named_document()
    whole = filed(services, first, second)

    assert services.remove(first.entry_uuid, whole.member(first.entry_uuid)).registry_status == "Success"

    assert set(documents(services, first.entry_uuid, second.entry_uuid)) == {second.entry_uuid}
    assert services.find(whole.patient_id).ids() == [second.entry_uuid]


def test_a_document_stays_as_long_as_one_submission_set_holds_it(services: Services) -> None:
    entry = a_named_document()
    first = filed(services, entry)
    again = a_submission(patient_id=first.patient_id)
    again.associations.append(included(again.submission_set, entry.entry_uuid))
    named(again)
    assert services.register(again).registry_status == "Success"
    reference = again.associations[0].entry_uuid

    assert services.remove(first.submission_set, first.member(entry.entry_uuid)).registry_status == "Success"
    refused(
        services,
        "XDSUnreferencedObjectException",
        entry.entry_uuid,
        again.submission_set.entry_uuid,
        reference,
        patient_id=first.patient_id,
    )
    everything = (again.submission_set.entry_uuid, reference, entry.entry_uuid)
    assert services.remove(*everything).registry_status == "Success"
    assert services.everything(first.patient_id) == []


@pytest.mark.parametrize("kind", [APND, XFRM, RPLC], ids=lambda kind: kind.name)
def test_relationships_hold_what_they_join_and_can_go_alone(services: Services, kind: AssociationType) -> None:
    old = a_named_document()
    first = filed(services, old)
    new = a_named_document(patient_id=first.patient_id)
    link = a_link(kind, new, old, entry_uuid=a_uuid())
    second = filed(services, new, link, patient_id=first.patient_id)

    refused(services, "ReferencesExistException", old.entry_uuid, *first.ids, patient_id=first.patient_id)
    assert services.remove(link.entry_uuid).registry_status == "Success"
    assert services.remove(*first.ids).registry_status == "Success"
    assert sorted(services.everything(first.patient_id)) == sorted(set(second.ids) - {link.entry_uuid})


def test_the_same_removal_sent_again_gets_the_same_answer_and_another_hears_that_it_is_gone(services: Services) -> None:
    whole, message = filed(services, a_named_document()), a_uuid()

    answers = [services.remove(*whole.ids, message_id=message) for _ in range(2)]
    other = services.remove(*whole.ids)

    assert [each.registry_status for each in answers] == ["Success"] * 2
    assert set(other.codes) == {"UnresolvedReferenceException"}
    assert all("was removed already" in context for context in other.contexts)


def test_names_of_what_was_removed_are_not_taken_again(services: Services) -> None:
    entry, folder = a_named_document(), a_folder(entry_uuid=a_uuid())
    whole, message = a_submission(entry, folder, patient_id=a_patient_id()), a_uuid()
    body = submit_objects(named(whole))
    assert services.register(body, message_id=message).registry_status == "Success"
    assert services.remove(*(each.entry_uuid for each in whole.objects())).registry_status == "Success"
    patient = whole.submission_set.patient_id

    late = services.register(body, message_id=message)
    other_content = services.register(
        a_submission(a_document(unique_id=entry.unique_id, hash="b" * 40), patient_id=patient)
    )
    same_uuid = services.register(a_submission(a_document(entry_uuid=entry.entry_uuid), patient_id=patient))
    same_folder = services.register(a_submission(a_folder(unique_id=folder.unique_id), patient_id=patient))

    assert "XDSDuplicateUniqueIdInRegistry" in late.codes
    assert any("was removed at" in context for context in late.contexts), late.contexts
    assert other_content.codes == ["XDSNonIdenticalHash"]
    assert same_uuid.codes == ["XDSRegistryMetadataError"]
    assert same_folder.codes == ["XDSDuplicateUniqueIdInRegistry"]
    assert services.everything(patient or "") == []


def test_a_uuid_that_the_registry_made_is_not_taken_again_either(services: Services) -> None:
    entry = a_document(patient_id=a_patient_id())
    registered(services, entry)
    everything = services.everything(entry.patient_id or "")
    [made] = services.find(entry.patient_id or "").ids()
    assert services.remove(*everything).registry_status == "Success"

    again = services.register(a_submission(a_document(entry_uuid=made, patient_id=entry.patient_id)))

    assert again.codes == ["XDSRegistryMetadataError"], again.contexts


def test_what_leaves_a_folder_changes_the_folder(services: Services) -> None:
    whole, _, folder, link = a_letter_in_a_folder(services)
    asked = {"$XDSFolderEntryUUID": f"('{folder}')"}
    [before] = services.objects("GetFolders", asked).folders

    assert services.remove(link, whole.member(link)).registry_status == "Success"

    [after] = services.objects("GetFolders", asked).folders
    assert (after.last_update_time or "") >= (before.last_update_time or "")


LISTED = f'<rim:ObjectRefList xmlns:rim="{RIM}"><rim:ObjectRef id="{{0}}"/></rim:ObjectRefList>'
ODD = {
    "no list": ("", ""),
    "an empty list": ("", f'<rim:ObjectRefList xmlns:rim="{RIM}"/>'),
    "two lists": ("", LISTED * 2),
    "a query": ("", f'<rim:AdhocQuery xmlns:rim="{RIM}" id="urn:uuid:1"/>{LISTED}'),
    "slots": ("", f'<rs:RequestSlotList xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"/>{LISTED}'),
    "another scope": (
        ' deletionScope="urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:DeleteRepositoryItemOnly"', LISTED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_a_request_of_another_form_is_refused(services: Services, name: str) -> None:
    whole = filed(services, a_named_document())
    attributes, inner = ODD[name]
    inner = inner.format(whole.ids[0])
    body = f'<lcm:RemoveObjectsRequest xmlns:lcm="{LCM}"{attributes}>{inner}</lcm:RemoveObjectsRequest>'

    answer = services.simple(services.registry, envelope(ITI_62, body.encode()))

    assert (answer.registry_status, set(answer.codes)) == ("Failure", {"XDSRegistryMetadataError"})
    assert sorted(services.everything(whole.patient_id)) == sorted(whole.ids)


def test_the_default_scope_may_be_said_and_ids_may_repeat_and_be_in_capitals(services: Services) -> None:
    whole = filed(services, a_named_document())
    scope = "urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:DeleteAll"
    refs = "".join(f'<rim:ObjectRef id="{name.upper().replace("URN:UUID", "urn:uuid")}"/>' for name in whole.ids * 2)
    body = (
        f'<lcm:RemoveObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}" deletionScope="{scope}">'
        f"<rim:ObjectRefList>{refs}</rim:ObjectRefList></lcm:RemoveObjectsRequest>"
    )

    assert services.simple(services.registry, envelope(ITI_62, body.encode())).registry_status == "Success"
    assert services.everything(whole.patient_id) == []


def _removing(*ids: str) -> object:
    return lambda own: own.remove(*ids)


@pytest.mark.parametrize("kind", [APND, XFRM, RPLC], ids=lambda kind: kind.name)
def test_r4_a_removal_against_a_relationship_is_explained_by_some_order(
    services: Services, kind: AssociationType
) -> None:
    for _ in range(4):
        old = a_named_document()
        first = filed(services, old)
        new = a_named_document(patient_id=first.patient_id)
        body = submit_objects(a_submission(new, a_link(kind, new, old)))

        removed, linked = at_once(services, [_removing(*first.ids), lambda own, body=body: own.register(body)])  # type: ignore[list-item, misc]

        if removed.registry_status == "Success":
            assert set(linked.codes) == {"UnresolvedReferenceException"}, linked.contexts
            assert services.everything(first.patient_id) == []
        else:
            assert set(removed.codes) == {"ReferencesExistException"}
            assert linked.registry_status == "Success"


def test_r4_two_removals_never_take_a_document_out_of_its_last_submission_set(services: Services) -> None:
    for _ in range(4):
        entry = a_named_document()
        first = filed(services, entry)
        again = a_submission(patient_id=first.patient_id)
        again.associations.append(included(again.submission_set, entry.entry_uuid))
        named(again)
        assert services.register(again).registry_status == "Success"

        answers: list[Answer] = at_once(
            services,
            [
                _removing(first.submission_set, first.member(entry.entry_uuid)),
                _removing(again.submission_set.entry_uuid, again.associations[0].entry_uuid),
            ],  # type: ignore[list-item]
        )

        assert sorted(each.registry_status for each in answers) == ["Failure", "Success"]
        [codes] = [each.codes for each in answers if each.codes]
        assert codes == ["XDSUnreferencedObjectException"]


def test_r8_the_same_objects_removed_by_eight_at_once_go_once(services: Services) -> None:
    whole = filed(services, a_named_document())

    answers = at_once(services, [_removing(*whole.ids)] * 8)  # type: ignore[list-item]

    assert sorted(each.registry_status for each in answers) == ["Failure"] * 7 + ["Success"]
    assert services.everything(whole.patient_id) == []
