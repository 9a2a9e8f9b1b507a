"""What a good submission changes; numbers are those of the digest's table of effects."""

from __future__ import annotations

from itertools import count

from common.model import AssociationType, AvailabilityStatus
from registry.rules import effects
from tests.factories import HAS_MEMBER, a_document, a_folder, a_link, a_submission, a_uuid

RPLC = AssociationType.RPLC


def names() -> effects.NewId:
    numbers = count(1)
    return lambda: f"urn:uuid:{next(numbers)}"


def test_e1_each_symbolic_id_becomes_one_uuid_wherever_it_occurs_and_uuids_stay() -> None:
    kept = a_uuid()
    document, folder = a_document(), a_folder(entry_uuid=kept)
    link = a_link(HAS_MEMBER, folder, document)
    submission = a_submission(document, folder, link)

    effects.name_objects(submission, names())

    ids = [item.entry_uuid for item in submission.objects()]
    assert len(set(ids)) == len(ids) == 7
    assert all(name.startswith("urn:uuid:") for name in ids)
    assert (link.source, link.target) == (kept, document.entry_uuid)


def test_e2_everything_is_approved_in_its_first_version() -> None:
    submission = a_submission(a_document(availability_status=AvailabilityStatus.DEPRECATED, version=7), a_folder())

    effects.name_objects(submission, names())

    for item in submission.objects():
        assert item.availability_status is AvailabilityStatus.APPROVED
        assert (item.logical_id, item.version) == (item.entry_uuid, 1)


def test_e3_replaced_is_what_rplc_and_xfrm_rplc_point_at() -> None:
    documents = [a_document() for _ in range(4)]
    kinds = (RPLC, AssociationType.XFRM_RPLC, AssociationType.XFRM, AssociationType.APND)
    links = [a_link(kind, each, f"urn:uuid:{kind.name}") for kind, each in zip(kinds, documents, strict=True)]

    found = effects.replaced(a_submission(*documents, *links))

    assert found == {"urn:uuid:RPLC": documents[0].entry_uuid, "urn:uuid:XFRM_RPLC": documents[1].entry_uuid}


def test_e4_the_successor_joins_every_folder_of_what_it_replaces_with_both_memberships() -> None:
    old, document = a_uuid(), a_document(entry_uuid=a_uuid())
    submission = a_submission(document, a_link(RPLC, document, old))
    before = len(submission.associations)

    effects.join_folders(submission, effects.replaced(submission), {old: ["urn:uuid:f1", "urn:uuid:f2"]}, names())

    member, filed, other, other_filed = submission.associations[before:]
    assert (member.source, member.target) == ("urn:uuid:f1", document.entry_uuid)
    assert (filed.source, filed.target) == (submission.submission_set.entry_uuid, member.entry_uuid)
    assert (other.source, other_filed.target) == ("urn:uuid:f2", other.entry_uuid)
    assert all(each.availability_status is AvailabilityStatus.APPROVED for each in (member, filed))
    assert effects.touched_folders(submission) == {"urn:uuid:f1", "urn:uuid:f2"}


def test_e4_a_successor_that_was_put_into_the_folder_by_the_message_is_not_put_there_twice() -> None:
    old, document = a_uuid(), a_document(entry_uuid=a_uuid())
    submission = a_submission(document, a_link(RPLC, document, old), a_link(HAS_MEMBER, "urn:uuid:f1", document))
    before = len(submission.associations)

    effects.join_folders(submission, effects.replaced(submission), {old: ["urn:uuid:f1"]}, names())

    assert len(submission.associations) == before


def test_e5_new_folders_are_stamped_and_touched() -> None:
    document, folder = a_document(), a_folder(last_update_time="2020")
    submission = a_submission(document, folder)

    effects.stamp(submission.folders, "20260311141500")

    assert folder.last_update_time == "20260311141500"
    assert effects.touched_folders(submission) == {folder.entry_uuid}


def test_e4_a_membership_that_was_left_out_of_the_submission_set_is_put_there() -> None:
    document, folder = a_document(), a_folder()
    submission = a_submission(document, folder, a_link(HAS_MEMBER, folder, document))
    member = next(link for link in submission.associations if link.source == folder.entry_uuid)
    submission.associations = [each for each in submission.associations if each.target != member.entry_uuid]

    for _ in range(2):
        effects.complete_memberships(submission, a_uuid)

    [filed] = [link for link in submission.associations if link.target == member.entry_uuid]
    assert (filed.source, filed.submission_set_status) == (submission.submission_set.entry_uuid, "Original")
