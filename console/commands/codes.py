"""`portolan codes`: look at the affinity domain's codes, and check a file of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from common.codes import SHIPPED, CodesError, CodeSet, check, load
from common.codes.listing import ATTRIBUTES, Severity
from console.cli import config_option, settings
from console.failure import Failure
from console.output import json_option, print_json, print_table


@click.group()
def codes() -> None:
    """Look at the affinity domain's codes, and check a file of them."""


@codes.command("check")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def check_file(file: Path, as_json: bool) -> None:
    """Name everything that is wrong with FILE; exit with 1 when it cannot be used.

    FILE is of Portolan's own TOML form, or a codes.xml of the IHE test tools.

    \b
    Examples:
      portolan codes check codes.toml
      portolan codes check environment/default/codes.xml
    """
    problems = check(file)
    if as_json:
        print_json([{"severity": found.severity, "line": found.line, "text": found.text} for found in problems])
    else:
        for problem in problems:
            click.echo(f"{file}, {problem}")
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    if errors:
        raise Failure(f"{file} cannot be used: it has {errors} error{'s' if errors > 1 else ''}.")
    if not as_json:
        click.echo(f"{file} can be used." if problems else f"{file} can be used; nothing is wrong with it.")


@codes.command("show")
@click.argument(
    "attribute", metavar="[ATTRIBUTE]", required=False, type=click.Choice(sorted(ATTRIBUTES), case_sensitive=False)
)
@config_option
@json_option
def show_codes(attribute: str | None, as_json: bool) -> None:
    """List the codes that may be used, those of one ATTRIBUTE or all.

    ATTRIBUTE is IHE's name of it: classCode, typeCode, formatCode, practiceSettingCode, mimeType and so on.

    \b
    Examples:
      portolan codes show typeCode
      portolan codes show --json
    """
    file = settings().codes_file or SHIPPED
    try:
        sets = load(file)
    except CodesError as error:
        raise Failure(*(f"{file}, {problem}" for problem in error.problems)) from error
    names = [attribute] if attribute else sorted(ATTRIBUTES)
    rows = [row for name in names if (found := sets.of(name)) for row in _rows(name, found)]
    if as_json:
        keys = ("attribute", "code", "scheme", "display")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
    else:
        columns = ("attribute", "code", "coding scheme", "name")
        first = 1 if attribute else 0
        print_table(columns[first:], [row[first:] for row in rows])


def _rows(attribute: str, found: CodeSet) -> Iterator[tuple[str, str, str, str]]:
    for (code, scheme), display in found.displays.items():
        yield attribute, code, scheme, display
    for scheme in sorted(found.open_schemes):
        yield attribute, "*", scheme, "any code of this scheme"
    if found.open:
        yield attribute, "*", "*", "any code"
