"""Values of stored queries: promises over the table of queries, then single forms (ITI TF-2 3.18.4.1.2.3.5)."""

from __future__ import annotations

import contextlib
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.model import AssociationType, AvailabilityStatus, DocumentEntry, Folder, ObjectType
from common.rules import Objection
from common.rules.stored_query import Asked, Question, ValueProblem, parse_value, read_question
from common.standard.errors import ErrorCode
from common.standard.queries import BY_NAME, STORED_QUERIES, Match, Parameter, StoredQuery
from tests.factories import AUTHORITY, a_patient_id

PATIENT: Final = a_patient_id()
APPROVED: Final = AvailabilityStatus.APPROVED.value
DEPRECATED: Final = AvailabilityStatus.DEPRECATED.value
UUID: Final = "urn:uuid:0d3c1f0e-8d51-4c6e-9a3c-2b1f8a7e6d5c"
GOOD: Final[dict[Match, tuple[str, str]]] = {
    Match.PATIENT: (f"'{PATIENT}'", f"'x^^^&{AUTHORITY}&ISO'"),
    Match.STATUS: (f"'{APPROVED}'", f"'{DEPRECATED}'"),
    Match.OBJECT_TYPE: (f"'{ObjectType.STABLE}'", f"'{ObjectType.ON_DEMAND}'"),
    Match.CODE: ("'a^^b'", "'c^^d'"),
    Match.FROM: ("2026", "2027"),
    Match.TO: ("'2026'", "2027"),
    Match.LIKE: ("'%Okafor%'", "'_'"),
    Match.PATTERN: ("'R-1^^^&1.2&ISO^t'", "'x'"),
    Match.EXACT: ("'x'", "'y'"),
    Match.ENTRY_UUID: (f"'{UUID}'", "'urn:uuid:x'"),
    Match.UNIQUE_ID: ("'1.2'", "'1.3'"),
    Match.LOGICAL_ID: (f"'{UUID}'", "'urn:uuid:x'"),
    Match.ASSOCIATION_TYPE: (f"'{AssociationType.RPLC}'", f"'{AssociationType.APND}'"),
    Match.LEVEL: ("'2'", "'1'"),
}
BAD: Final[dict[Match, tuple[str, ...]]] = {
    Match.PATIENT: ("'9990001006'", "'x^^^NHS'"),
    Match.CODE: ("'a'", "'a^^'", "'^^b'", "'a^b'", "'a^x^b'", "'a^^b^^c'"),
    Match.FROM: ("'yesterday'", "20261301", "'2026-01-01'", "1.5"),
    Match.TO: ("'yesterday'", "20260230", "'20260101000000Z'"),
    Match.LEVEL: ("'3'", "0", "'one'"),
}
UNQUOTED: Final = (
    "x",
    "'open",
    "('a'",
    "('a' 'b')",
    "('a',)",
    "(a)",
    "'a' 'b'",
    "('a') 'b'",
    ")",
    "(",
    "'a'b",
    "-1",
    "1e3",
)

QUERIES: Final = list(STORED_QUERIES.values())
NEEDED: Final = [
    pytest.param(query, row, id=f"{query.name}-{row.name}")
    for query in QUERIES
    for row in query.parameters
    if row.required
]


def parameters(chosen: Any = lambda query, row: True) -> Any:
    found = [
        pytest.param(query, row, id=f"{query.name}-{row.name}")
        for query in QUERIES
        for row in query.parameters
        if chosen(query, row)
    ]
    return pytest.mark.parametrize(("query", "row"), found)


every_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)


def least(query: StoredQuery, *beside: Parameter) -> dict[str, tuple[str, ...]]:
    """The fewest slots that make a good query, these left to the caller."""
    slots = {row.name: (GOOD[row.match][0],) for row in query.parameters if row.required and row not in beside}
    names = {row.name for row in beside}
    if query.one_of and not query.one_of & (slots.keys() | names):
        first = next(row for row in query.parameters if row.name in query.one_of and row.match is not Match.LOGICAL_ID)
        slots[first.name] = (GOOD[first.match][0],)
    if any(row.match is Match.LOGICAL_ID for row in beside):
        slots["$MetadataLevel"] = ("'2'",)
    return slots


def ask(query: StoredQuery, slots: Any, return_type: str = "LeafClass") -> Question | list[Objection]:
    pairs = tuple(slots.items() if isinstance(slots, dict) else slots)
    return read_question(Asked(query.id, return_type, pairs), multi_patient=query.multi_patient, max_values=10)


