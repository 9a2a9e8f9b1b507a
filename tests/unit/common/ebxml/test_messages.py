"""Queries, answers and retrievals as XML: written, read back, and hostile values kept as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from common.ebxml.provide import complete, read_provide, submission_bytes
from common.ebxml.query import AdhocQuery, ReturnType, read_query, write_query
from common.ebxml.responses import (
    UnreadableAnswerError,
    read_registry_response,
    write_object_ref,
    write_query_response,
    write_registry_response,
)
from common.ebxml.retrieve import (
    DocumentRequest,
    DocumentResponse,
    read_retrieve,
    write_retrieve,
    write_retrieve_response,
)
from common.ebxml.submission import read_submission
from common.model import ObjectType, RegistryError, RegistryResponse, Severity, Status
from common.standard.identifiers import LCM, QUERY, RIM, RS, XDS
from tests.factories import a_document, a_folder, a_submission
from tests.unit.common.ebxml.samples import ATTRIBUTE_VALUES, VALUES
from tests.wire import document_elements, provide_body

ERRORS = st.builds(
    RegistryError, ATTRIBUTE_VALUES, ATTRIBUTE_VALUES, st.just("") | ATTRIBUTE_VALUES, st.sampled_from(Severity)
)
RESPONSES = st.builds(RegistryResponse, st.sampled_from(Status), st.lists(ERRORS, max_size=4).map(tuple))
WARNING = RegistryError("W", "a warning", severity=Severity.WARNING)
ERROR = RegistryError("E", "an error")


@given(
    VALUES.map(str.lower),
    st.sampled_from(ReturnType),
    st.lists(st.tuples(VALUES, st.lists(VALUES, max_size=3).map(tuple)), max_size=4).map(tuple),
    st.none() | VALUES,
)
def test_any_query_is_written_and_read_back(
    id_: str, return_type: str, slots: tuple[tuple[str, tuple[str, ...]], ...], home: str | None
) -> None:
    query = AdhocQuery(id_, return_type, slots, home)

    assert read_query(etree.fromstring(write_query(query))) == query


def query(inner: str) -> AdhocQuery:
    names = f'xmlns:q="{QUERY}" xmlns="{RIM}"'
    return read_query(etree.fromstring(f"<q:AdhocQueryRequest {names}>{inner}</q:AdhocQueryRequest>"))


def test_the_id_of_a_query_is_compared_in_lower_case() -> None:
    assert query('<AdhocQuery id=" URN:UUID:AB "/>').id == "urn:uuid:ab"


def test_a_query_keeps_repeated_slots_and_empty_values() -> None:
    inner = '<Slot name="$a"><ValueList><Value> 1 </Value><Value/></ValueList></Slot>'
    found = query(f'<AdhocQuery id="x">{inner}{inner}<Odd/></AdhocQuery>')

    assert found.slots == (("$a", ("1", "")), ("$a", ("1", "")))


def test_the_return_type_is_leaf_class_where_the_option_does_not_say_and_nothing_where_there_is_none() -> None:
    assert query('<q:ResponseOption/><AdhocQuery id="x"/>').return_type == "LeafClass"
    assert query('<AdhocQuery id="x"/>').return_type == ""


def test_a_request_without_query_asks_for_nothing() -> None:
    assert query("") == AdhocQuery("", "", ())


@given(RESPONSES)
def test_any_registry_response_is_written_and_read_back(response: RegistryResponse) -> None:
    assert read_registry_response(etree.fromstring(write_registry_response(response))) == response


@given(RESPONSES)
def test_any_query_response_is_written_and_read_back_with_its_objects(response: RegistryResponse) -> None:
    root = etree.fromstring(write_query_response(response, [write_object_ref("a"), write_object_ref('<"&>')]))

    assert read_registry_response(root) == response
    assert [ref.get("id") for ref in root.iter(f"{{{RIM}}}ObjectRef")] == ["a", '<"&>']


def test_a_query_response_has_its_object_list_even_when_empty() -> None:
    root = etree.fromstring(write_query_response(RegistryResponse(Status.FAILURE, (ERROR,))))

    assert [etree.QName(child).localname for child in root] == ["RegistryErrorList", "RegistryObjectList"]


@pytest.mark.parametrize(
    ("errors", "worst"),
    [((ERROR,), Severity.ERROR), ((WARNING,), Severity.WARNING), ((WARNING, ERROR), Severity.ERROR)],
)
def test_the_highest_severity_is_that_of_the_worst_error(errors: tuple[RegistryError, ...], worst: Severity) -> None:
    root = etree.fromstring(write_registry_response(RegistryResponse(Status.FAILURE, errors)))

    assert root[0].get("highestSeverity") == worst


def test_without_errors_there_is_no_error_list() -> None:
    assert len(etree.fromstring(write_registry_response(RegistryResponse(Status.SUCCESS)))) == 0


def test_a_response_inside_another_message_leaves_its_prefix_to_that() -> None:
    assert b"xmlns" not in write_registry_response(RegistryResponse(Status.SUCCESS), declare=False)


@pytest.mark.parametrize("status", ["", "Success", "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Odd"])
def test_an_answer_of_unknown_status_cannot_be_read(status: str) -> None:
    with pytest.raises(UnreadableAnswerError):
        read_registry_response(etree.fromstring(f'<RegistryResponse xmlns="{RS}" status="{status}"/>'))


@pytest.mark.parametrize(
    ("told", "severity"), [("", "ERROR"), ("urn:x:Warning", "WARNING"), ("Warning", "WARNING"), ("odd", "ERROR")]
)
def test_what_is_not_called_a_warning_is_an_error(told: str, severity: str) -> None:
    rows = f'<RegistryErrorList><RegistryError errorCode="X" severity="{told}"/><Odd/></RegistryErrorList>'
    root = etree.fromstring(f'<RegistryResponse xmlns="{RS}" status="{Status.FAILURE}">{rows}</RegistryResponse>')

    assert [row.severity.name for row in read_registry_response(root).errors] == [severity]


REQUESTS = st.builds(DocumentRequest, VALUES, VALUES, st.none() | VALUES)


@given(st.lists(REQUESTS, max_size=5))
def test_any_retrieval_is_written_and_read_back(requests: list[DocumentRequest]) -> None:
    assert read_retrieve(etree.fromstring(write_retrieve(requests))) == requests


def test_missing_ids_of_a_retrieval_are_empty_text() -> None:
    root = etree.fromstring(f'<R xmlns="{XDS}"><DocumentRequest/><Odd/></R>')

    assert read_retrieve(root) == [DocumentRequest("", "")]


@given(RESPONSES, st.lists(st.builds(DocumentResponse, REQUESTS, VALUES), max_size=3))
def test_a_retrieval_is_answered_in_pieces_between_which_the_documents_belong(
    response: RegistryResponse, documents: list[DocumentResponse]
) -> None:
    pieces = write_retrieve_response(response, documents)
    assert len(pieces) == len(documents) + 1

    root = etree.fromstring(b"".join(p + b"%d" % at for at, p in enumerate(pieces[:-1])) + pieces[-1])

    assert read_registry_response(root[0]) == response
    told = root.findall(f"{{{XDS}}}DocumentResponse")
    assert [each.findtext(f"{{{XDS}}}Document") for each in told] == [str(at) for at in range(len(documents))]
    assert [each.findtext(f"{{{XDS}}}mimeType") for each in told] == [each.mime_type for each in documents]
    assert [each.findtext(f"{{{XDS}}}HomeCommunityId") for each in told] == [
        each.asked.home_community_id for each in documents
    ]


def provided(*items: object, names: tuple[str, ...] = ()) -> etree._Element:
    body = provide_body(a_submission(*items), document_elements(dict.fromkeys(names, "c")))  # type: ignore[arg-type]
    return etree.fromstring(body)


def test_what_is_provided_is_read_as_far_as_the_repository_looks_at_it() -> None:
    one, other = a_document(), a_document(hash=None, size=None, object_type=ObjectType.ON_DEMAND)
    found = read_provide(provided(one, other, a_folder(), names=(one.entry_uuid, "x")))

    first, second = found.entries
    assert (first.id, first.unique_id, first.mime_type) == (one.entry_uuid, one.unique_id, "application/pdf")
    assert (first.hash, first.size, first.is_stable) == (one.hash, one.size, True)
    assert (second.hash, second.size, second.is_stable) == (None, None, False)
    assert [name for name, _ in found.documents] == [one.entry_uuid, "x"]


def test_an_entry_without_unique_id_has_an_empty_one() -> None:
    document = a_document()
    document.unique_id = None

    assert read_provide(provided(document)).entries[0].unique_id == ""


@pytest.mark.parametrize("body", ["", f'<SubmitObjectsRequest xmlns="{LCM}"/>'])
def test_a_request_without_submission_or_object_list_has_no_entries(body: str) -> None:
    assert read_provide(etree.fromstring(f"<x>{body}</x>")).entries == ()


def test_the_repository_sets_what_it_alone_knows_and_leaves_the_rest() -> None:
    declared, bare = a_document(), a_document(hash=None, size=None, repository_unique_id=None)
    found = read_provide(provided(declared, bare))
    for entry in found.entries:
        complete(entry, sha1="ab" * 20, size=7, repository_unique_id="1.2.3")
    assert found.submit is not None

    read = read_submission(etree.fromstring(submission_bytes(found.submit)))

    for before, after in zip((declared, bare), read.entries, strict=True):
        before.hash, before.size, before.repository_unique_id = "ab" * 20, "7", "1.2.3"
        assert after == before
    assert read.flaws == []
