"""Organisations out of the files of the Organisation Data Service: the legacy CSV, and the XML ``HSCOrgRefData``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

from lxml import etree

from console.access.files import csv_lines, text_of
from console.failure import Failure

Row = tuple[int, Mapping[str, Any] | str]
_COLUMNS: Final = 27
_OPERATED_BY: Final = "RE6"
# Primary and other roles that tell the care setting; the first of a row that an organisation has counts.
_SETTINGS: Final = (
    ("gp", frozenset({"RO76", "RO96"})),
    ("health", frozenset({"RO197", "RO198", "RO107", "RO108", "RO24", "RO57", "RO182"})),
    ("social", frozenset({"RO141", "RO101", "RO104"})),
)
_LONGEST: Final = 200


def legacy(file: Path, setting: str, *, sites: bool) -> Iterator[Row]:
    """The 27 columns without a header of epraccur, etr, ets and their kind; with ``sites`` column 15 operates them."""
    for line, row in csv_lines(text_of(file)):
        if isinstance(row, str):
            yield line, row
        elif len(row) != _COLUMNS:
            yield line, f"it has {len(row)} values, and a file of ODS has {_COLUMNS}"
        else:
            yield (
                line,
                {
                    "code": row[0],
                    "name": row[1][:_LONGEST],
                    "care_setting": setting,
                    "part_of": row[14] if sites else "",
                    "town": row[7][:_LONGEST],
                    "postcode": row[9][:_LONGEST],
                    "begins": row[10],
                    "ends": day_after(row[11]),
                    "source": f"ODS {file.name}"[:_LONGEST],
                },
            )


def day_after(day: str) -> str:
    """ODS names the last day on which something is open; what is no day stays, to be objected to."""
    digits = day.replace("-", "")
    try:
        return (datetime.strptime(digits, "%Y%m%d") + timedelta(days=1)).strftime("%Y%m%d") if digits else ""
    except (ValueError, OverflowError):
        return day


def xml(file: Path) -> Iterator[Row]:
    """The organisations of an ``HSCOrgRefData``, one at a time; a DOCTYPE, or what is no XML, ends it."""
    try:
        with file.open("rb") as opened:
            yield from _organisations(opened, file.name)
    except etree.XMLSyntaxError as error:
        yield error.lineno or 1, f"it is no XML: {error.msg or 'it ends too soon'}"[:_LONGEST]
    except OSError as error:
        raise Failure(f"{file}: {error.strerror or 'it cannot be read'}.", "Nothing was taken.") from error


def _organisations(opened: BinaryIO, name: str) -> Iterator[Row]:
    events = etree.iterparse(opened, events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False)
    first = True
    for event, element in events:
        if first:
            if element.getroottree().docinfo.doctype:
                yield 1, "it has a DOCTYPE, which is not taken"
                return
            if _name(element) != "HSCOrgRefData":
                yield 1, "its root is not HSCOrgRefData"
                return
            first = False
        if event == "end" and _name(element) == "Organisation":
            yield element.sourceline or 0, _organisation(element, name)
        if event == "end" and _name(element) in ("Organisation", "concept", "CodeSystem"):
            _forget(element)


def _forget(element: Any) -> None:
    """Let go of what has been read, the place that it had included."""
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def _name(element: Any) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _below(element: Any, *path: str) -> Iterator[Any]:
    if not path:
        yield element
        return
    for child in element:
        if _name(child) == path[0]:
            yield from _below(child, *path[1:])


def _value(element: Any, *path: str, attribute: str = "value") -> str:
    return next((str(found.get(attribute, "")) for found in _below(element, *path)), "")


def _text(element: Any, *path: str) -> str:
    return next(((found.text or "").strip()[:_LONGEST] for found in _below(element, *path)), "")


def _organisation(element: Any, name: str) -> dict[str, str]:
    roles = {role.get("id", "") for role in _below(element, "Roles", "Role") if _value(role, "Status") != "Inactive"}
    # Open when it is operational; where that is not told, when the law says so.
    dates = {_value(date, "Type"): date for date in _below(element, "Date")}
    open_ = dates.get("Operational", dates.get("Legal"))
    begins, ends = ("", "") if open_ is None else (_value(open_, "Start"), _value(open_, "End"))
    return {
        "code": _value(element, "OrgId", attribute="extension"),
        "name": _text(element, "Name"),
        "care_setting": next((setting for setting, ids in _SETTINGS if roles & ids), "other"),
        "part_of": _operator(element),
        "town": _text(element, "GeoLoc", "Location", "Town"),
        "postcode": _text(element, "GeoLoc", "Location", "PostCode"),
        "begins": begins,
        "ends": day_after(ends),
        "source": f"ODS {name}"[:_LONGEST],
    }


def _operator(element: Any) -> str:
    for rel in _below(element, "Rels", "Rel"):
        if rel.get("id") == _OPERATED_BY and _value(rel, "Status") != "Inactive":
            return _value(rel, "Target", "OrgId", attribute="extension")
    return ""
