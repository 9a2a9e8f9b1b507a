from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.access.records import KINDS, Kind, read_record
from console.access.files import read, written
from console.commands.access import EXAMPLE_ROLES
from console.failure import Failure

VALUES = {
    "role": ["R8000^1.2", "Nurse^"],
    "right": ["search", "sealed"],
    "patient_id": ["9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO"],
    "decision": ["permit", "refuse"],
    "basis": ["", "explicit"],
    "kind": ["person", "system"],
    "care_setting": ["", "gp"],
    "address": ["https://a.example/x"],
    "begins": ["", "20260101000000"],
    "ends": ["", "20270101000000"],
    "providers": ["*", "ZT901 ZG902"],
    "recipients": ["ZG902"],
    "code": ["ZG902"],
    "organisation": ["ZT901"],
    "part_of": ["", "ZT901"],
    "also": ["", "urn:oid:2.999.1"],
    "roles": ["", "R1^1 R2^2"],
}
TEXT = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=12)
FREE = {"name", "note", "title", "source", "reference", "town", "postcode", "contact"}


@st.composite
def records(draw: st.DrawFn) -> tuple[Kind, list[dict[str, str]]]:
    kind = draw(st.sampled_from(list(KINDS.values())))
    found: dict[str, dict[str, str]] = {}
    for number in range(draw(st.integers(0, 4))):
        row = {}
        for field in kind.fields:
            choices = st.sampled_from(VALUES[field.name]) if field.name in VALUES else TEXT
            row[field.name] = draw(choices)
        if kind.makes_key:
            row[kind.key] = f"id-{number}"
        record, problems = read_record(kind, row)
        assert problems == []
        found[record[kind.key]] = record
    return kind, list(found.values())


@given(records(), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_exported_is_what_is_imported(
    tmp_path: Path, known: tuple[Kind, list[dict[str, str]]], as_json: bool
) -> None:
    kind, rows = known
    file = tmp_path / ("x.jsonl" if as_json else "x.csv")
    file.write_text(written(kind, rows, as_json=as_json), encoding="utf-8")

    assert read(kind, file) == rows


@pytest.mark.parametrize(
    ("kind", "name", "text", "told"),
    [
        ("roles", "x.csv", "role,right\nR1^1,search\nR1^1,fly\n,search\n", [
            "line 3: right: is one of search", "line 4: role: is needed"]),
        ("roles", "x.csv", "role,role\nx,y\n", ["line 1: two columns have the same name"]),
        ("roles", "x.csv", "role,right,wings\nR1^1,search,2\n", ["line 2: wings: there is no such field"]),
        ("roles", "x.csv", "role,right\nR1^1\n", ["line 2: it has 1 values"]),
        ("roles", "x.csv", 'role,right\n"R1^1,search\n', ["it is no CSV"]),
        ("organisations", "x.csv", "code,name\nZA1,A\nZA1,B\n", ["line 3: code: ZA1 stands in line 2 already"]),
        ("organisations", "x.jsonl", '{"code": "ZA1", "name": 3}\n[]\n{\n', [
            "line 1: name: is a text", "line 2: it is no JSON object", "line 3: it is no JSON"]),
        ("organisations", "x.jsonl", "[" * 5000, ["line 1: it is no JSON"]),
        ("consents", "x.csv", "patient_id,decision,begins,ends\n9990001006,permit,2026-02-30,\n", ["begins: is a day"]),
        ("consents", "x.csv", "patient_id,decision\n99,permit\n", ["is no NHS Number"]),
        ("consents", "x.csv", "patient_id,decision,begins,ends\n9990001006,permit,20260203,20260201\n", [
            "ends: is before it begins"]),
        ("relationships", "x.csv", "patient_id\n9990001006\n", ["organisation: one is needed, or a user"]),
        ("endpoints", "x.csv", "organisation,service,address\nZA1,r,ftp://x\n", ["address: is an address"]),
        ("users", "x.csv", "user,name,kind\nan id,A,person\n", ["user: takes no spaces"]),
        ("users", "x.csv", "user,name,kind\nid,A\x07,person\n", ["name: takes no control characters"]),
    ],
)  # fmt: skip
def test_every_line_that_is_wrong_is_told(tmp_path: Path, kind: str, name: str, text: str, told: list[str]) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")

    with pytest.raises(Failure) as raised:
        read(KINDS[kind], file)

    for each in told:
        assert each in raised.value.message
    assert raised.value.message.endswith("Nothing was taken.")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe")

    with pytest.raises(Failure, match="not UTF-8"):
        read(KINDS["roles"], tmp_path / "x.csv")


@pytest.mark.parametrize("told", ["2026-03-11", "20260311", "2026-03-11T00:00", "2026-03-11T00:00:00Z"])
def test_days_have_several_forms(told: str) -> None:
    row: dict[str, Any] = {"role": "R1^1", "right": "search", "begins": told}

    assert read_record(KINDS["roles"], row)[0]["begins"] == "20260311000000"


def test_the_example_of_roles_can_be_imported_and_says_that_its_codes_are_unconfirmed() -> None:
    rows = read(KINDS["roles"], EXAMPLE_ROLES)

    assert {row["role"].partition("^")[0] for row in rows} >= {"R8000", "REPOSITORY"}
    assert all("unconfirmed" in row["note"] for row in rows if row["role"].startswith("R8"))
