"""Records as files, CSV or JSON lines: what is exported is what is imported, and all of a file is taken or nothing."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from common.access.records import Kind, read_record
from console.failure import Failure

MOST_ROWS: Final = 500_000
MOST_BYTES: Final = 512 * 1024 * 1024
_MOST_TOLD: Final = 50
_LONGEST_LINE: Final = 64 * 1024

Record = dict[str, str]


def columns(kind: Kind) -> list[str]:
    """The fields of a kind in order, its key first."""
    return [kind.key, *(field.name for field in kind.fields if field.name != kind.key)]


def written(kind: Kind, records: Iterable[Mapping[str, str]], *, as_json: bool) -> str:
    """Records as text; empty values are left out of JSON."""
    if as_json:
        lines = (
            json.dumps({name: each[name] for name in columns(kind) if each[name]}, ensure_ascii=False)
            for each in records
        )
        return "".join(f"{line}\n" for line in lines)
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(columns(kind))
    table.writerows([each[name] for name in columns(kind)] for each in records)
    return out.getvalue()


def read(kind: Kind, file: Path) -> list[Record]:
    """The records of a file, in the form in which they are kept; Failure names every line that is wrong."""
    rows = _json_rows(file) if file.suffix.lower() in (".jsonl", ".ndjson", ".json") else _csv_rows(file)
    return checked(kind, rows, file)


def checked(kind: Kind, rows: Iterable[tuple[int, Mapping[str, Any] | str]], file: Path) -> list[Record]:
    """Rows with their lines, each a record or what is wrong with it; Failure."""
    found: list[Record] = []
    problems: list[str] = []
    first: dict[str, int] = {}
    for line, row in rows:
        if len(found) >= MOST_ROWS:
            raise Failure(f"{file} has more than {MOST_ROWS} records.", "Nothing was taken.")
        if isinstance(row, str):
            problems.append(f"{file}, line {line}: {row}.")
            continue
        record, wrong = read_record(kind, row)
        problems += [f"{file}, line {line}: {each}." for each in wrong]
        key = record.get(kind.key, "")
        if key and first.setdefault(key, line) != line:
            problems.append(f"{file}, line {line}: {kind.key}: {key} stands in line {first[key]} already.")
        found.append(record)
        if len(problems) > _MOST_TOLD:
            break
    if problems:
        more = ["There are more."] if len(problems) > _MOST_TOLD else []
        raise Failure(*problems[:_MOST_TOLD], *more, "Nothing was taken.")
    return found


def text_of(file: Path) -> str:
    """A file's text; Failure."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise Failure(f"{file} is larger than {MOST_BYTES // 1024 // 1024} MiB.", "Nothing was taken.")
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8 text.", "Nothing was taken.") from error


def csv_lines(text: str) -> Iterator[tuple[int, Sequence[str] | str]]:
    """The rows of a CSV text with the lines on which they end; what is no CSV ends it, and is told."""
    table = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            row = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            yield table.line_num, f"it is no CSV: {error}"
            return
        if row:
            yield table.line_num, row


def _csv_rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    head: list[str] | None = None
    for line, row in csv_lines(text_of(file)):
        if isinstance(row, str):
            yield line, row
        elif head is None:
            head = [name.strip() for name in row]
            if len(set(head)) < len(head):
                yield line, "two columns have the same name"
                return
        elif len(row) != len(head):
            yield line, f"it has {len(row)} values, and the first line names {len(head)} columns"
        else:
            yield line, dict(zip(head, row, strict=True))


def _json_rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for line, text in enumerate(text_of(file).split("\n"), 1):
        if not text.strip():
            continue
        if len(text) > _LONGEST_LINE:
            yield line, f"it is longer than {_LONGEST_LINE} characters"
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield line, f"it is no JSON: {str(error).partition(':')[0]}"
            continue
        yield line, row if isinstance(row, dict) else "it is no JSON object"
