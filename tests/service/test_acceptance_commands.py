"""Commands on what is legal but rare: a document of two patients, one document of several that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories import a_document, a_patient_id, a_submission
from tests.unit.console.running import Place
from tests.wire import Services

CODES = ("--class-code", "823651000000106", "--type-code", "373942005", "--practice-setting-code", "394802001")
AUTHOR = ("--healthcare-facility-type-code", "22232009", "--author-institution", "Northbeck General Hospital")
SHARED = "2.25.1001"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Services with one document that is registered for two patients."""
    made = Place(tmp_path_factory.mktemp("rare"), PORTOLAN_REGISTRY_WORKERS="1", PORTOLAN_REPOSITORY_WORKERS="1")
    (made.folder / "leaflet.pdf").write_bytes(b"%PDF-1.7\nthe same for everybody")
    with made.served():
        services = Services(f"{made.registry}/registry", f"{made.repository}/repository")
        for patient in (a_patient_id(), a_patient_id()):
            entry = a_document(patient_id=patient, unique_id=SHARED, hash=None, size=None)
            content = {entry.entry_uuid: (made.folder / "leaflet.pdf").read_bytes()}
            assert services.provide(a_submission(entry), content).registry_status == "Success"
        yield made


def test_a_document_of_two_patients_is_fetched(place: Place) -> None:
    place.run("fetch", SHARED, "-o", "one.pdf")

    assert (place.folder / "one.pdf").read_bytes() == (place.folder / "leaflet.pdf").read_bytes()


def test_show_names_the_entries_of_a_document_of_two_patients(place: Place) -> None:
    told = place.run("show", SHARED, code=1).stderr

    assert told.count("urn:uuid:") == 2
    place.run("show", "urn:uuid:" + told.split("urn:uuid:")[1][:36])


def test_what_is_there_is_fetched_though_another_is_not(place: Place, tmp_path: Path) -> None:
    told = place.run("fetch", "2.25.404", SHARED, "-o", f"{tmp_path}/", code=1).stderr

    assert [file.name for file in tmp_path.iterdir()] == [f"{SHARED}.pdf"]
    assert "2.25.404: No document has this uniqueId" in told
    assert "1 of 2 documents" in told


def test_what_is_registered_for_another_patient_is_not_already_there(place: Place) -> None:
    (place.folder / "letter.pdf").write_bytes(b"%PDF-1.7\nsent to the wrong record first")
    wrong, right = a_patient_id(), a_patient_id()
    given = ("letter.pdf", "--unique-id", "2.25.1002", *CODES, *AUTHOR)
    place.run("submit", *given, "--patient", wrong)

    told = place.run("submit", *given, "--patient", right, code=1).stdout

    assert "registered for another patient" in told
    assert "already there" in place.run("submit", *given, "--patient", wrong).stdout
