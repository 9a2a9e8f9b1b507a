"""Reads the answers to stored queries (ITI-18, ITI-51) and to Retrieve Document Set (ITI-43)."""

from __future__ import annotations

from dataclasses import dataclass

from common.client.errors import NoAnswer
from common.client.results import QueryResult, errors_of, warnings_of
from common.ebxml import names as n
from common.ebxml.objects import Element, object_id, read_association, read_entry, read_package
from common.ebxml.responses import UnreadableAnswerError, read_registry_response
from common.model import Flaw, RegistryResponse, SubmissionSet
from common.soap.content_type import MimeError
from common.soap.mtom import Include, Inline, document_content


def registry_response(element: Element | None, tag: str) -> RegistryResponse:
    """The status and errors of an answer; NoAnswer when it is another element, or has no status."""
    if element is None or element.tag != tag:
        raise NoAnswer("what came back is not what this transaction answers")
    try:
        return read_registry_response(element)
    except UnreadableAnswerError as error:
        raise NoAnswer(str(error)) from error


def query_result(body: Element) -> QueryResult:
    """What an AdhocQueryResponse holds, whatever its status."""
    response = registry_response(body, n.ADHOC_QUERY_RESPONSE)
    result = QueryResult(response.status, errors=errors_of(response.errors), warnings=warnings_of(response.errors))
    objects = body.find(n.REGISTRY_OBJECT_LIST)
    for each in () if objects is None else objects:
        _add(result, each)
    return result


def _add(result: QueryResult, each: Element) -> None:
    flaws = result.flaws
    if each.tag == n.EXTRINSIC_OBJECT:
        result.entries.append(read_entry(each, flaws))
    elif each.tag == n.OBJECT_REF:
        result.object_refs.append(object_id(each.get("id", "")))
    elif each.tag == n.ASSOCIATION:
        if association := read_association(each, flaws):
            result.associations.append(association)
    elif each.tag == n.REGISTRY_PACKAGE:
        package = read_package(each, set(), flaws)
        if isinstance(package, SubmissionSet):
            result.submission_sets.append(package)
        elif package is not None:
            result.folders.append(package)
    else:
        flaws.append(Flaw(each.get("id", ""), "an object of a kind that has no meaning here"))


@dataclass(frozen=True, slots=True)
class Given:
    """One document that a repository gives: what it is, and where its bytes are; new ids if it was made on demand."""

    repository_unique_id: str
    document_unique_id: str
    mime_type: str
    content: Include | Inline
    new_repository_unique_id: str = ""
    new_document_unique_id: str = ""


@dataclass(frozen=True, slots=True)
class RetrieveAnswer:
    """A RetrieveDocumentSetResponse."""

    response: RegistryResponse
    documents: tuple[Given, ...]


def retrieve_answer(body: Element) -> RetrieveAnswer:
    """What a RetrieveDocumentSetResponse holds; NoAnswer where it cannot be read."""
    if body.tag != n.RETRIEVE_RESPONSE:
        raise NoAnswer("what came back is not what this transaction answers")
    response = registry_response(body.find(n.REGISTRY_RESPONSE), n.REGISTRY_RESPONSE)
    return RetrieveAnswer(response, tuple(_given(each) for each in body if each.tag == n.DOCUMENT_RESPONSE))


def _given(element: Element) -> Given:
    document = element.find(n.DOCUMENT)
    if document is None:
        raise NoAnswer("a DocumentResponse came without its Document")

    def text(tag: str) -> str:
        return (element.findtext(tag) or "").strip()

    try:
        content = document_content(document)
    except MimeError as error:
        raise NoAnswer(f"the answer cannot be read: {error.reason}") from error
    return Given(
        text(n.REPOSITORY_UNIQUE_ID),
        text(n.DOCUMENT_UNIQUE_ID),
        text(n.MIME_TYPE),
        content,
        text(n.NEW_REPOSITORY_UNIQUE_ID),
        text(n.NEW_DOCUMENT_UNIQUE_ID),
    )
