"""RegistryResponse and AdhocQueryResponse (ITI TF-3 4.2.4; ebRS 3.0)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from common.ebxml import names as n
from common.ebxml.fragments import attribute
from common.ebxml.objects import Element
from common.model import RegistryError, RegistryResponse, Severity, Status
from common.standard.identifiers import QUERY, RIM, RS

_RS: Final = f' xmlns:rs="{RS}"'
_QUERY_NAMES: Final = f' xmlns:query="{QUERY}" xmlns:rs="{RS}" xmlns:rim="{RIM}"'


def _error_list(errors: Sequence[RegistryError]) -> str:
    if not errors:
        return ""
    worst = Severity.ERROR if any(e.severity is Severity.ERROR for e in errors) else Severity.WARNING
    rows = []
    for error in errors:
        location = f' location="{attribute(error.location)}"' if error.location else ""
        rows.append(
            f'<rs:RegistryError errorCode="{attribute(error.code)}" codeContext="{attribute(error.context)}"'
            f'{location} severity="{error.severity}"/>'
        )
    return f'<rs:RegistryErrorList highestSeverity="{worst}">{"".join(rows)}</rs:RegistryErrorList>'


def write_registry_response(response: RegistryResponse, *, declare: bool = True) -> bytes:
    """``rs:RegistryResponse``; ``declare`` binds its prefix, for when nothing around it does."""
    names = _RS if declare else ""
    return (
        f'<rs:RegistryResponse{names} status="{response.status}">{_error_list(response.errors)}</rs:RegistryResponse>'
    ).encode()


def write_query_response(response: RegistryResponse, objects: Iterable[bytes] = ()) -> bytes:
    """``query:AdhocQueryResponse`` around objects that are already ebRIM.

    The RegistryObjectList is there even when it is empty: the schema wants it.
    """
    head = f'<query:AdhocQueryResponse{_QUERY_NAMES} status="{response.status}">{_error_list(response.errors)}'
    return b"".join(
        [head.encode(), b"<rim:RegistryObjectList>", *objects, b"</rim:RegistryObjectList></query:AdhocQueryResponse>"]
    )


def write_object_ref(entry_uuid: str) -> bytes:
    """``rim:ObjectRef``."""
    return f'<rim:ObjectRef id="{attribute(entry_uuid)}"/>'.encode()


class UnreadableAnswerError(ValueError):
    """What came back is not what this transaction answers."""


def read_registry_response(element: Element) -> RegistryResponse:
    """The status and errors of a RegistryResponse or AdhocQueryResponse."""
    try:
        status = Status(element.get("status", ""))
    except ValueError:
        raise UnreadableAnswerError(f"{element.get('status', '')[:120]!r} is no status of ITI TF-3 4.2.4") from None
    found = element.find(n.REGISTRY_ERROR_LIST)
    rows = () if found is None else tuple(_read_error(row) for row in found if row.tag == n.REGISTRY_ERROR)
    return RegistryResponse(status, rows)


def _read_error(row: Element) -> RegistryError:
    warning = row.get("severity", "").rsplit(":", 1)[-1] == "Warning"
    return RegistryError(
        row.get("errorCode", ""),
        row.get("codeContext", ""),
        row.get("location", ""),
        Severity.WARNING if warning else Severity.ERROR,
    )