def question(query: StoredQuery, slots: Any, return_type: str = "LeafClass") -> Question:
    found = ask(query, slots, return_type)
    assert isinstance(found, Question), found
    return found


def refused(query: StoredQuery, slots: Any, return_type: str = "LeafClass") -> list[tuple[ErrorCode, str]]:
    found = ask(query, slots, return_type)
    assert not isinstance(found, Question)
    return [(each.code, each.where) for each in found]


@every_query
def test_every_query_with_its_required_parameters_is_a_question(query: StoredQuery) -> None:
    found = question(query, least(query))

    assert (found.query, found.leaf, found.level) == (query, True, 1)


@pytest.mark.parametrize(("query", "row"), NEEDED)
def test_every_query_reports_each_missing_required_parameter(query: StoredQuery, row: Parameter) -> None:
    slots = least(query)
    del slots[row.name]

    assert (ErrorCode.XDSStoredQueryMissingParam, row.name) in refused(query, slots)


@pytest.mark.parametrize(("query", "row"), NEEDED)
@pytest.mark.parametrize("values", [(), ("()",), ("",), ("''",), ("('')",), ("", " ")])
def test_a_required_parameter_that_is_empty_is_missing(
    query: StoredQuery, row: Parameter, values: tuple[str, ...]
) -> None:
    assert refused(query, {**least(query), row.name: values}) == [(ErrorCode.XDSStoredQueryMissingParam, row.name)]


@every_query
def test_every_query_reports_all_missing_parameters_at_once(query: StoredQuery) -> None:
    missing = [where for code, where in refused(query, {}) if code is ErrorCode.XDSStoredQueryMissingParam]

    groups = [", ".join(sorted(query.one_of))] if query.one_of else []
    assert missing == [row.name for row in query.parameters if row.required] + groups


@parameters()
def test_every_parameter_of_every_query_is_understood(query: StoredQuery, row: Parameter) -> None:
    found = question(query, {**least(query, row), row.name: (GOOD[row.match][0],)})

    if row.match is Match.LEVEL:
        assert found.level == 2
    else:
        assert len(found.given(row.name)) == 1
        assert row in [each for each, _ in found.about(row.of)]


@parameters(lambda query, row: not row.many)
@pytest.mark.parametrize("form", ["({},{})", "({0}) ({1})"], ids=["list", "several Values"])
def test_several_values_for_a_single_parameter_are_refused(query: StoredQuery, row: Parameter, form: str) -> None:
    first, second = GOOD[row.match]
    values = tuple(form.format(first, second).split(" "))

    assert (ErrorCode.XDSStoredQueryParamNumber, row.name) in refused(query, {**least(query, row), row.name: values})


@parameters(lambda query, row: not row.many)
def test_one_value_in_parentheses_is_one_value(query: StoredQuery, row: Parameter) -> None:
    assert question(query, {**least(query, row), row.name: (f"({GOOD[row.match][0]})",)})


@parameters(lambda query, row: row.many)
def test_lists_and_several_values_in_one_slot_are_joined(query: StoredQuery, row: Parameter) -> None:
    first, second = GOOD[row.match]
    one = question(query, {**least(query, row), row.name: (f"({first},{second})",)})
    two = question(query, {**least(query, row), row.name: (f"({first})", second)})

    assert one == two
    assert len(one.given(row.name)) == 2


@parameters(lambda query, row: row.many)
def test_more_values_than_the_limit_are_refused(query: StoredQuery, row: Parameter) -> None:
    first = GOOD[row.match][0]

    assert refused(query, {**least(query, row), row.name: (first,) * 11})[0] == (
        ErrorCode.XDSStoredQueryParamNumber,
        row.name,
    )


@parameters(lambda query, row: row.every)
def test_a_repeated_slot_means_that_each_must_match(query: StoredQuery, row: Parameter) -> None:
    first, second = GOOD[row.match]
    slots = [*least(query, row).items(), (row.name, (first,)), (row.name, (second, first))]

    [groups] = [groups for each, groups in question(query, slots).criteria if each == row]

    assert [len(group) for group in groups] == [1, 2]


