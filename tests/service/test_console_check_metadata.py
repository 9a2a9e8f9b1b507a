"""`portolan check` names what contradicts itself in the metadata, each made by hand here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from common.model import AssociationType, DocumentEntry
from registry.store.tables import association, entry, identifier, submission_set
from tests.factories import (
    HAS_MEMBER,
    a_folder,
    a_link,
    a_patient_id,
    a_uuid,
)
from tests.service.check_kit import Kept, an_entry_of, stores
from tests.service.conftest import BACK_ENDS


@pytest.fixture(params=BACK_ENDS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    with stores(request, request.param, tmp_path) as found:
        yield found


def test_one_uniqueid_with_two_contents_is_named_once(kept: Kept) -> None:
    letter, other = kept.document(), kept.document(b"other content")
    kept.change(delete(identifier).where(identifier.c.value == other.unique_id))
    kept.change(update(entry).where(entry.c.entry_uuid == other.entry_uuid).values(unique_id=letter.unique_id))

    found = kept.check("--repair")

    assert found["two-contents"]["id"] == letter.unique_id
    assert {letter.entry_uuid, other.entry_uuid} == set(found["two-contents"]["detail"].split(", "))
    # The second entry's bytes lie under its own uniqueId, and those under the shared one are of the first.
    assert found.keys() == {"two-contents", "bytes-differ", "bytes-without-entry"}


@pytest.mark.parametrize("branch", ["two successors", "one of them replaced again", "the old one is current still"])
def test_two_current_versions_are_named(kept: Kept, branch: str) -> None:
    old = kept.document()
    new = kept.replacement(old)
    current = {new.entry_uuid}
    if branch == "the old one is current still":
        kept.change(update(entry).where(entry.c.entry_uuid == old.entry_uuid).values(availability_status=_status(new)))
        current.add(old.entry_uuid)
    else:
        second = kept.document()
        third = kept.replacement(second)
        if branch == "two successors":
            # The second pair's replacement is made to be of the first document.
            kept.change(_redirected(third, old))
            current.add(third.entry_uuid)
        else:
            last = kept.replacement(third)
            kept.change(_redirected(third, old))
            current.add(last.entry_uuid)

    found = kept.check()

    assert found.keys() == {"two-current"}
    assert found["two-current"]["id"] == old.entry_uuid
    assert set(found["two-current"]["detail"].split(", ")) == current


def _status(current: DocumentEntry) -> str:
    return str(current.availability_status)


def _redirected(source: DocumentEntry, target: DocumentEntry) -> Any:
    """The replacement of something else becomes one of this target."""
    c = association.c
    return (
        update(association)
        .where(c.source == source.entry_uuid, c.type == AssociationType.RPLC.value)
        .values(target=target.entry_uuid)
    )


@pytest.mark.parametrize("end", ["source", "target"])
def test_an_association_that_leads_nowhere_is_named(kept: Kept, end: str) -> None:
    old = kept.document()
    new = an_entry_of(kept.bytes(), patient_id=old.patient_id)
    link = a_link(AssociationType.APND, new, old.entry_uuid)
    kept.register(new, link)
    nowhere = a_uuid()
    kept.change(update(association).where(association.c.entry_uuid == link.entry_uuid).values({end: nowhere}))

    found = kept.check()

    assert found.keys() == {"association-dangling"}
    assert found["association-dangling"]["id"] == link.entry_uuid
    assert found["association-dangling"]["detail"] == f"{end} {nowhere}"


def test_an_entry_in_no_submissionset_is_named(kept: Kept) -> None:
    letter = kept.document()
    kept.change(delete(association).where(association.c.target == letter.entry_uuid))

    found = kept.check()

    assert found.keys() == {"entry-unfiled"}
    assert found["entry-unfiled"]["id"] == letter.entry_uuid


def test_a_lost_submissionset_is_told_by_what_it_held(kept: Kept) -> None:
    submission = kept.register(an_entry_of(kept.bytes()))
    lost = submission.submission_set.entry_uuid
    kept.change(delete(submission_set).where(submission_set.c.entry_uuid == lost))

    assert kept.check().keys() == {"entry-unfiled", "association-dangling"}


def test_a_folder_with_the_document_of_another_patient_is_named_without_a_patient(kept: Kept) -> None:
    folder = a_folder()
    letter = an_entry_of(kept.bytes())
    kept.register(folder, letter, a_link(HAS_MEMBER, folder, letter))
    other = a_patient_id()
    kept.change(update(entry).where(entry.c.entry_uuid == letter.entry_uuid).values(patient_id=other))

    found = kept.check()

    assert found.keys() == {"folder-patient"}
    assert found["folder-patient"]["id"] == folder.entry_uuid
    assert "^^^" not in json.dumps(found)
