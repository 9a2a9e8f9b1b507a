"""Whether registering and finding stay as quick while the registry fills: ``python -m bench.growth``.

One database on one PostgreSQL for each size, filled by the Registry's own code, and a Registry on each. Every scenario
goes round the sizes several times, so that whatever else the machine does weighs on all of them alike. Then the plans:
the command fails when a query that names a patient or an id reads a table or an index from end to end.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
from sqlalchemy import create_engine, text

from bench import messages
from bench.driver import Figures, measure
from bench.growth_filling import HELD, TYPES, WANTED, Population, fill, hot_time, hot_type, plan
from bench.growth_plans import explain
from bench.run import CONNECTIONS, HEAD, line
from common.model import AvailabilityStatus
from tests.factories import SNOMED, a_patient_id
from tests.running import Pair, a_pair
from tests.servers.postgres import new_database, start_postgres

_APPROVED = ("$XDSDocumentEntryStatus", f"('{AvailabilityStatus.APPROVED.value}')")
Make = Callable[[int], messages.Request]


@dataclass(frozen=True, slots=True)
class Grown:
    """A Registry on a database of some size."""

    population: Population
    url: str
    pair: Pair
    ids: tuple[tuple[str, str], ...]

    @property
    def registry(self) -> str:
        """Its SOAP address."""
        return self.pair.registry.url

    def scenarios(self) -> Iterator[tuple[str, int, Make]]:
        """Each scenario: its name, how many requests a round, and how the n-th one is made."""
        url, ids = self.registry, self.ids
        yield "ITI-42, one document", 300, lambda _: messages.register(url, a_patient_id())
        for count, requests in zip(HELD, (400, 400, 120), strict=True):
            known = self.population.patients[count]
            yield f"FindDocuments, {count}", requests, lambda n, known=known: messages.find(url, known[n % len(known)])  # type: ignore[misc]
        yield "GetDocuments by uniqueId", 400, lambda n: messages.get(url, ids[n % len(ids)][1])
        yield "GetDocuments by entryUUID", 400, lambda n: _by_uuid(url, ids[n % len(ids)][0])
        yield f"hot patient, type and date, {WANTED}", 200, self._hot

    def _hot(self, number: int) -> messages.Request:
        """Ten documents of one type within some months, somewhere in the hot patient's years."""
        there = self.population.hot_documents
        begin = (number * 7919) % max(1, there - WANTED * TYPES + 1)
        slots = (
            ("$XDSDocumentEntryPatientId", f"'{self.population.hot}'"),
            _APPROVED,
            ("$XDSDocumentEntryTypeCode", f"('{hot_type(number)}^^{SNOMED}')"),
            ("$XDSDocumentEntryCreationTimeFrom", f"'{hot_time(begin)}'"),
            ("$XDSDocumentEntryCreationTimeTo", f"'{hot_time(begin + WANTED * TYPES)}'"),
        )
        return messages.query(self.registry, "FindDocuments", slots, hot_type(number).encode())


def _by_uuid(url: str, name: str) -> messages.Request:
    return messages.query(url, "GetDocuments", (("$XDSDocumentEntryEntryUUID", f"('{name}')"),), name.encode())


def grown(stack: ExitStack, database: str, documents: int, processes: int) -> Grown:
    """Fill a new database, and start a Registry on it."""
    population = plan(documents)
    began = time.perf_counter()
    fill(database, population, processes)
    seconds = time.perf_counter() - began
    print(f"{documents:>9,} documents registered in {seconds:.0f} s, {documents / seconds:,.0f} a second")
    print(f"          {_sizes(database)}", flush=True)
    data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portolan-growth-")))
    pair = a_pair(data, {"DATABASE": database, "LOG_LEVEL": "warning"})
    stack.callback(pair.stop)
    pair.registry.start()
    return Grown(population, database, pair, _some_ids(database))


def _some_ids(database: str) -> tuple[tuple[str, str], ...]:
    """Documents from everywhere in the table."""
    engine = create_engine(database)
    with engine.connect() as connection:
        asked = "SELECT entry_uuid, unique_id FROM entry ORDER BY md5(entry_uuid) LIMIT 400"
        found = tuple((row[0], row[1]) for row in connection.execute(text(asked)))
    engine.dispose()
    return found