@parameters(lambda query, row: not row.every)
def test_a_slot_that_may_not_be_repeated_is_refused_when_it_is(query: StoredQuery, row: Parameter) -> None:
    slots = [*least(query, row).items(), *[(row.name, (GOOD[row.match][0],))] * 2]

    assert (ErrorCode.XDSStoredQueryParamNumber, row.name) in refused(query, slots)


@parameters()
@pytest.mark.parametrize("value", ["x", "'open", "('a'"])
def test_a_value_that_is_not_of_the_syntax_is_refused(query: StoredQuery, row: Parameter, value: str) -> None:
    assert refused(query, {**least(query, row), row.name: (value,)})[0] == (ErrorCode.XDSRegistryError, row.name)


@parameters(lambda query, row: row.match in BAD)
def test_a_value_that_is_not_of_its_kind_is_refused(query: StoredQuery, row: Parameter) -> None:
    for value in BAD[row.match]:
        assert refused(query, {**least(query, row), row.name: (value,)})[0] == (ErrorCode.XDSRegistryError, row.name)


@parameters(lambda query, row: row.match is Match.STATUS and row.required)
def test_unknown_statuses_are_ignored_and_when_none_is_left_the_parameter_is_missing(
    query: StoredQuery, row: Parameter
) -> None:
    odd = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Approved"

    found = question(query, {**least(query, row), row.name: (f"('{odd}','{APPROVED}')",)})

    assert found.given(row.name) == (APPROVED,)
    assert (ErrorCode.XDSStoredQueryMissingParam, row.name) in refused(
        query, {**least(query, row), row.name: (f"('{odd}')",)}
    )


@pytest.mark.parametrize("query", [row for row in QUERIES if len(row.exclusive) > 1], ids=lambda query: query.name)
def test_an_object_is_named_in_one_way_only(query: StoredQuery) -> None:
    rows = [row for row in query.parameters if row.name in query.exclusive]
    slots = least(query, *rows) | {row.name: (GOOD[row.match][0],) for row in rows}

    assert refused(query, slots) == [(ErrorCode.XDSStoredQueryParamNumber, ", ".join(sorted(query.exclusive)))]


@parameters(lambda query, row: row.excludes)
def test_an_exclusion_and_its_twin_do_not_go_together(query: StoredQuery, row: Parameter) -> None:
    slots = least(query) | {row.name: ("'a^^b'",), row.name.removesuffix("Exclude"): ("'a^^b'",)}

    assert refused(query, slots) == [(ErrorCode.XDSStoredQueryParamNumber, row.name)]


@parameters(lambda query, row: row.match is Match.LOGICAL_ID)
def test_a_logical_id_needs_level_2(query: StoredQuery, row: Parameter) -> None:
    assert refused(query, {row.name: (f"'{UUID}'",)}) == [(ErrorCode.XDSRegistryError, row.name)]


@every_query
def test_a_query_is_unknown_in_the_other_transaction(query: StoredQuery) -> None:
    asked = Asked(query.id, "LeafClass", tuple(least(query).items()))

    [objection] = read_question(asked, multi_patient=not query.multi_patient, max_values=10)  # type: ignore[misc]

    assert objection.code is ErrorCode.XDSUnknownStoredQuery


@pytest.mark.parametrize("id_", ["", "urn:uuid:x", "FindDocuments", "x" * 500])
def test_an_unknown_query_is_told_so(id_: str) -> None:
    [objection] = read_question(Asked(id_, "LeafClass", ()), multi_patient=False, max_values=10)  # type: ignore[misc]

    assert objection.code is ErrorCode.XDSUnknownStoredQuery
    assert len(objection.where) <= 80


@every_query
@pytest.mark.parametrize("name", ["$XDSUnknown", "$XDSDocumentEntryPATIENTId", "", "x"])
def test_parameters_that_a_query_does_not_have_are_ignored(query: StoredQuery, name: str) -> None:
    assert question(query, {**least(query), name: ("not even quoted",)}) == question(query, least(query))


@every_query
@pytest.mark.parametrize("return_type", ["", "LeafClassWithRepositoryItem", "leafclass", "RegistryObject"])
def test_other_return_types_are_refused(query: StoredQuery, return_type: str) -> None:
    assert refused(query, least(query), return_type) == [(ErrorCode.XDSRegistryError, "returnType")]


@every_query
def test_ids_alone_are_asked_for_by_object_ref(query: StoredQuery) -> None:
    assert question(query, least(query), "ObjectRef").leaf is False


