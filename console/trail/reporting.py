"""The report of accesses to a patient's record, as a table, as CSV for spreadsheets, and as PDF for the patient."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from auditing.accesses import Access
from common.paper.pdf import HEADING, INNER, SMALL, TITLE, Pages, pdf_file

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# The number of the record stands with the result; nine columns are too many for a page.
_SHARES: Final = (13, 19, 13, 15, 18, 22)
_BREAK_EVERY: Final = 18


def safe_cell(text: str) -> str:
    """A value that a spreadsheet takes for text, whatever it begins with (CSV injection)."""
    one_line = " ".join(text.split())
    return f"'{one_line}" if text.startswith(_FORMULA) or one_line.startswith(_FORMULA) else one_line


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The file in lines, each with its end (RFC 4180)."""
    yield _line(columns)
    for row in rows:
        yield _line([safe_cell(each) for each in row])


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def access_rows(found: Iterable[Access]) -> Iterator[tuple[str, ...]]:
    """The cells of each line."""
    return (each.cells() for each in found)


def pdf(patient: str, found: Sequence[Access], paragraphs: Sequence[str], created: str) -> bytes:
    """The whole report; ``created`` is a DTM in UTC."""
    page = Pages()
    page.text("Who has accessed this patient's record", TITLE, bold=True)
    page.text(f"NHS number {patient}", HEADING, bold=True)
    page.rule()
    for paragraph in paragraphs:
        page.text(paragraph)
        page.space(4)
    page.space(6)
    head = ("When (UTC)", "Who, and role", "Recorded by", "What they did", "Why", "Documents and result")
    _rows(page, [head], bold=True)
    page.rule()
    _rows(page, [_cells(each) for each in found])
    if not found:
        page.text("No access was reported in this time.")
    return pdf_file(
        page, title="Report of accesses", created=created, footer="Report of accesses to a patient's record"
    )


def _cells(one: Access) -> tuple[str, ...]:
    when, who, role, organisation, did, documents, why, result, number = one.cells()
    whom = f"{who}, {role}" if role else who
    outcome = f"{result}, record {number}"
    return when, whom, organisation, did, why or "Not stated", f"{documents}. {outcome}" if documents else outcome


def _rows(page: Pages, rows: Iterable[Sequence[str]], *, bold: bool = False) -> None:
    widths = [INNER * share / sum(_SHARES) for share in _SHARES]
    for row in rows:
        cells = [(_breakable(text), width) for text, width in zip(row, widths, strict=True)]
        page.row(cells, SMALL, bold)
        page.space(3)


def _breakable(text: str) -> str:
    """Long identifiers in pieces that fit into a column."""
    return " ".join(
        " ".join(word[at : at + _BREAK_EVERY] for at in range(0, len(word), _BREAK_EVERY)) for word in text.split()
    )
