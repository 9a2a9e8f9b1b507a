"""RetrieveDocumentSetRequest and -Response, the bodies of ITI-43 (ITI TF-2 3.43)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from common.ebxml import names as n
from common.ebxml.objects import Element
from common.ebxml.responses import write_registry_response
from common.model import RegistryResponse
from common.standard.identifiers import XDS


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """One document that is asked for."""

    repository_unique_id: str
    document_unique_id: str
    home_community_id: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentResponse:
    """One document that is sent, without its bytes; the new ids are those of a document made on demand."""

    asked: DocumentRequest
    mime_type: str
    new_repository_unique_id: str | None = None
    new_document_unique_id: str | None = None


def read_retrieve(request: Element) -> list[DocumentRequest]:
    """The documents asked for, in order; missing ids are empty text."""
    return [
        DocumentRequest(
            (each.findtext(n.REPOSITORY_UNIQUE_ID) or "").strip(),
            (each.findtext(n.DOCUMENT_UNIQUE_ID) or "").strip(),
            (each.findtext(n.HOME_COMMUNITY_ID) or "").strip() or None,
        )
        for each in request
        if each.tag == n.DOCUMENT_REQUEST
    ]


def write_retrieve(requests: Iterable[DocumentRequest]) -> bytes:
    """``xds:RetrieveDocumentSetRequest``."""
    inner = "".join(document_request(each) for each in requests)
    return f'<xds:RetrieveDocumentSetRequest xmlns:xds="{XDS}">{inner}</xds:RetrieveDocumentSetRequest>'.encode()


def document_request(asked: DocumentRequest) -> str:
    """``xds:DocumentRequest``, whose prefix is bound around it."""
    return f"<xds:DocumentRequest>{_ids(asked)}</xds:DocumentRequest>"


def _ids(asked: DocumentRequest) -> str:
    home = asked.home_community_id
    told = f"<xds:HomeCommunityId>{escape(home)}</xds:HomeCommunityId>" if home else ""
    return (
        f"{told}<xds:RepositoryUniqueId>{escape(asked.repository_unique_id)}</xds:RepositoryUniqueId>"
        f"<xds:DocumentUniqueId>{escape(asked.document_unique_id)}</xds:DocumentUniqueId>"
    )


def _new_ids(told: DocumentResponse) -> str:
    repository, document = told.new_repository_unique_id, told.new_document_unique_id
    kept = f"<xds:NewRepositoryUniqueId>{escape(repository)}</xds:NewRepositoryUniqueId>" if repository else ""
    return kept + (f"<xds:NewDocumentUniqueId>{escape(document)}</xds:NewDocumentUniqueId>" if document else "")


_END: Final = b"</xds:Document></xds:DocumentResponse>"


def write_retrieve_response(response: RegistryResponse, documents: Sequence[DocumentResponse]) -> tuple[bytes, ...]:
    """``xds:RetrieveDocumentSetResponse`` in pieces: between piece n and n+1 belongs document n."""
    head = f'<xds:RetrieveDocumentSetResponse xmlns:xds="{XDS}">'.encode() + write_registry_response(response)
    pieces: list[bytes] = []
    for each in documents:
        ids = _ids(each.asked) + _new_ids(each)
        told = f"<xds:DocumentResponse>{ids}<xds:mimeType>{escape(each.mime_type)}</xds:mimeType>"
        pieces.append(head + told.encode() + b"<xds:Document>")
        head = _END
    return (*pieces, head + b"</xds:RetrieveDocumentSetResponse>")
