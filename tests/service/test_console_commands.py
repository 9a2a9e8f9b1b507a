"""submit, find, fetch and show, as a person uses them: child processes, and services that run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.letters.samples import sample_letters
from console.metadata.asking import FILTERS
from tests.unit.console.running import Place

_DEFAULTS = """
class_code = "823651000000106"
type_code = "373942005"
practice_setting_code = "394802001"
healthcare_facility_type_code = { code = "22232009", scheme = "2.16.840.1.113883.6.96", display = "Hospital" }
author_institution = "Northbeck General Hospital"
"""
FENWICK, THISTLEWOOD = "9990001006", "9990001014"

_ORDER = "4711^^^&2.999.1&ISO^urn:ihe:iti:xds:2013:order"

# A value for each filter of `find` that one of the sample letters meets, and one that none does.
_MET = {
    "status": ("approved", "deprecated"),
    "class_code": ("823651000000106", "734163000"),
    "type_code": ("373942005", "734163000^^2.16.840.1.113883.6.96"),
    "practice_setting_code": ("394802001", "394814009"),
    "healthcare_facility_type_code": ("22232009", "264372000"),
    "format_code": ("urn:ihe:iti:xds:2017:mimeTypeSufficient", "urn:ihe:rad:PDF"),
    "event_code": ("233604007,195967001", "195967001"),
    "confidentiality_code": ("N,R", "R"),
    "author_person": ("%Pemberton%", "%Lindqvist%"),
    "reference_id": (
        "4711^^^&2.999.1&ISO^urn:ihe:iti:xds:2013:order",
        "4712^^^&2.999.1&ISO^urn:ihe:iti:xds:2013:order",
    ),
    "creation_time_from": ("2026-04-01", "2100-01-01"),
    "creation_time_to": ("2100-01-01", "1990-01-01"),
    "service_start_time_from": ("2026-04-22T09:30+00:00", "2026-04-22T09:31+00:00"),
    "service_start_time_to": ("2026-04-22T09:31+00:00", "2026-04-22T09:30+00:00"),
    "service_stop_time_from": ("20260422100000", "20260422100001"),
    "service_stop_time_to": ("20260422100001", "20260422100000"),
    "object_type": ("stable", "on-demand"),
    "document_availability": (None, None),
    "metadata_level": ("2", None),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Services with one letter of a patient: a CDA document."""
    made = Place(tmp_path_factory.mktemp("console"), PORTOLAN_REGISTRY_WORKERS="1", PORTOLAN_REPOSITORY_WORKERS="1")
    (made.folder / "hospital.toml").write_text(_DEFAULTS)
    for sample in sample_letters():
        (made.folder / sample.name).write_bytes(sample.content)
    with made.served():
        more = ("--event-code", "233604007", "--reference-id", _MET["reference_id"][0] or "")
        made.run("submit", "fenwick-chest-clinic.xml", "--defaults", "hospital.toml", *more, "--type-code", "373942005")
        yield made


def pdf(place: Place, name: str, content: bytes = b"") -> Path:
    """A letter that has not been submitted yet."""
    file = place.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"%PDF-1.7\n" + name.encode() + content + os.urandom(8))
    return file


def submit(place: Place, *arguments: str, code: int = 0) -> list[dict[str, object]]:
    """Submit with the hospital's defaults; what became of each file."""
    done = place.run("submit", *arguments, "--defaults", "hospital.toml", "--json", code=code)
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_there_is_a_case_for_every_filter() -> None:
    assert set(_MET) == set(FILTERS)


@pytest.mark.parametrize("key", [key for key, (met, _) in _MET.items() if met])
def test_a_filter_that_is_met_finds(place: Place, key: str) -> None:
    found = place.json("find", FENWICK, FILTERS[key].option, str(_MET[key][0]), "--json")

    assert "2.999.826.9.2.20260422.1" in [entry["unique_id"] for entry in found]


@pytest.mark.parametrize("key", [key for key, (_, missed) in _MET.items() if missed])
def test_a_filter_that_is_not_met_does_not(place: Place, key: str) -> None:
    found = place.json("find", FENWICK, FILTERS[key].option, str(_MET[key][1]), "--json")

    assert found == []


def test_codes_of_options_that_are_repeated_must_each_match(place: Place) -> None:
    both = ("--event-code", "233604007", "--event-code", "195967001")

    assert place.json("find", FENWICK, *both, "--json") == []


