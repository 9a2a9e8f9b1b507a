"""The standard's tables as pages of the manual: ``python -m common.standard.manual FOLDER`` writes them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from common.standard.attributes import ATTRIBUTES, Attribute, By
from common.standard.errors import ErrorCode
from common.standard.queries import EXTENSIONS, STORED_QUERIES, Parameter, StoredQuery
from common.standard.transactions import TRANSACTIONS

NOTE: Final = "Printed from the tables in `common/standard`; a test finds it out of date.\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(head)
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def transactions() -> str:
    """Every transaction that is served."""
    rows = ((row.label, row.name, row.actor, f"`{row.action}`", f"`{row.answer_action}`") for row in TRANSACTIONS)
    table = _table(("transaction", "name", "service", "wsa:Action", "answered with"), rows)
    return f"# Transactions\n\n{NOTE}\n{table}"


def error_codes() -> str:
    """Every error code, and when it is sent."""
    table = _table(("code", "when"), ((f"`{code.value}`", code.meaning) for code in ErrorCode))
    return f"# Error codes\n\n{NOTE}\n{table}"


def _use(query: StoredQuery, row: Parameter) -> str:
    needed = "required" if row.required else "one of these" if row.name in query.one_of else "optional"
    how = ["list" if row.many else "single"]
    if row.every:
        how.append("repeat for AND")
    return f"{needed}; {', '.join(how)}"


def stored_queries() -> str:
    """Every stored query with its parameters."""
    parts = [f"# Stored queries\n\n{NOTE}"]
    for query in STORED_QUERIES.values():
        action = "ITI-51" if query.multi_patient else "ITI-18"
        rows = ((f"`{row.name}`", row.match.name.lower(), _use(query, row)) for row in query.parameters)
        told = f"`{query.id}`, by {action}; finds objects of kind {query.finds.__name__}."
        if query.name in EXTENSIONS:
            told += " An extension of ours, beyond the standard: a Repository asks it before it removes documents."
        parts.append(f"## {query.name}\n\n{told}\n\n{_table(('parameter', 'compared as', 'use'), rows)}")
    return "\n".join(parts)


def _need(row: Attribute) -> str:
    needed = {By.BOTH: "always", By.REGISTER: "stable documents", By.ON_DEMAND: "on-demand documents"}
    return needed.get(row.required, "")


def attributes() -> str:
    """Every metadata attribute: where it stands, its type, and whether it is required."""
    parts = [f"# Metadata attributes\n\n{NOTE}"]
    for kind, rows in ATTRIBUTES.items():
        told = (
            (row.name, f"{row.place.name.lower()} `{row.key}`", row.type.value, "*" if row.many else "1", _need(row))
            for row in rows
        )
        parts.append(f"## {kind.__name__}\n\n{_table(('attribute', 'where', 'type', 'values', 'required'), told)}")
    return "\n".join(parts)


PAGES: Final[dict[str, Callable[[], str]]] = {
    "transactions.md": transactions,
    "error-codes.md": error_codes,
    "stored-queries.md": stored_queries,
    "attributes.md": attributes,
}


def main(folder: Path) -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
