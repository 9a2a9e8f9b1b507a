"""amend, deprecate, approve, history and acknowledge, as a person uses them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.factories import an_nhs_number
from tests.unit.console.running import Place

_CODES = (
    "--type-code", "373942005", "--class-code", "823651000000106", "--practice-setting-code", "394802001",
    "--healthcare-facility-type-code", "22232009", "--author-institution", "Northbeck General Hospital",
)  # fmt: skip
_REFERENCE = "W-1^^^&2.999.6&ISO^urn:ihe:iti:xdw:2013:workflowInstanceId"
_numbers = count(1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Services that run."""
    made = Place(tmp_path_factory.mktemp("amend"), PORTOLAN_REGISTRY_WORKERS="1", PORTOLAN_REPOSITORY_WORKERS="1")
    with made.served():
        yield made


def a_letter(place: Place, patient: str, *more: str) -> str:
    """A letter that is submitted; its uniqueId."""
    number = next(_numbers)
    (place.folder / f"{number}.pdf").write_bytes(b"%PDF-1.7\n" + str(number).encode())
    arguments = ["--patient", patient, "--title", f"Letter {number}", "--unique-id", f"2.999.7.{number}", *_CODES]
    place.run("submit", f"{number}.pdf", *arguments, *more)
    return f"2.999.7.{number}"


def events(place: Place, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.json("history", name, "--json")
    return found


def test_a_title_is_amended_and_the_old_one_kept(place: Place) -> None:
    patient = an_nhs_number()
    name = a_letter(place, patient)

    told = place.json(
        "amend", name, "--by", "Okafor^Amara", "--reason", "Typing error", "--title", "Right title", "--json"
    )

    assert told["version"] == 2
    [found] = place.json("find", patient, "--json")
    assert found["title"][0]["value"] == "Right title"
    first, second = events(place, name)
    assert (first["what"], second["what"], second["who"], second["why"]) == (
        "registered", "amended", "Amara Okafor", "Typing error",
    )  # fmt: skip
    assert (first["is_current"], second["is_current"]) == (False, True)


def test_a_restricted_update_may_change_less(place: Place) -> None:
    name = a_letter(place, an_nhs_number())
    by = ("--by", "Somebody", "--restricted")

    place.run("amend", name, *by, "--title", "Right title")
    done = place.run("amend", name, *by, "--mime-type", "text/plain", code=1)

    assert "UnmodifiableMetadataError" in done.stderr


def test_a_letter_moves_to_the_right_patient(place: Place) -> None:
    wrong, right = an_nhs_number(), an_nhs_number()
    name = a_letter(place, wrong)

    place.run("amend", name, "--by", "Records office", "--patient", right)

    assert place.json("find", wrong, "--json") == []
    assert [found["unique_id"] for found in place.json("find", right, "--json")] == [name]
    assert [event["what"] for event in events(place, name)] == ["registered", "moved to another patient"]


def test_nothing_to_change_and_what_is_wrong_are_told(place: Place) -> None:
    name = a_letter(place, an_nhs_number())

    assert "Say what is to change" in place.run("amend", name, "--by", "Somebody", code=2).stderr
    wrong = place.run("amend", name, "--by", "Somebody", "--type-code", "no-such-code", code=1)
    assert "typeCode" in wrong.stderr
    assert "There is no document" in place.run("amend", "2.999.0", "--by", "S", "--title", "T", code=1).stderr


def test_a_letter_is_withdrawn_and_comes_back(place: Place) -> None:
    patient = an_nhs_number()
    name = a_letter(place, patient)

    place.run("deprecate", name, "--by", "Records office", "--reason", "Sent by mistake")
    assert place.json("find", patient, "--json") == []
    assert "already" in place.run("deprecate", name, "--by", "Records office").stdout
    place.run("approve", name, "--by", "Records office")

    assert [found["unique_id"] for found in place.json("find", patient, "--json")] == [name]


def test_what_was_replaced_does_not_come_back_beside_its_successor(place: Place) -> None:
    patient = an_nhs_number()
    old = a_letter(place, patient)
    new = a_letter(place, patient, "--replaces", old)

    done = place.run("approve", old, "--by", "Somebody", code=1)

    assert "XDSMetadataUpdateError" in done.stderr
    assert [event["what"] for event in events(place, new)] == ["registered", "registered as a replacement"]
    assert [event["what"] for event in events(place, old)] == ["registered", "replaced by"]


@pytest.mark.parametrize(("choice", "label"), [("--accept", "Accepted"), ("--reject", "Rejected")])
def test_a_source_sees_what_became_of_its_letter(place: Place, choice: str, label: str) -> None:
    patient = an_nhs_number()
    name = a_letter(place, patient, "--reference-id", _REFERENCE)

    told = place.json(
        "acknowledge",
        name,
        choice,
        "--by",
        "Fitch^Rowan",
        "--organisation",
        "Millbrook Surgery",
        "--note",
        "As agreed",
        "--json",
    )

    by_reference = [found["unique_id"] for found in place.json("find", patient, "--reference-id", _REFERENCE, "--json")]
    assert sorted(by_reference) == sorted([name, told["unique_id"]])
    assert f"acknowledged: {label}" in [event["what"] for event in events(place, name)]
    place.run("fetch", told["unique_id"], "-o", "answer.txt", "--force")
    answer = (place.folder / "answer.txt").read_text()
    assert label in answer
    assert "As agreed" in answer