def test_find_shows_a_table_and_says_when_there_is_nothing(place: Place) -> None:
    out = place.run("find", "999 000 1006").stdout

    assert out.splitlines()[0].split()[0] == "date"
    assert "Dr Rafiq Pemberton, Northbeck General Hospital" in out
    assert place.run("find", "9990001030").stdout == "Nothing was found.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("9990001007",), "check digit"),
        ((FENWICK, "--type-code", "nonsense"), "codes show typeCode"),
        ((FENWICK, "--creation-time-from", "yesterday"), "must be a time"),
    ],
)
def test_wrong_questions_are_explained(place: Place, arguments: tuple[str, ...], told: str) -> None:
    assert told in place.run("find", *arguments, code=2).stderr


def test_a_folder_is_submitted_once_however_often_it_is_tried(place: Place) -> None:
    for number in range(3):
        pdf(place, f"letters/{number}.pdf")
        (place.folder / f"letters/{number}.pdf.toml").write_text(f'patient = "{THISTLEWOOD}"\ntitle = "No {number}"')
    pdf(place, "letters/.hidden.pdf")

    first = submit(place, "letters")
    pdf(place, "letters/deeper/3.pdf")
    (place.folder / "letters/deeper/3.pdf.json").write_text(f'{{"patient": "{THISTLEWOOD}", "title": "No 3"}}')
    second = submit(place, "letters")

    assert [row["state"] for row in first] == ["submitted"] * 3
    assert sorted(str(row["state"]) for row in second) == ["already there"] * 3 + ["submitted"]
    titles = {entry["title"][0]["value"] for entry in place.json("find", THISTLEWOOD, "--json")}
    assert {"No 0", "No 1", "No 2", "No 3"} <= titles


def test_files_that_fail_are_told_and_the_others_go_through(place: Place) -> None:
    pdf(place, "mixed/good.pdf")
    (place.folder / "mixed/good.pdf.toml").write_text(f'patient = "{THISTLEWOOD}"')
    pdf(place, "mixed/nobody.pdf")
    (place.folder / "mixed/empty.pdf").write_bytes(b"")
    (place.folder / "mixed/broken.xml").write_bytes(b"<ClinicalDocument xmlns='urn:hl7-org:v3'><title>")
    pdf(place, "mixed/refused.pdf")
    (place.folder / "mixed/refused.pdf.toml").write_text(f'patient = "{THISTLEWOOD}"\ntype_code = "0^^2.999"')

    rows = {Path(str(row["file"])).name: row for row in submit(place, "mixed", code=1)}

    assert rows["good.pdf"]["state"] == "submitted"
    why = {name: " ".join(row["why"]) for name, row in rows.items()}  # type: ignore[arg-type]
    assert "give --patient, or patient in a sidecar" in why["nobody.pdf"]
    assert "empty" in why["empty.pdf"]
    assert why["broken.xml"]
    assert "XDSRegistryMetadataError" in why["refused.pdf"]
    text = place.run("submit", "mixed", "--defaults", "hospital.toml", code=1)
    assert "1 already there, 4 failed." in text.stdout
    assert "4 of 5 could not be submitted" in text.stderr


def test_a_dry_run_submits_nothing(place: Place) -> None:
    file = pdf(place, "dry.pdf")

    [row] = submit(place, str(file), "--patient", THISTLEWOOD, "--dry-run")

    assert row["state"] == "ready"
    assert "No document" in place.run("fetch", str(row["unique_id"]), code=1).stderr


def test_a_new_version_replaces_the_old_one(place: Place) -> None:
    [old] = submit(place, str(pdf(place, "old.pdf")), "--patient", "9990001022")
    more = ("--patient", "9990001022", "--replaces", str(old["unique_id"]))
    [new] = submit(place, str(pdf(place, "new.pdf")), *more)

    current = [entry["unique_id"] for entry in place.json("find", "9990001022", "--json")]
    assert current == [new["unique_id"]]
    assert "(replaced)" in place.run("find", "9990001022", "--status", "any").stdout
    assert "RPLC by" in place.run("show", str(old["unique_id"])).stdout


def test_another_content_under_a_known_id_is_refused_with_advice(place: Place) -> None:
    content = (place.folder / "fenwick-chest-clinic.xml").read_bytes()
    (place.folder / "changed.xml").write_bytes(content + b"\n")

    [row] = submit(place, "changed.xml", code=1)

    assert "--replaces" in " ".join(row["why"])  # type: ignore[arg-type]


