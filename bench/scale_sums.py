"""From what one document and one request cost to what a country's documents need: sums, and nothing measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_YEAR: Final = 365.25 * 86400
_TB: Final = 1e12
_FREEZE: Final = 200e6
"""PostgreSQL looks through whatever is not frozen yet after so many transactions (autovacuum_freeze_max_age)."""


@dataclass(frozen=True, slots=True)
class Region:
    """What is assumed: how many, how often, and what a machine may carry."""

    patients: float = 65e6
    documents_each: float = 100
    document_bytes: float = 100 * 1024
    years: float = 10
    finds: float = 10
    fetches: float = 2
    peak: float = 10
    cores: float = 32
    busy: float = 0.5
    node_bytes: float = 4 * _TB
    restore_bytes_a_second: float = 500e6
    restore_hours: float = 4
    log_bytes_a_second: float = 100e6

    @property
    def documents(self) -> float:
        """All of them."""
        return self.patients * self.documents_each

    @property
    def rate(self) -> float:
        """Documents that arrive in a second, on average."""
        return self.documents / (self.years * _YEAR)


@dataclass(frozen=True, slots=True)
class Need:
    """One kind of request at the peak."""

    name: str
    rate: float
    service: float
    database: float


def needs(region: Region, costs: Mapping[str, Any]) -> list[Need]:
    """Requests a second at the peak, and the cores that they keep busy in the services and in the database."""
    arriving = region.rate * region.peak
    asked = (
        ("ITI-41, 100 KiB", 1.0),
        ("FindDocuments, 10", region.finds),
        ("GetDocuments", region.fetches),
        ("ITI-43, 100 KiB", region.fetches),
    )
    return [
        Need(name, arriving * each, arriving * each * cpu["service"], arriving * each * cpu["database"])
        for name, each in asked
        for cpu in [costs["cpu"][name]]
    ]


@dataclass(frozen=True, slots=True)
class Limit:
    """What all of it comes to in one respect, and what one machine may carry of that."""

    name: str
    unit: str
    needed: float
    one: float

    @property
    def machines(self) -> float:
        """How many of them carry it."""
        return self.needed / self.one


def limits(region: Region, costs: Mapping[str, Any]) -> list[Limit]:
    """In what respects one database would be too small, the worst first."""
    size = sum(costs["relations"].values()) * region.documents
    restored = size / region.restore_bytes_a_second / 3600
    cores = sum(each.database for each in needs(region, costs))
    log = costs["log"] * region.rate * region.peak
    largest = max(costs["tables"].values()) * region.documents
    found = [
        Limit("hours to restore a database from a copy", "h", restored, region.restore_hours),
        Limit("bytes of a database", "TB", size / _TB, region.node_bytes / _TB),
        Limit("bytes of the largest table", "TB", largest / _TB, 32),
        Limit("cores of a database at the peak", "cores", cores, region.cores * region.busy),
        Limit("log written at the peak", "MB/s", log / 1e6, region.log_bytes_a_second / 1e6),
    ]
    return sorted(found, key=lambda each: -each.machines)


def _assumed(region: Region) -> str:
    return " ".join(
        (
            f"Assumed: {region.patients / 1e6:,.0f} million patients with {region.documents_each:,.0f} documents each,",
            f"of {region.document_bytes / 1024:,.0f} KiB, which come in over {region.years:,.0f} years;",
            f"each is among the ten documents of {region.finds:,.0f} answers, and is looked up by its id and fetched",
            f"{region.fetches:,.0f} times; the busiest second has {region.peak:,.0f} times the average.",
            f"A machine has {region.cores:,.0f} cores, of which {region.busy:.0%} may be busy, and",
            f"{region.node_bytes / _TB:,.0f} TB for a database; it writes {region.log_bytes_a_second / 1e6:,.0f} MB",
            f"of log a second, and has to be restored within {region.restore_hours:,.0f} hours",
            f"at {region.restore_bytes_a_second / 1e6:,.0f} MB/s.",
        )
    )


def _relations(region: Region, costs: Mapping[str, Any]) -> Iterator[str]:
    yield "| table or index | bytes a document | in all, TB |"
    yield "|---|---:|---:|"
    for name, each in sorted(costs["relations"].items(), key=lambda pair: -pair[1]):
        if each >= 1:
            yield f"| `{name}` | {each:,.0f} | {each * region.documents / _TB:,.2f} |"
    total = sum(costs["relations"].values())
    yield f"| all | {total:,.0f} | {total * region.documents / _TB:,.1f} |"


def _rows(region: Region, costs: Mapping[str, Any]) -> Iterator[str]:
    yield "| table | rows a document | in all, thousand million |"
    yield "|---|---:|---:|"
    for name, each in costs["rows"].items():
        yield f"| `{name}` | {each:,.2f} | {each * region.documents / 1e9:,.2f} |"


def _rates(region: Region, costs: Mapping[str, Any]) -> Iterator[str]:
    yield "| request | a second at the peak | services, ms | a core serves | database, ms | cores at the peak |"
    yield "|---|---:|---:|---:|---:|---:|"
    for each in needs(region, costs):
        cpu = costs["cpu"][each.name]
        both = cpu["service"] + cpu["database"]
        yield (
            f"| {each.name} | {each.rate:,.0f} | {cpu['service'] * 1000:.2f} | {1 / both:,.0f}/s "
            f"| {cpu['database'] * 1000:.2f} | {each.service + each.database:,.1f} |"
        )


def _limits(region: Region, costs: Mapping[str, Any]) -> Iterator[str]:
    yield "| what grows | in all | one machine | machines |"
    yield "|---|---:|---:|---:|"
    for each in limits(region, costs):
        yield f"| {each.name} | {each.needed:,.1f} {each.unit} | {each.one:,.0f} | {each.machines:,.1f} |"


def figures(region: Region, costs: Mapping[str, Any]) -> list[str]:
    """The page's part about size and rate."""
    parts = (_rows, _relations, _rates, _limits)
    tables = [line for part in parts for line in (*part(region, costs), "")]
    return [_measured(costs), "", _assumed(region), "", _arriving(region), "", *tables, _worst(region, costs)]


