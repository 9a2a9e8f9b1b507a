"""ITI-61 and ITI-43 at running services: documents that are made when they are asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from common.model import AssociationType, DocumentEntry, ObjectType
from common.standard.transactions import ITI_61
from tests.factories import (
    DEPRECATED,
    a_code,
    a_document,
    a_link,
    a_patient_id,
    a_submission,
    a_uuid,
    submit_objects,
)
from tests.running import ROOT, Pair, a_pair, back_end
from tests.service.conftest import BACK_ENDS
from tests.wire import NS, STATUS, Answer, Services, envelope

ANY_TYPE = f"('{ObjectType.STABLE}','{ObjectType.ON_DEMAND}')"
CODES = (
    "--class-code", "823651000000106", "--practice-setting-code", "394802001",
    "--healthcare-facility-type-code", "22232009", "--author-institution", "Northbeck General Hospital",
    "--content-type-code", "58000006^^2.16.840.1.113883.6.96",
)  # fmt: skip


def an_on_demand(**differs: Any) -> DocumentEntry:
    given = {"object_type": ObjectType.ON_DEMAND, "creation_time": None, "hash": None, "size": None}
    return a_document(**{"entry_uuid": a_uuid(), "patient_id": a_patient_id(), **given, **differs})


def register(services: Services, entry: DocumentEntry, *links: Any) -> Answer:
    body = submit_objects(a_submission(entry, *links))
    return services.simple(services.registry, envelope(ITI_61, body))


def test_an_on_demand_entry_is_found_by_who_asks_for_such(services: Services) -> None:
    entry = an_on_demand()

    answer = register(services, entry)

    assert answer.registry_status == "Success", answer.contexts
    assert answer.root.findtext("s:Header/wsa:Action", "", NS) == ITI_61.answer_action
    patient = entry.patient_id or ""
    assert services.find(patient).ids() == []
    assert services.find(patient, Type=ANY_TYPE).ids() == [entry.entry_uuid]
    assert services.find(patient, Type=ANY_TYPE, CreationTimeFrom="2030").ids() == [entry.entry_uuid]


@pytest.mark.parametrize(
    "differs",
    [{"creation_time": "2026"}, {"hash": "a" * 40}, {"size": "1"}, {"repository_unique_id": None}],
    ids=lambda each: next(iter(each)),
)
def test_what_only_fixed_bytes_have_is_refused(services: Services, differs: dict[str, Any]) -> None:
    answer = register(services, an_on_demand(**differs))

    assert answer.codes == ["XDSRegistryMetadataError"]


def test_stable_and_on_demand_documents_come_by_their_own_transactions(services: Services) -> None:
    stable = a_document(patient_id=a_patient_id())

    assert "XDSRegistryMetadataError" in register(services, stable).codes
    assert "XDSRegistryMetadataError" in services.register(a_submission(an_on_demand())).codes


def test_a_unique_id_belongs_to_one_kind_of_document(services: Services) -> None:
    stable = a_document(entry_uuid=a_uuid(), patient_id=a_patient_id())
    services.register(a_submission(stable))
    entry = an_on_demand()
    assert register(services, entry).registry_status == "Success"

    assert register(services, an_on_demand(unique_id=stable.unique_id)).codes == ["XDSRegistryMetadataError"]
    assert register(services, an_on_demand(unique_id=entry.unique_id)).registry_status == "Success"
    again = a_document(unique_id=entry.unique_id, patient_id=entry.patient_id)
    assert "XDSNonIdenticalHash" in services.register(a_submission(again)).codes


def test_an_on_demand_document_is_replaced_by_another(services: Services) -> None:
    old = an_on_demand()
    new = an_on_demand(patient_id=old.patient_id)
    register(services, old)

    assert register(services, new, a_link(AssociationType.RPLC, new, old)).registry_status == "Success"

    slots = {"$XDSDocumentEntryEntryUUID": f"('{old.entry_uuid}')"}
    assert services.objects("GetDocuments", slots).entries[0].availability_status is DEPRECATED


# The Repository makes them


@pytest.fixture(scope="module", params=BACK_ENDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A pair whose settings the command line is given too."""
    made = a_pair(tmp_path_factory.mktemp("on-demand"), back_end(request.param, request))
    made.start()
    yield made
    made.stop()


