"""`portolan identity`, and `submit` and `find` by somebody who knows a local id only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories import a_patient_id
from tests.servers.process import free_port
from tests.service.identity_kit import NGH, NHS, Identity, mrn
from tests.unit.console.running import Place

CODES = (
    "--type-code", "373942005", "--class-code", "823651000000106", "--practice-setting-code", "394802001",
    "--healthcare-facility-type-code", "22232009",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """All services, and the cross-reference's feed."""
    made = Place(tmp_path_factory.mktemp("place"))
    made.environ["PORTOLAN_IDENTITY_MLLP_BIND"] = f"127.0.0.1:{free_port()}"
    with made.served("registry", "repository", "identity"):
        yield made


@pytest.fixture
def told(place: Place) -> Identity:
    """The cross-reference service."""
    port = int(place.environ["PORTOLAN_IDENTITY_MLLP_BIND"].rpartition(":")[2])
    return Identity(f"{place.identity}/identity", port)


def test_a_source_that_knows_its_own_number_only_submits_and_finds(place: Place, told: Identity) -> None:
    number, local = a_patient_id(), mrn()
    told.tell(local, number)
    (place.folder / "letter.pdf").write_bytes(b"%PDF-1.4 " + local.encode())

    done = place.run("submit", "letter.pdf", "--patient", local, "--title", "Letter", *CODES)
    found = place.json("find", local, "--json")

    assert f"{local} is the patient with the NHS Number" in done.stderr
    assert found == place.json("find", number.partition("^")[0], "--json")
    assert [(each["patient_id"], each["source_patient_id"]) for each in found] == [(number, local)]
    again = place.run("submit", "letter.pdf", "--patient", local, "--title", "Letter", *CODES)
    assert "1 already there" in again.stdout or "already" in again.stdout


def test_an_id_that_nobody_knows_is_a_clear_failure(place: Place) -> None:
    local = f"NOBODY^^^&{NGH}&ISO"
    (place.folder / "other.pdf").write_bytes(b"%PDF-1.4 other")

    found = place.run("find", local, code=1)
    done = place.run("submit", "other.pdf", "--patient", local, "--title", "Letter", *CODES, code=1)

    assert "no NHS Number to it is known" in found.stderr
    assert "no NHS Number to it is known" in done.stdout


def test_patients_are_shown_and_found(place: Place, told: Identity) -> None:
    number, local = a_patient_id(), mrn()
    told.tell(local, number, name="ABERNETHY^ISLA", birth="19751224", sex="F")

    [shown] = place.json("identity", "show", local, "--json")
    assert set(shown["ids"]) == {number, local}
    assert "ABERNETHY, ISLA" in place.run("identity", "show", number.partition("^")[0]).stdout
    [found] = place.json("identity", "find", "--family", "Abernethy", "--birth", "1975-12-24", "--json")
    assert found == shown
    assert "No feed has told" in place.run("identity", "show", mrn(), code=1).stderr
    assert "Nobody was found" in place.run("identity", "find", "--family", "Nobody", code=1).stderr


def test_conflicts_are_listed_until_they_are_settled(place: Place, told: Identity) -> None:
    first, second, local = a_patient_id(), a_patient_id(), mrn()
    told.tell(local, first)
    for _ in range(2):
        assert told.tell(local, second).code == "AE"

    [conflict] = place.json("identity", "conflicts", "--json")
    assert set(conflict["identifiers"]) == {local, second}
    assert (conflict["kind"], conflict["times"]) == ("number", 2)
    assert local in place.run("identity", "conflicts").stdout
    place.run("identity", "conflicts", "--settle", conflict["name"])
    assert place.json("identity", "conflicts", "--json") == []
    assert len(place.json("identity", "conflicts", "--all", "--json")) == 1
    place.run("identity", "conflicts", "--settle", conflict["name"], code=1)


def test_a_wrong_link_is_taken_apart_and_a_feed_may_link_again(place: Place, told: Identity) -> None:
    number, wrong, old = a_patient_id(), mrn(), mrn()
    told.tell(wrong, number)
    told.tell(old)
    assert told.merge(old, wrong).code == "AA"
    why = ("--by", "A. Administrator", "--reason", "typed for another patient")

    refused = place.run("identity", "separate", old, *why, code=1)
    done = place.run("identity", "separate", wrong, *why)

    assert f"merged into {wrong}" in refused.stderr
    assert done.stdout.splitlines() == [f"Apart: {wrong}, {old}", f"Still together: {number}"]
    assert told.pix(number).ids == set()
    assert told.pix(wrong).ids == set()
    kept = place.json("identity", "conflicts", "--all", "--json")
    [evidence] = [each for each in kept if each["kind"] == "separated"]
    assert set(evidence["identifiers"]) == {wrong, number}
    assert evidence["reason"] == "A. Administrator: typed for another patient"
    assert evidence["settled_at"]
    assert "only id" in place.run("identity", "separate", wrong, *why, code=1).stderr
    assert "no feed has told" in place.run("identity", "separate", mrn(), *why, code=1).stderr

    assert told.tell(wrong, number).code == "AA"
    assert told.pix(wrong).ids == {number}


def test_numbers_are_traced_in_the_recorded_responses(place: Place) -> None:
    place.environ["PORTOLAN_TRACING"] = "recorded"
    try:
        shown = place.run("identity", "trace", "999 000 1006")
        assert "Fenwick" in shown.stdout
        assert "recorded response" in shown.stderr
        assert "999 000 1006" in place.run("identity", "trace", "9990001022").stdout
        sensitive = place.run("identity", "trace", "9990001014").stdout
        assert "Sample Lane" not in sensitive
        assert "hidden" in sensitive
        assert "No valid record" in place.run("identity", "trace", "9990001030", code=1).stderr
    finally:
        del place.environ["PORTOLAN_TRACING"]
    assert "No national record is set" in place.run("identity", "trace", "9990001006", code=1).stderr


def test_there_is_nothing_to_forward_without_a_registry_to_tell(place: Place, told: Identity) -> None:
    told.tell(mrn(), f"{a_patient_id()}")

    assert place.json("identity", "forwards", "--json") == []
    assert "told everything" in place.run("identity", "forwards").stdout
    place.run("identity", "forwards", "--again", "1", code=1)
    assert NHS in place.run("identity", "find", "--family", "Fenwick", "--json").stdout


def test_only_an_answering_service_can_be_asked(tmp_path: Path) -> None:
    alone = Place(tmp_path)

    assert "cannot be reached" in alone.run("find", mrn(), code=1).stderr
