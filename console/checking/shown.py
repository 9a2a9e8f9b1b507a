"""Shows findings while they are found: a row each, or JSON, and at the end how many there were of each kind."""

from __future__ import annotations

import json
from collections import Counter
from typing import Final

import click

from console.checking.finding import KINDS, Finding, Findings
from console.output import safe

_WIDTH: Final = max(len(kind.name) for kind in KINDS)


def show(findings: Findings, *, as_json: bool) -> bool:
    """Print every finding and a summary; whether a difference remains."""
    return _as_json(findings) if as_json else _as_rows(findings)


def _as_rows(findings: Findings) -> bool:
    found: Counter[str] = Counter()
    remain = 0
    for finding in findings:
        found[finding.kind.name] += 1
        remain += finding.remains
        click.echo(row(finding))
    click.echo(summary(found, remain))
    return remain > 0


def row(finding: Finding) -> str:
    """Kind, id, what it means and what to do, on one line."""
    detail = f" ({safe(finding.detail)})" if finding.detail else ""
    done = f"Repaired: {finding.repaired}." if finding.repaired else finding.kind.advice
    return f"{finding.kind.name:<{_WIDTH}}  {safe(finding.id)}  {finding.kind.means}{detail}  {done}"


def summary(found: Counter[str], remain: int) -> str:
    """The last line."""
    if not found:
        return "Clean: database and store agree."
    counted = ", ".join(f"{found[kind.name]} {kind.name}" for kind in KINDS if found[kind.name])
    if remain:
        return f"{remain} difference{'s' if remain > 1 else ''} to be seen to: {counted}."
    return f"No difference remains: {counted}."


def _as_json(findings: Findings) -> bool:
    """One object, written as it grows: the findings, then what there was of each kind."""
    found: Counter[str] = Counter()
    remain = 0
    click.echo('{"findings": [', nl=False)
    for finding in findings:
        separator = "," if found else ""
        found[finding.kind.name] += 1
        remain += finding.remains
        click.echo(f"{separator}\n  {json.dumps(_plain(finding), ensure_ascii=False)}", nl=False)
    counted = json.dumps({"differences": remain, "kinds": dict(found)})
    click.echo(f'{chr(10) if found else ""}], "summary": {counted}}}')
    return remain > 0


def _plain(finding: Finding) -> dict[str, str | bool]:
    kind = finding.kind
    return {
        "kind": kind.name,
        "id": finding.id,
        "means": kind.means,
        "detail": finding.detail,
        "advice": kind.advice,
        "difference": kind.is_difference,
        "repaired": finding.repaired,
    }
