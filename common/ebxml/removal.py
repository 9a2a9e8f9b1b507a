"""What is to be removed: RemoveObjectsRequest (ITI-62) and RemoveDocumentsRequest (ITI-86) as XML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from common.ebxml import names as n
from common.ebxml.fragments import attribute
from common.ebxml.objects import Element, object_id
from common.ebxml.retrieve import DocumentRequest, document_request
from common.standard.identifiers import LCM, RIM, RMD, XDS

DELETE_ALL: Final = "urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:DeleteAll"


@dataclass(frozen=True, slots=True)
class RemoveObjects:
    """An ITI-62 as it was asked, with what it should not hold; ids each once, in order."""

    ids: tuple[str, ...]
    lists: int = 1
    comment: str = ""
    deletion_scope: str = DELETE_ALL
    has_query: bool = False
    has_slots: bool = False


def read_remove_objects(request: Element) -> RemoveObjects:
    """The ids of a RemoveObjectsRequest; what is wrong with its form is for the rules."""
    lists = [child for child in request if child.tag == n.OBJECT_REF_LIST]
    refs = [ref for each in lists for ref in each if ref.tag == n.OBJECT_REF]
    return RemoveObjects(
        ids=tuple(dict.fromkeys(object_id(ref.get("id", "")) for ref in refs)),
        lists=len(lists),
        comment=request.get("comment", "").strip(),
        deletion_scope=request.get("deletionScope", DELETE_ALL).strip(),
        has_query=request.find(n.ADHOC_QUERY) is not None,
        has_slots=request.find(n.REQUEST_SLOT_LIST) is not None,
    )


def write_remove_objects(ids: Iterable[str], comment: str = "") -> bytes:
    """``lcm:RemoveObjectsRequest``; the comment stays with the evidence of the removal."""
    told = f' comment="{attribute(comment)}"' if comment else ""
    refs = "".join(f'<rim:ObjectRef id="{attribute(each)}"/>' for each in ids)
    return (
        f'<lcm:RemoveObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}"{told}>'
        f"<rim:ObjectRefList>{refs}</rim:ObjectRefList></lcm:RemoveObjectsRequest>"
    ).encode()


def write_remove_documents(requests: Iterable[DocumentRequest]) -> bytes:
    """``rmd:RemoveDocumentsRequest``; it is read as a RetrieveDocumentSetRequest is, whose type it has."""
    inner = "".join(document_request(each) for each in requests)
    return (
        f'<rmd:RemoveDocumentsRequest xmlns:rmd="{RMD}" xmlns:xds="{XDS}">{inner}</rmd:RemoveDocumentsRequest>'
    ).encode()