def test_a_time_is_completed_and_quotes_around_it_make_no_difference() -> None:
    query = BY_NAME["FindDocuments"]
    name = "$XDSDocumentEntryCreationTimeFrom"

    assert question(query, {**least(query), name: ("2026",)}).given(name) == ("20260101000000",)
    assert question(query, {**least(query), name: ("'2026'",)}).given(name) == ("20260101000000",)


def test_uuids_are_compared_in_lower_case_and_without_spaces() -> None:
    query = BY_NAME["GetDocuments"]
    name = "$XDSDocumentEntryEntryUUID"

    assert question(query, {name: (f"(' {UUID.upper()} ')",)}).given(name) == (UUID,)


def test_the_same_value_twice_counts_once() -> None:
    query = BY_NAME["GetDocuments"]

    assert question(query, {"$XDSDocumentEntryUniqueId": ("('1','1')",)}).given("$XDSDocumentEntryUniqueId") == ("1",)


def test_a_question_tells_its_values_by_how_they_match_and_by_what_they_are_about() -> None:
    query = BY_NAME["GetAll"]
    found = question(query, least(query))

    assert found.values(Match.PATIENT) == (PATIENT,)
    assert found.given("$XDSDocumentEntryType") == ()
    assert {row.name for row, _ in found.about(Folder)} == {"$XDSFolderStatus"}
    assert {row.name for row, _ in found.about(DocumentEntry)} == {"$patientId", "$XDSDocumentEntryStatus"}


@pytest.mark.parametrize("value", ["'a\x00b'", "'a\x1fb'"])
@pytest.mark.parametrize("name", ["$XDSDocumentEntryAuthorPerson", "$XDSDocumentEntryDocumentAvailability"])
def test_control_characters_that_could_bend_a_search_are_refused(name: str, value: str) -> None:
    query = BY_NAME["FindDocuments"]

    assert refused(query, {**least(query), name: (value,)}) == [(ErrorCode.XDSRegistryError, name)]


@pytest.mark.parametrize(
    ("text", "values", "is_list"),
    [
        ("'x'", ["x"], False),
        ("''", [""], False),
        ("'Children''s'", ["Children's"], False),
        ("''''", ["'"], False),
        ("''''''", ["''"], False),
        (" 'x' ", ["x"], False),
        ("123", ["123"], False),
        ("1.5", ["1.5"], False),
        ("('x')", ["x"], True),
        ("( 'x' , 'y' )", ["x", "y"], True),
        ("('a,b','(c)')", ["a,b", "(c)"], True),
        ("(1,'2',3)", ["1", "2", "3"], True),
        ("()", [], True),
        ("( )", [], True),
        ("('it''s','')", ["it's", ""], True),
        ("'-- DROP; \\'", ["-- DROP; \\"], False),
    ],
)
def test_values_are_read_as_the_standard_writes_them(text: str, values: list[str], is_list: bool) -> None:
    assert parse_value(text) == (values, is_list)


@pytest.mark.parametrize("text", UNQUOTED)
def test_what_is_not_written_so_is_refused(text: str) -> None:
    with pytest.raises(ValueProblem):
        parse_value(text)


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_texts_are_read_back_from_the_list_they_were_written_into(values: list[str]) -> None:
    written = ",".join("'" + value.replace("'", "''") + "'" for value in values)

    assert parse_value(f"({written})") == (values, True)


@given(st.text() | st.text("'(),1 x", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueProblem):
        values, _ = parse_value(text)
        assert all(isinstance(value, str) for value in values)


@given(
    st.sampled_from(QUERIES),
    st.booleans(),
    st.sampled_from(["LeafClass", "ObjectRef", ""]),
    st.data(),
)
def test_any_slots_make_a_question_or_objections(
    query: StoredQuery, multi_patient: bool, return_type: str, data: st.DataObject
) -> None:
    texts = st.text(max_size=20)
    value = st.one_of(
        texts,
        texts.map(lambda text: "('" + text.replace("'", "''") + "')"),
        st.sampled_from([v for p in GOOD.values() for v in p]),
    )
    name = st.sampled_from([row.name for row in query.parameters]) | texts
    slots = data.draw(st.lists(st.tuples(name, st.lists(value, max_size=3)), max_size=6))

    found = read_question(Asked(query.id, return_type, slots), multi_patient=multi_patient, max_values=5)

    assert isinstance(found, Question) or (found and all(isinstance(each, Objection) for each in found))
