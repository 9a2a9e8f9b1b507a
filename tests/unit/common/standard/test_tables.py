"""The tables agree with the standard's digest, with the model and among themselves."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.model import (
    AssociationType,
    AvailabilityStatus,
    DocumentEntry,
    RegistryObject,
    Submission,
)
from common.standard.attributes import ATTRIBUTES, AUTHOR_SLOTS, By, Place, placed
from common.standard.errors import ErrorCode
from common.standard.nhs import check_digit, nhs_number_problem
from common.standard.queries import BY_NAME, EXTENSIONS, STORED_QUERIES, Match, Shape, StoredQuery
from common.standard.transactions import BY_ACTION, TRANSACTIONS
from registry.store.finding import TABLES
from tests.factories import a_document, a_folder, a_submission, an_nhs_number

SPEC = Path(__file__).parents[4] / "../shared/spec"
NOT_SERVED = {"FetchDocuments"}  # ITI-63
EVERY_QUERY = pytest.mark.parametrize("query", STORED_QUERIES.values(), ids=lambda query: query.name)


def digest(name: str) -> str:
    path = SPEC / name
    if not path.is_file():
        pytest.skip(f"the digest of the standard is not here: {name}")
    return path.read_text(encoding="utf-8")


def test_every_stored_query_of_the_digest_is_served_under_its_id() -> None:
    rows = re.findall(r"^\| (\w+) \| ([0-9a-f-]{36}) \|", digest("stored-queries.md"), re.MULTILINE)

    assert {name: f"urn:uuid:{id_}" for name, id_ in rows if name not in NOT_SERVED} == {
        row.name: row.id for row in BY_NAME.values() if row.name not in EXTENSIONS
    }


def test_extensions_have_no_id_of_the_standard() -> None:
    assert {"FindHeldDocuments", "JudgeAccess"} == EXTENSIONS
    assert not [
        name for name in EXTENSIONS if BY_NAME[name].id.removeprefix("urn:uuid:") in digest("stored-queries.md")
    ]


def test_every_scheme_of_the_digest_is_in_the_table_of_attributes() -> None:
    pattern = r"^\| (\w+) \| ([\w ]+) \| (classificationScheme|identificationScheme) \| ([0-9a-f-]{36}) \|"
    rows = re.findall(pattern, digest("metadata.md"), re.MULTILINE)
    assert len(rows) == 19

    for kind, name, place, uuid in rows:
        found = [row for row in _of(kind) if row.key == f"urn:uuid:{uuid}"]
        assert [row.name for row in found] == ["associationDocumentation" if kind == "Association" else name]
        assert (found[0].place is Place.EXTERNAL_IDENTIFIER) == (place == "identificationScheme")


def _of(kind: str) -> tuple[object, ...]:
    return next(rows for type_, rows in ATTRIBUTES.items() if type_.__name__ == kind)


def test_every_attribute_that_the_digest_requires_of_iti_42_is_required() -> None:
    text = digest("metadata.md").split("## 2.")[1].split("## 3.")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    required = {row[0] for row in rows if len(row) == 8 and row[5] == "R"} - {"entryUUID", "objectType"}

    assert required == {row.name for row in ATTRIBUTES[DocumentEntry] if row.required & By.REGISTER}


def test_error_codes_of_the_digest_are_spelled_as_in_the_digest() -> None:
    assert not [code for code in ErrorCode if code not in digest("registry-rules.md")]


def test_an_error_code_is_its_own_name_and_says_when() -> None:
    assert all(code == code.name and code.meaning for code in ErrorCode)


@pytest.mark.parametrize("kind", ATTRIBUTES, ids=lambda kind: kind.__name__)
def test_every_attribute_is_a_field_of_the_model_under_a_key_of_its_own(kind: type[RegistryObject]) -> None:
    fields = {each.name for each in dataclasses.fields(kind)}
    rows = ATTRIBUTES[kind]

    assert {row.field for row in rows} <= fields
    assert max(Counter((row.place, row.key) for row in rows).values()) == 1
    assert sum(len(placed(kind, place)) for place in Place) == len(rows)


def test_an_author_slot_is_a_field_of_the_author() -> None:
    assert list(AUTHOR_SLOTS) == [
        "authorPerson", "authorInstitution", "authorRole", "authorSpecialty", "authorTelecommunication",
    ]  # fmt: skip


@EVERY_QUERY
def test_every_parameter_looks_at_a_column_that_there_is(query: StoredQuery) -> None:
    for row in query.parameters:
        if row.match in (Match.LEVEL, Match.ASSOCIATION_TYPE) or row.match is Match.STATUS:
            continue
        if query.shape is Shape.JUDGE and not row.field:  # it is about a person, and not about what is registered
            continue
        assert row.field in TABLES[row.of].c, row.name


@EVERY_QUERY
def test_the_parameters_of_a_query_have_names_of_their_own_and_its_groups_are_of_them(query: StoredQuery) -> None:
    names = [row.name for row in query.parameters]

    assert len(set(names)) == len(names)
    assert query.one_of | query.exclusive <= set(names)
    assert all(query.parameter(name) is row for name, row in zip(names, query.parameters, strict=True))
    assert query.parameter("$Unknown") is None


@EVERY_QUERY
def test_codes_and_statuses_always_take_lists_and_only_what_takes_a_list_may_be_repeated(query: StoredQuery) -> None:
    for row in query.parameters:
        assert row.many or row.match not in (Match.CODE, Match.STATUS, Match.OBJECT_TYPE)
        assert row.many or not row.every


@EVERY_QUERY
def test_a_query_names_a_patient_or_objects(query: StoredQuery) -> None:
    if query.shape is Shape.JUDGE:
        return  # an act may be about nobody yet
    matches = {row.match for row in query.parameters if row.required or row.name in query.one_of}

    assert matches & {Match.PATIENT, Match.ENTRY_UUID, Match.UNIQUE_ID}


def test_every_transaction_is_found_by_its_action() -> None:
    assert [BY_ACTION[row.action] for row in TRANSACTIONS] == list(TRANSACTIONS)
    odd = {row.label: row.answer_action for row in TRANSACTIONS if row.answer_action != f"{row.action}Response"}
    assert odd == {
        "ITI-44": "urn:hl7-org:v3:MCCI_IN000002UV01",
        "ITI-45": "urn:hl7-org:v3:PRPA_IN201310UV02",
        "ITI-47": "urn:hl7-org:v3:MCCI_IN000002UV01",  # a cancellation's, the last of its rows
        "ITI-61": "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse",
    }
    assert [row.iti for row in TRANSACTIONS] == sorted(row.iti for row in TRANSACTIONS)


@pytest.mark.parametrize("number", ["9990001006", "9990001014", "9990001022", "9434765919", "4010232137"])
def test_valid_nhs_numbers_are_valid(number: str) -> None:
    assert nhs_number_problem(number) is None


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("9990001007", "check digit"),
        ("999000100", "ten digits"),
        ("99900010061", "ten digits"),
        ("999 000 1006", "ten digits"),
        ("٩٩٩٠٠٠١٠٠٦", "ten digits"),
        ("", "ten digits"),
        ("9990000000", "check digit"),
    ],
)
def test_what_is_wrong_with_an_nhs_number_is_told_without_repeating_it(number: str, told: str) -> None:
    problem = nhs_number_problem(number)

    assert problem is not None
    assert told in problem
    assert not number or number not in problem


def test_numbers_of_the_test_range_are_refused_where_the_domain_does_not_take_them() -> None:
    assert "999" in (nhs_number_problem("9990001006", test_numbers=False) or "")
    assert nhs_number_problem("9434765919", test_numbers=False) is None


@given(st.text("0123456789", min_size=9, max_size=9))
def test_the_weighted_sum_of_a_number_is_divisible_by_eleven_or_no_digit_makes_it_so(first: str) -> None:
    digit = check_digit(first)
    totals = {
        str(last): (sum(int(d) * w for d, w in zip(first, range(10, 1, -1), strict=True)) + last) % 11
        for last in range(10)
    }

    assert {last for last, total in totals.items() if total == 0} == ({digit} if digit else set())


@given(st.integers(0, 8), st.integers(1, 9))
def test_any_single_wrong_digit_is_found(at: int, by: int) -> None:
    number = an_nhs_number()
    wrong = number[:at] + str((int(number[at]) + by) % 10) + number[at + 1 :]

    assert nhs_number_problem(wrong)


def test_an_object_is_symbolic_unless_its_id_is_a_uuid() -> None:
    assert a_document().is_symbolic
    assert not a_document(entry_uuid="urn:uuid:x").is_symbolic


def test_an_entry_or_folder_is_deprecated_when_its_status_says_so() -> None:
    deprecated = AvailabilityStatus.DEPRECATED
    assert a_document(availability_status=deprecated).is_deprecated
    assert a_folder(availability_status=deprecated).is_deprecated
    assert not a_document().is_deprecated
    assert not a_folder().is_deprecated


def test_a_submission_lists_its_objects_submission_sets_first() -> None:
    document, folder = a_document(), a_folder()
    submission = a_submission(document, folder)

    assert submission.objects()[:3] == [submission.submission_set, document, folder]
    assert Submission().objects() == []


def test_association_types_of_the_digest_are_spelled_as_in_the_digest() -> None:
    text = digest("metadata.md")
    assert all(kind in text for kind in AssociationType)
