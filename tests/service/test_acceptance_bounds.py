"""What is asked in bad faith stays within bounds: answers in proportion, bodies cut short, odd wishes of clients."""

from __future__ import annotations

from common.model import SubmissionSet
from common.rules.objection import MOST_TOLD
from tests.factories import a_document, a_submission, a_submission_set, submit_objects
from tests.wire import Services


def _refused_everywhere(owner: SubmissionSet, values: int) -> bytes:
    """A submission whose SubmissionSet has so many values that are none."""
    bad = f'<rim:Slot name="intendedRecipient"><rim:ValueList>{"<rim:Value>|</rim:Value>" * values}'
    head, mark, tail = (
        submit_objects(a_submission(a_document(), owner=owner)).decode().partition("<rim:RegistryPackage")
    )
    own, end, rest = tail.partition(">")
    return f"{head}{mark}{own}{end}{bad}</rim:ValueList></rim:Slot>{rest}".encode()


def test_x13_a_long_id_is_not_repeated_in_full_with_each_objection(services: Services) -> None:
    found = services.register(_refused_everywhere(a_submission_set(entry_uuid="x" * 50_000), 500))

    assert found.registry_status == "Failure"
    assert len(found.codes) >= 500
    assert len(found.content) < 500_000


def test_x15_an_answer_lists_so_many_objections_and_counts_the_rest(services: Services) -> None:
    found = services.register(_refused_everywhere(a_submission_set(), MOST_TOLD + 500))

    assert len(found.codes) == MOST_TOLD + 1
    assert "more objections are not listed" in found.contexts[-1]