def portolan(pair: Pair, *arguments: str) -> str:
    environment = {**os.environ, **{f"PORTOLAN_{name}": value for name, value in pair.settings.items()}}
    command = [sys.executable, "-m", "console", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def offered(pair: Pair, patient: str, *more: str) -> str:
    """The uniqueId of a list that is registered for a patient."""
    number = patient.partition("^")[0]
    told = portolan(pair, "on-demand", "register", "--patient", number, *CODES, *more)
    return told.split()[3].rstrip(";")


def new_ids(answer: Answer) -> tuple[str, str]:
    [told] = answer.body.iter(f"{{{NS['xds']}}}DocumentResponse")
    return told.findtext("xds:NewRepositoryUniqueId", "", NS), told.findtext("xds:NewDocumentUniqueId", "", NS)


def test_a_document_is_made_when_it_is_asked_for(pair: Pair) -> None:
    services, patient = pair.services, a_patient_id()
    name = offered(pair, patient, "--generator", "document-list-cda", "--title", "All letters")

    empty = services.retrieve(name)
    assert empty.registry_status == "Success", empty.contexts
    letter = a_document(patient_id=patient, entry_uuid=a_uuid(), hash=None, size=None)
    assert services.provide(a_submission(letter), {letter.entry_uuid: b"%PDF-1.7"}).registry_status == "Success"
    one = services.retrieve(name)

    assert letter.unique_id not in empty.documents()[name].decode()
    assert (letter.unique_id or "") in one.documents()[name].decode()
    assert new_ids(empty)[0] == "", "it is not kept"
    assert len({new_ids(empty)[1], new_ids(one)[1], name}) == 3, "another content, another uniqueId"
    assert new_ids(services.retrieve(name)) == new_ids(one), "the same content, the same uniqueId"
    assert services.retrieve(new_ids(one)[1]).codes == ["XDSDocumentUniqueIdError"]


def test_a_snapshot_that_is_kept_is_a_document_of_its_own(pair: Pair) -> None:
    services, patient = pair.services, a_patient_id()
    name = offered(pair, patient, "--generator", "document-list-pdf", "--keep")

    made = services.retrieve(name)
    repository, unique_id = new_ids(made)

    assert repository == services.repository_id
    kept = services.retrieve(unique_id)
    assert kept.documents()[unique_id] == made.documents()[name]
    assert len(services.find(patient).ids()) == 1
    slots = {"$XDSDocumentEntryUniqueId": f"'{unique_id}'", "$XDSDocumentEntryType": ANY_TYPE}
    slots["$AssociationTypes"] = f"('{AssociationType.IS_SNAPSHOT_OF.value}')"
    related = services.objects("GetRelatedDocuments", slots)
    assert {entry.unique_id for entry in related.entries} == {name, unique_id}
    [stable] = [entry for entry in related.entries if entry.is_stable]
    assert (stable.hash, stable.size) != (None, None)


def test_what_is_asked_for_again_is_kept_once_however_many_ask(pair: Pair) -> None:
    services, patient = pair.services, a_patient_id()
    name = offered(pair, patient, "--generator", "document-list-pdf", "--keep")

    def asked(_: int) -> str:
        return services.apart().retrieve(name).registry_status

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(asked, range(6))) == {"Success"}
    # What was kept is not in what is made next, or that would be another document each time.
    assert asked(0) == "Success"
    [kept] = _entries(services, patient)
    assert services.retrieve(kept.unique_id or "").registry_status == "Success"


def _entries(services: Services, patient: str) -> list[DocumentEntry]:
    slots = {"$XDSDocumentEntryPatientId": f"'{patient}'", "$XDSDocumentEntryStatus": f"('{STATUS}Approved')"}
    return services.objects("FindDocuments", slots).entries


def test_the_client_fetches_what_is_made(pair: Pair, tmp_path: Path) -> None:
    name = offered(pair, a_patient_id(), "--generator", "document-list-pdf")

    portolan(pair, "fetch", name, "--output", str(tmp_path / "list.pdf"))

    assert (tmp_path / "list.pdf").read_bytes().startswith(b"%PDF-1.7")


def test_check_finds_nothing_wrong(pair: Pair) -> None:
    offered(pair, a_patient_id(), "--generator", "document-list-pdf", "--keep")

    portolan(pair, "check")


def test_a_generator_that_is_not_there_is_told(pair: Pair) -> None:
    with pytest.raises(AssertionError, match="no generator 'nothing' is installed"):
        offered(pair, a_patient_id(), "--generator", "nothing")


def test_a_code_of_no_value_set_is_refused_and_leaves_nothing(services: Services) -> None:
    entry = an_on_demand(class_code=a_code("no-such-code"))

    assert register(services, entry).codes == ["XDSRegistryMetadataError"]
    assert services.everything(entry.patient_id or "") == []