def test_a_document_comes_back_to_a_file_a_folder_or_stdout(place: Place) -> None:
    name, content = "2.999.826.9.2.20260422.1", (place.folder / "fenwick-chest-clinic.xml").read_bytes()

    out = place.run("fetch", name, "-o", "letter.xml").stdout
    place.run("fetch", name, "-o", "inbox/")
    told = place.json("fetch", name, "-o", "letter.xml", "--force", "--json")
    to_stdout = place.run("fetch", name, "-o", "-").stdout

    sha1 = hashlib.sha1(content).hexdigest()
    assert f"SHA-1 {sha1} verified" in out
    assert (place.folder / "letter.xml").read_bytes() == content
    assert (place.folder / "inbox" / f"{name}.xml").read_bytes() == content
    assert told == [{"unique_id": name, "file": "letter.xml", "size": len(content), "sha1": sha1}]
    assert to_stdout.encode() == content
    assert not list(place.folder.glob(".portolan-*"))


def test_a_file_that_is_there_is_not_replaced_unasked(place: Place) -> None:
    (place.folder / "mine.xml").write_text("mine")

    assert "--force" in place.run("fetch", "2.999.826.9.2.20260422.1", "-o", "mine.xml", code=1).stderr
    assert (place.folder / "mine.xml").read_text() == "mine"


def test_several_documents_do_not_go_to_stdout(place: Place) -> None:
    assert "Only one" in place.run("fetch", "1.2", "1.3", "-o", "-", code=2).stderr


def test_show_tells_a_person_and_gives_ebrim(place: Place) -> None:
    name = "2.999.826.9.2.20260422.1"

    told = place.run("show", name).stdout
    ebrim = place.run("show", name, "--ebrim").stdout
    entry = place.json("show", name, "--json")

    assert "999 000 1006" in told
    assert "Discharge summary (373942005^^2.16.840.1.113883.6.96)" in told
    assert "<rim:ExtrinsicObject" in ebrim
    assert entry["kind"] == "Document"
    [link] = entry["associations"]
    owner = place.json("show", link["source"], "--json")
    assert owner["kind"] == "Submission set"
    assert place.json("show", owner["unique_id"], "--json") == owner
    assert entry == place.json("show", entry["entry_uuid"], "--json")


def test_what_is_not_there_is_told(place: Place) -> None:
    assert "Nothing has the id" in place.run("show", "1.2.3", code=1).stderr
    more = ("--patient", FENWICK, "--defaults", "hospital.toml", "--replaces", "1.2.3")
    assert "no document 1.2.3" in place.run("submit", str(pdf(place, "x.pdf")), *more, code=1).stderr


def test_the_doctor_finds_nothing_wrong(place: Place) -> None:
    found = place.json("doctor", "--json")

    assert [row for row in found if row["outcome"] == "fail"] == []
    about = {row["about"] for row in found}
    assert {"registry", "repository", "clock", "database", "storage", "codes", "memory"} <= about
    assert "ready at" in place.run("doctor").stdout


def test_without_a_service_every_command_says_so(tmp_path: Path) -> None:
    place = Place(tmp_path)
    file = pdf(place, "letter.pdf")
    (tmp_path / "hospital.toml").write_text(_DEFAULTS)
    given = ("--patient", FENWICK, "--defaults", "hospital.toml")

    for arguments in (("find", FENWICK), ("fetch", "1.2"), ("show", "1.2"), ("submit", str(file), *given)):
        told = place.run(*arguments, code=1).stderr
        assert "cannot be reached" in told
        assert "portolan doctor" in told


def test_with_the_policy_fed_only_fed_patients_are_known(tmp_path: Path) -> None:
    place = Place(tmp_path, PORTOLAN_PATIENT_POLICY="fed")
    file = pdf(place, "letter.pdf")
    (tmp_path / "hospital.toml").write_text(_DEFAULTS)
    with place.served():
        refused = submit(place, str(file), "--patient", FENWICK, code=1)
        assert "XDSUnknownPatientId" in str(refused)
        assert place.run("patients", "feed", "999 000 1006").stdout == "1 made known; 0 were known already.\n"
        assert submit(place, str(file), "--patient", FENWICK)[0]["state"] == "submitted"
