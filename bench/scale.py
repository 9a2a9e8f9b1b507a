"""What a country's documents need, from measured unit costs: ``python -m bench.scale``.

``costs`` measures what a document and a request cost, ``shards`` what a question costs on one to eight servers; both
keep their figures in bench/scale.json. ``show`` prints what follows from them, for 65 million patients with 100
documents each or whatever its options say, and ``page`` writes that into docs/scale.md.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import click

import registry.access.tables  # noqa: F401 - so that the tables are all there
from bench import scale_keys, scale_sums
from registry.store import (
    schema,  # noqa: F401 - so that all tables are there
    tables,
)

_HERE: Final = Path(__file__).parent
KEPT: Final = _HERE / "scale.json"
PAGE: Final = _HERE.parent / "docs" / "scale.md"


def kept() -> dict[str, Any]:
    """The figures that were measured last."""
    found: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return found


def printed(region: scale_sums.Region, figures: dict[str, Any]) -> dict[str, str]:
    """The page's parts that come from tables and figures."""
    every = [tables.metadata.tables[name] for name in sorted(tables.metadata.tables)]
    return {
        "keys": "\n".join(scale_keys.listed(every)),
        "figures": "\n".join(scale_sums.figures(region, figures["costs"])),
        "shards": "\n".join(scale_sums.shards(figures["shards"])),
    }


def written(page: str, parts: dict[str, str]) -> str:
    """A page with its printed parts renewed; each stands between two marks."""
    for name, part in parts.items():
        begin, end = f"<!-- printed: {name} -->\n", f"\n<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, also, after = rest.partition(end)
        if not found or not also:
            raise ValueError(f"the page has no place for {name}")
        page = before + begin + part + end + after
    return page


def _keep(name: str, figures: dict[str, Any]) -> None:
    KEPT.write_text(json.dumps({**kept(), name: _rounded(figures)}, indent=1, sort_keys=True) + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Measure unit costs, and work out what many documents need."""
    if context.invoked_subcommand is None:
        context.invoke(show)


@main.command()
@click.option("--documents", default=20_000, show_default=True, help="How many are registered to be weighed.")
@click.option("--scale", default=1.0, show_default=True, help="Multiplies the number of requests.")
def costs(documents: int, scale: float) -> None:
    """Measure bytes of a document and CPU of a request, and keep them."""
    from bench.scale_costs import measured

    _keep("costs", measured(documents, scale))


@main.command()
@click.option("--documents", default=3000, show_default=True, help="Documents on each server.")
@click.option("--requests", default=1000, show_default=True, help="Questions of a kind for each server in each round.")
@click.option("--rounds", default=3, show_default=True)
def shards(documents: int, requests: int, rounds: int) -> None:
    """Measure what a question costs on 1, 2, 4 and 8 PostgreSQL servers, and keep it."""
    from bench.scale_shards import measured

    found = _rounded(measured(documents, requests, rounds))
    _keep("shards", found)
    print("\n".join(scale_sums.shards(found)))


def _assumptions(command: Any) -> Any:
    for each in reversed(fields(scale_sums.Region)):
        name = "--" + each.name.replace("_", "-")
        command = click.option(name, each.name, type=float, default=each.default, show_default=True)(command)
    return command


@main.command()
@_assumptions
def show(**assumed: float) -> None:
    """Work out and print what so many documents need."""
    for part in printed(scale_sums.Region(**assumed), kept()).values():
        print(part, end="\n\n")


@main.command()
def page() -> None:
    """Write what follows from the figures into docs/scale.md."""
    PAGE.write_text(written(PAGE.read_text(), printed(scale_sums.Region(), kept())))


if __name__ == "__main__":
    main()