def _sizes(database: str) -> str:
    """What the database takes on disk, and its largest parts, in MB."""
    engine = create_engine(database)
    with engine.connect() as connection:
        asked = (
            "SELECT relname, pg_relation_size(oid) / 1e6 FROM pg_class "
            "WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC LIMIT 8"
        )
        parts = ", ".join(f"{name} {size:.1f}" for name, size in connection.execute(text(asked)))
        total = connection.scalar(text("SELECT pg_database_size(current_database()) / 1e6"))
    engine.dispose()
    return f"{total:.1f} MB: {parts}"


def rounds(
    all_sizes: Sequence[Grown], times: int, scale: float, only: Sequence[str] = ()
) -> Iterator[tuple[str, list[list[Figures]]]]:
    """Each scenario with its figures by size, those of every round."""
    for together in zip(*(each.scenarios() for each in all_sizes), strict=True):
        if only and not any(part.lower() in together[0][0].lower() for part in only):
            continue
        found: list[list[Figures]] = [[] for _ in all_sizes]
        for _ in range(times):
            for one, (name, count, make), kept in zip(all_sizes, together, found, strict=True):
                made = [make(number) for number in range(max(2 * CONNECTIONS, int(count * scale)))]
                process = one.pair.registry.process
                pids = [process.pid] if process else []
                kept.append(measure(name, one.registry, made, connections=CONNECTIONS, pids=pids))
        yield together[0][0], found


def show(name: str, sizes: Sequence[int], found: Sequence[Sequence[Figures]]) -> None:
    """The middle round of each size, and its rate as a share of that at the smallest."""
    middle = [sorted(each, key=lambda figures: figures.rate)[len(each) // 2] for each in found]
    shares = [statistics.median(f.rate / s.rate for f, s in zip(each, found[0], strict=True)) for each in found]
    print(name)
    for size, figures, share in zip(sizes, middle, shares, strict=True):
        print(f"  {line(figures)[30:]}  {size:>9,} documents: {share:6.0%}", flush=True)


def show_plans(largest: Grown) -> list[str]:
    """Print the plans at the largest size; what reads a table or an index from end to end."""
    print(f"\nPlans with {largest.population.documents:,} documents, for given values and for any:")
    bad = []
    for explained in explain(largest.url, largest.population.patients[10][0]):
        print(f"{explained.name}: {len(explained.plans) // 2} statements")
        for way in explained.ways:
            print(f"    {way}")
        bad += [f"{explained.name}: {scan}" for scan in explained.scans]
    return bad


def _chosen(_context: click.Context, _parameter: click.Parameter, value: str) -> list[int]:
    try:
        return sorted(int(each) for each in value.split(","))
    except ValueError as error:
        raise click.BadParameter("give numbers with commas between them") from error


@click.command()
@click.option("--documents", default="1000,20000", show_default=True, callback=_chosen, help="The sizes.")
@click.option("--full", is_flag=True, help="1,000, 100,000 and 1,000,000 documents.")
@click.option("--processes", default=2, show_default=True, help="Processes that fill.")
@click.option("--rounds", "times", default=3, show_default=True, help="Rounds of each scenario.")
@click.option("--scale", default=1.0, show_default=True, help="Multiplies the number of requests.")
@click.option("--only", multiple=True, help="Only scenarios with this in their name; may be given several times.")
def main(documents: list[int], full: bool, processes: int, times: int, scale: float, only: tuple[str, ...]) -> None:
    """Fill, measure at each size, and look at the plans; exit with 1 when one reads everything."""
    sizes = [1000, 100_000, 1_000_000] if full else documents
    with ExitStack() as stack:
        postgres = start_postgres()
        stack.callback(postgres.stop)
        all_sizes = [grown(stack, new_database(postgres), size, processes) for size in sizes]
        print(f"\n  {HEAD[30:]}   rate as a share of that at the smallest size")
        for name, found in rounds(all_sizes, times, scale, only):
            show(name, sizes, found)
        bad = show_plans(all_sizes[-1])
    if bad:
        print("\nREAD FROM END TO END:\n  " + "\n  ".join(bad))
        sys.exit(1)
    print("\nNo query that names a patient or an id reads a table or an index from end to end.")


if __name__ == "__main__":
    main()
