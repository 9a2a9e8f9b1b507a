"""From what a person says to a DocumentEntry, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.codes import load
from common.model import Author, Code, DocumentEntry, LocalizedString, Submission
from common.rules.metadata import attributes_are_there_and_well_formed
from console.metadata.entry import Domain, build, derived_unique_id, patient_id, usual
from console.metadata.fields import FIELDS, Kind
from console.metadata.people import plain, shown_author, shown_organisation, shown_person
from console.metadata.shown import as_json, as_read
from console.metadata.values import MetadataError, Value, a_code, dtm, layered, read_file, resolved_code

DOMAIN = Domain(load(), "2.16.840.1.113883.2.1.4.1")
SNOMED = "2.16.840.1.113883.6.96"
SHA256 = "0" * 64
ENOUGH: dict[str, tuple[Value, ...]] = {
    "patient": ("999 000 1006",),
    "mime_type": ("application/pdf",),
    "class_code": ("823651000000106",),
    "type_code": ("373942005",),
    "practice_setting_code": (f"394802001^^{SNOMED}",),
    "healthcare_facility_type_code": (a_code("22232009", SNOMED, "Hospital"),),
    "creation_time": ("2026-03-11T14:20:00+00:00",),
}


def problems(values: dict[str, tuple[Value, ...]]) -> str:
    with pytest.raises(MetadataError) as raised:
        build(values, DOMAIN, SHA256)
    return "\n".join(raised.value.problems)


def test_what_is_built_of_enough_is_what_the_rules_want() -> None:
    entry, owner = build(ENOUGH, DOMAIN, SHA256)

    # What the Repository fills in, and what the client does.
    entry.hash, entry.size, entry.repository_unique_id, entry.entry_uuid = "0" * 40, "1", "1.2", "Document01"
    assert list(attributes_are_there_and_well_formed(Submission(entries=[entry]))) == []
    assert entry.type_code == Code("373942005", SNOMED)
    assert entry.type_code.label == "Discharge summary"
    assert entry.patient_id == entry.source_patient_id == "9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO"
    assert entry.creation_time == "20260311142000"
    assert owner.content_type_code == entry.type_code
    assert owner.patient_id == entry.patient_id


@pytest.mark.parametrize("key", ["patient", "class_code", "type_code", "practice_setting_code", "mime_type"])
def test_what_is_missing_is_told_with_the_option_that_gives_it(key: str) -> None:
    told = problems({name: value for name, value in ENOUGH.items() if name != key})

    assert f"{FIELDS[key].attribute} is missing: give {FIELDS[key].option}" in told


def test_everything_that_is_wrong_is_told_at_once_and_no_number_is_repeated() -> None:
    wrong = {
        **ENOUGH,
        "patient": ("9990001007",),
        "type_code": ("1",),
        "author_person": ("^",),
        "language_code": ("!",),
    }

    told = problems(wrong)

    for name in ("patientId", "typeCode", "languageCode"):
        assert name in told
    assert "9990001007" not in told


@pytest.mark.parametrize("key", [key for key, field in FIELDS.items() if field.kind is Kind.CODE])
def test_a_code_without_a_scheme_must_be_one_of_the_domain(key: str) -> None:
    with pytest.raises(ValueError, match=f"codes show {FIELDS[key].attribute}"):
        resolved_code(FIELDS[key], "unheard-of", DOMAIN.codes)


def test_a_code_of_two_schemes_is_asked_for_with_its_scheme() -> None:
    with pytest.raises(ValueError, match="CODE\\^\\^SCHEME"):
        resolved_code(FIELDS["type_code"], "1^^", DOMAIN.codes)


def test_the_id_follows_from_content_and_patient() -> None:
    assert derived_unique_id(SHA256, "a") == derived_unique_id(SHA256, "a")
    assert len({derived_unique_id(sha, who) for sha in (SHA256, "1" * 64) for who in ("a", "b")}) == 4
    assert len(derived_unique_id("f" * 64, "x")) <= 64


def test_earlier_layers_win_and_empty_values_count_for_nothing() -> None:
    assert layered({"title": ("mine",)}, {"title": ("other",), "comments": ("kept",)}, {"comments": ()}) == {
        "title": ("mine",),
        "comments": ("kept",),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026", "2026"),
        ("20260311142000", "20260311142000"),
        ("2026-03-11", "20260311"),
        ("2026-03-11T14:20:00+01:00", "20260311132000"),
        ("2026-03-11T14:20Z", "20260311142000"),
    ],
)
def test_times_become_dtm_in_utc(text: str, expected: str) -> None:
    assert dtm(text) == expected


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_every_moment_becomes_the_same_moment(moment: datetime) -> None:
    assert dtm(moment.isoformat()) == moment.strftime("%Y%m%d%H%M%S")


@pytest.mark.parametrize("text", ["", "yesterday", "11/03/2026", "202", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a time"):
        dtm(text)


def test_a_patient_id_with_an_authority_is_taken_as_it_is() -> None:
    assert patient_id("4711^^^&2.999.1&ISO", DOMAIN) == "4711^^^&2.999.1&ISO"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.toml",
            'type_code = { code = "1", scheme = "2" }\nevent_code = ["1^^2"]\ncreation_time = 2026-03-11',
        ),
        (
            "a.json",
            '{"type_code": {"code": "1", "scheme": "2"}, "event_code": ["1^^2"], "creation_time": "2026-03-11"}',
        ),
    ],
)
def test_a_sidecar_gives_texts_codes_and_times(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_text(content)

    found = read_file(file)

    assert found["type_code"] == (Code("1", "2"),)
    assert found["event_code"] == ("1^^2",)
    assert found["creation_time"] == ("2026-03-11",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"colour = 'red'", "colour is not known"),
        (b"title = ['a', 'b']", "takes one value"),
        (b"title = true", "must be a text"),
        (b"title = ", "is not TOML"),
        (b"\xff", "is not TOML"),
        (b"# " + b"x" * 1024 * 1024, "larger than"),
    ],
)
def test_a_sidecar_that_cannot_be_used_says_why(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "letter.pdf.toml"
    file.write_bytes(content)

    with pytest.raises(MetadataError, match=told):
        read_file(file)


def test_a_sidecar_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match="cannot be read"):
        read_file(tmp_path / "none.toml")


def test_a_json_sidecar_must_be_an_object(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")

    with pytest.raises(MetadataError, match="must be an object"):
        read_file(tmp_path / "a.json")


def test_the_usual_is_taken_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "letter.xml"
    file.write_text("x")

    assert usual(file)["mime_type"] == ("text/xml",)
    assert usual(file)["creation_time"]


def test_people_and_organisations_are_shown_by_their_names() -> None:
    assert shown_person("1^O\\T\\Neil^Amara^^^Dr^^^&1.2&ISO") == "Dr Amara O&Neil"
    assert shown_person("4711^^^^^^^^&1.2&ISO") == "4711"
    assert shown_person(None) == ""
    assert shown_organisation("North\\S\\beck^^^^^&1.2&ISO^^^^X") == "North^beck"
    assert plain("a\\E\\b") == "a\\b"
    entry = DocumentEntry("", authors=(Author("1^Okafor", ("Northbeck^^^",)),))
    assert shown_author(entry) == "Okafor, Northbeck"


def test_as_read_leaves_out_what_is_not_said_and_as_json_says_all() -> None:
    entry, _ = build({**ENOUGH, "title": ("A",), "author_role": ("Consultant",)}, DOMAIN, SHA256)

    rows = dict(as_read(entry))

    assert rows["title"] == "A"
    assert rows["author's role"] == "Consultant"
    assert rows["creationTime"] == "2026-03-11 14:20 UTC"
    assert "serviceStartTime" not in rows
    assert as_json(entry)["service_start_time"] is None
    assert as_json(entry)["title"] == [{"value": "A", "lang": "en-GB", "charset": "UTF-8"}]
    assert as_json((LocalizedString("x"),))[0]["value"] == "x"
