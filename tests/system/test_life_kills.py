"""Merges, link changes and snapshots killed at each of their steps: whole or not at all, and asking again works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from common.model import AssociationType, DocumentEntry
from tests.factories import a_document, a_patient_id, a_submission, a_uuid
from tests.feeds import a_control_id, a_pas, linked, merged
from tests.running import Pair, a_pair, back_end
from tests.service.conftest import BACK_ENDS
from tests.service.test_iti61_on_demand import ANY_TYPE, new_ids, offered
from tests.system.kill_kit import LATER, PATIENT_ENOUGH, killed_at, steps
from tests.system.survival_kit import shared_out
from tests.wire import Answer, Services

pytestmark = [pytest.mark.system, pytest.mark.slow]

LOCAL = "NGH1^^^&2.999.826.4.1&ISO"


@pytest.fixture(params=BACK_ENDS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """A pair that does not sweep while a test looks."""
    made = a_pair(tmp_path, back_end(request.param, request) | PATIENT_ENOUGH)
    made.start()
    yield made
    for each in (made.repository, made.registry):
        each.kill()


def told(pair: Pair, message: bytes) -> str | None:
    """MSA-1; ``None`` when the connection broke before."""
    try:
        with a_pas(pair.mllp) as pas:
            return pas.send(message).code
    except ConnectionError:
        return None


def a_letter(services: Services, patient: str) -> DocumentEntry:
    """A registered document."""
    letter = a_document(entry_uuid=a_uuid(), patient_id=patient, source_patient_id=LOCAL)
    assert services.apart().register(a_submission(letter)).registry_status == "Success"
    return letter


@pytest.mark.parametrize("event", ["A40", "A43"])
def test_d2_a_feeds_event_is_whole_or_not_at_all_and_sending_again_is_accepted(pair: Pair, event: str) -> None:
    services = pair.services

    def message(old: str, new: str) -> bytes:
        control = a_control_id()
        return merged(old, new, control=control) if event == "A40" else linked(old, new, LOCAL, control=control)

    def a_case() -> tuple[str, str, DocumentEntry, bytes]:
        old, new = a_patient_id(), a_patient_id()
        return old, new, a_letter(services, old), message(old, new)

    first = a_case()[3]
    found = [step for step in steps(pair.registry, lambda: told(pair, first)) if not step.startswith("outbox")]
    moved = "merge.moved:1" if event == "A40" else "relink.moved:1"
    assert {moved, "db.flushed:1", "db.committed:1", "answer.started:1"} <= set(found)
    for step in shared_out(found, pair.registry):
        old, new, letter, data = a_case()
        seen: list[str | None] = []

        def send(data: bytes = data, seen: list[str | None] = seen) -> Answer | None:
            seen.append(told(pair, data))
            return None

        killed_at(pair.registry, step, send)
        assert seen == [None], step
        is_done = step.startswith(("db.committed", "answer."))
        at = [bool(services.apart().find(each).ids()) for each in (old, new)]
        assert at == [not is_done, is_done], step

        assert told(pair, data) == "AA", step

        assert services.apart().find(old).ids() == [], step
        [name] = services.apart().find(new).ids()
        assert (name == letter.entry_uuid) == (event == "A40"), step


def test_d1_a_snapshot_is_kept_once_whenever_the_repository_is_killed(pair: Pair) -> None:
    services = pair.services

    def ask(name: str) -> Callable[[], Answer | None]:
        def asked() -> Answer | None:
            try:
                return services.apart().retrieve(name)
            except requests.ConnectionError:
                return None

        return asked

    first = offered(pair, a_patient_id(), "--generator", "document-list-pdf", "--keep")
    found = [step for step in steps(pair.repository, ask(first)) if not step.startswith(LATER)]
    assert {"blob.written:1", "blob.marked:1", "iti42.sent:1", "iti42.answered:1"} <= set(found)
    for step in shared_out(found, pair.repository):
        name = offered(pair, a_patient_id(), "--generator", "document-list-pdf", "--keep")
        assert killed_at(pair.repository, step, ask(name)) is None, step

        made = services.apart().retrieve(name)

        assert made.registry_status == "Success", (step, made.contexts)
        repository, unique_id = new_ids(made)
        assert repository == services.repository_id, step
        assert services.apart().retrieve(unique_id).documents() == {unique_id: made.documents()[name]}, step
        slots = {"$XDSDocumentEntryUniqueId": f"'{unique_id}'", "$XDSDocumentEntryType": ANY_TYPE}
        slots["$AssociationTypes"] = f"('{AssociationType.IS_SNAPSHOT_OF.value}')"
        related = services.apart().objects("GetRelatedDocuments", slots)
        assert sorted(entry.unique_id or "" for entry in related.entries) == sorted((name, unique_id)), step
