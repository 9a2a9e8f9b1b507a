"""How results are shown: tables for people, plain columns for pipes, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def is_terminal() -> bool:
    """Whether a person is looking: stdout is a terminal."""
    return sys.stdout.isatty()


def safe(value: object) -> str:
    """Text without control characters: what others have written must not steer a terminal."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def print_json(value: Any) -> None:
    """A value as JSON, readable by people too."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


Cell = object | tuple[str, ...]
"""A value; a tuple is one of several lines on a terminal, and in a pipe its parts stand side by side."""


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, right: Sequence[str] = ()) -> None:
    """Rows under headings; numbers of the columns in `right` stand to the right."""
    if not is_terminal():
        _print_columns(columns, [[_joined(value, ", ") for value in row] for row in rows])
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), header_style="bold", leading=_leading(rows))
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        cells = [_joined(value, "\n") for value in row]
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells))
    Console(highlight=False).print(table)


def _joined(value: Cell, separator: str) -> str:
    return separator.join(safe(part) for part in value if part) if isinstance(value, tuple) else safe(value)


def _leading(rows: Sequence[Sequence[Cell]]) -> int:
    """Empty lines between rows: one where rows have several lines."""
    return int(any(isinstance(value, tuple) for row in rows for value in row))


_STYLES = {
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
    "✔": "green",
    "submitted": "green",
    "failed": "bold red",
}


def _print_columns(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest value, nothing cut off."""
    lines = [list(columns), *cells]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    for line in lines:
        shown = (value.ljust(width) for value, width in zip(line, widths, strict=True))
        click.echo("  ".join(shown).rstrip())


def spaced_nhs_number(number: str) -> str:
    """An NHS Number as people read it, 3 3 4; anything else as it is."""
    if len(number) == 10 and number.isdigit():
        return f"{number[:3]} {number[3:6]} {number[6:]}"
    return number


def shown_bytes(count: int) -> str:
    """A size for people: 3.4 kB, 12 MB."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def shown_time(value: str | None) -> str:
    """A DTM for people: 2026-03-11 14:20, as far as it goes; it is in UTC."""
    text = value or ""
    parts = [text[:4], *(text[start : start + 2] for start in range(4, min(len(text), 12), 2))]
    day, clock = "-".join(parts[:3]), ":".join(parts[3:5])
    return f"{day} {clock}".strip()