def _measured(costs: Mapping[str, Any]) -> str:
    machine, versions = costs["machine"], costs["versions"]
    return " ".join(
        (
            f"Measured on {costs['when']} on {machine['cores']} cores ({machine['processor']}) with PostgreSQL",
            f"{versions['postgresql']} and Python {versions['python']}: {costs['documents']:,} documents,",
            "each in a submission of its own, 100 of a patient.",
        )
    )


def _arriving(region: Region) -> str:
    return " ".join(
        (
            f"That is {region.documents / 1e9:,.1f} thousand million documents;",
            f"{region.rate:,.1f} arrive in an average second, {region.rate * region.peak:,.0f} in the busiest.",
            f"The documents themselves are {region.documents * region.document_bytes / _TB:,.0f} TB.",
        )
    )


def _worst(region: Region, costs: Mapping[str, Any]) -> str:
    worst, rate = limits(region, costs)[0], region.rate
    return " ".join(
        (
            f"So what breaks first is **{worst.name}**: it takes {-(-worst.machines // 1):,.0f} machines of this size.",
            f"The log is {costs['log']:,.0f} bytes a document,",
            f"{costs['log'] * rate * 86400 / 1e9:,.0f} GB on an average day.",
            f"A single database would see {_FREEZE / 1e6:,.0f} million transactions in",
            f"{_FREEZE / rate / 86400:,.0f} days, and look through all that is not frozen yet each time.",
        )
    )


def shards(found: Mapping[str, Any]) -> list[str]:
    """The page's part about several databases."""
    rows = found["rows"]
    first = rows[0]["cpu"]
    told = (
        f"Measured on {found['when']}: so many PostgreSQL servers on one machine,",
        f"{found['documents_each']:,} documents on each, one client.",
        "Milliseconds of CPU, of client and servers together, that one question takes;",
        "in brackets that as a multiple of the cost with one server. One server after the other gets its questions,",
        "as each would have its own without pause on a machine of its own.",
    )
    lines = [" ".join(told), "", "| servers | " + " | ".join(first) + " |", "|---:|" + "---:|" * len(first)]
    for row in rows:
        cells = [f"{value:.2f} ({value / first[name]:.2f})" for name, value in row["cpu"].items()]
        lines.append(f"| {row['servers']} | " + " | ".join(cells) + " |")
    return lines
