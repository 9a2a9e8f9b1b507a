"""What the audit trail costs: ``python -m bench.audit``.

Pairs of a Registry and a Repository on one PostgreSQL, without audit, with it, and with each record on the disk before
its answer leaves, are asked in turns over eight connections that are kept alive. An audit repository keeps and
confirms takes the records over TLS; its share of the machine, and the client's, are in the rates, and only that of the
services is in the times of CPU.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from bench import messages
from bench.driver import _run, cpu_seconds
from bench.messages import Request
from console import development_ca
from tests.factories import a_patient_id
from tests.running import Pair, a_pair
from tests.servers.audit_repository import AuditRepository
from tests.servers.postgres import new_database, start_postgres

SIDES = {
    "without": {},
    "audit": {"AUDIT": "true"},
    "always": {"AUDIT": "true", "AUDIT_SYNC": "always"},
    "away": {"AUDIT": "true", "AUDIT_REPOSITORIES": "127.0.0.1:1"},
}


@dataclass(frozen=True, slots=True)
class Side:
    """One pair."""

    name: str
    pair: Pair

    def cpu(self) -> float:
        """Seconds of CPU that both services have taken."""
        processes = [each.process.pid for each in (self.pair.registry, self.pair.repository) if each.process]
        return cpu_seconds(processes)


def compared(what: str, sides: Sequence[Side], rounds: int, make: Callable[[Side], list[Request]], url: str) -> None:
    """In turns; prints medians of rates and of CPU, and ratios to the first."""
    rates: dict[str, list[float]] = {side.name: [] for side in sides}
    spent: dict[str, list[float]] = {side.name: [] for side in sides}
    for number in range(rounds + 1):
        for side in sides[:: 1 if number % 2 else -1]:
            requests = make(side)
            before, begun = side.cpu(), time.perf_counter()
            _run(getattr(side.pair, url).url, requests, 8)
            if number:  # the first warms up
                rates[side.name].append(len(requests) / (time.perf_counter() - begun))
                spent[side.name].append((side.cpu() - before) / len(requests) * 1000)
    first = statistics.median(rates[sides[0].name])
    for side in sides:
        ratios = [one / other for one, other in zip(rates[side.name], rates[sides[0].name], strict=True)]
        rate, cpu = statistics.median(rates[side.name]), statistics.median(spent[side.name])
        told = f"{rate:8.0f} a second, {rate / first:.3f} times ({min(ratios):.2f} to {max(ratios):.2f} by turns)"
        print(f"{what:<30}{side.name:<9}{told}; {cpu:.3f} ms of the services' CPU")


def _stored(side: Side, count: int) -> list[str]:
    """Documents of 10 KiB, to be retrieved."""
    made = [messages.document(10 * 1024) for _ in range(count)]
    _run(side.pair.repository.url, [messages.provide(side.pair.repository.url, each) for each in made], 8)
    return [each.unique_id for each in made]


@click.command()
@click.option("--rounds", default=6, show_default=True, help="Turns that are counted.")
@click.option("--requests", default=3000, show_default=True, help="Queries in each turn.")
@click.option("--plain", is_flag=True, help="Send records without TLS.")
@click.option("--only", default="", help="Of the scenarios, those whose name begins so.")
@click.option("--sides", default="without,audit,always", show_default=True, help="Which to compare with the first.")
def main(rounds: int, requests: int, plain: bool, only: str, sides: str) -> None:
    """Measure services with the audit trail against those without."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portolan-bench-")))
        authority = development_ca.create(folder / "pki", 2)
        development_ca.write_secret(folder / "pki/node.pem", authority.issue("node", ("127.0.0.1",), 2).pem)
        repository = AuditRepository(folder, None if plain else (str(folder / "pki/node.pem"), ""))
        repository.start()
        stack.callback(repository.kill)
        postgres = start_postgres()
        stack.callback(postgres.stop)
        sending = {"AUDIT_REPOSITORIES": repository.address, "AUDIT_PLAIN": str(plain).lower()}
        found = []
        for name in sides.split(","):
            settings = {"DATABASE": new_database(postgres), "LOG_LEVEL": "warning"}
            settings |= {"REGISTRY_WORKERS": "2", "REPOSITORY_WORKERS": "2"}
            settings |= (sending if SIDES[name] else {}) | SIDES[name]
            found.append(Side(name, a_pair(folder / name, settings)))
        for side in found:
            for service in (side.pair.registry, side.pair.repository):
                service.environment["SSL_CERT_FILE"] = str(folder / "pki/ca.pem")  # trusted as the system's
            side.pair.start()
            stack.callback(side.pair.stop)
        _measure(found, rounds, requests, only)


def _measure(sides: Sequence[Side], rounds: int, requests: int, only: str) -> None:
    patients = [a_patient_id() for _ in range(50)]
    for side in sides:
        url = side.pair.registry.url
        _run(url, [messages.register(url, patient, 10) for patient in patients], 8)
    stored = {side.name: _stored(side, 40) for side in sides}
    scenarios: list[tuple[str, Callable[[Side], list[Request]], str]] = [
        (
            "FindDocuments, 10 documents",
            lambda side: [messages.find(side.pair.registry.url, patients[each % 50]) for each in range(requests)],
            "registry",
        ),
        (
            "ITI-42, one document",
            lambda side: [messages.register(side.pair.registry.url, a_patient_id()) for _ in range(requests // 3)],
            "registry",
        ),
        (
            "ITI-43, 10 KiB",
            lambda side: [
                messages.retrieve(side.pair.repository.url, stored[side.name][each % 40], "2.999.826.1.1")
                for each in range(requests)
            ],
            "repository",
        ),
    ]
    for what, make, url in scenarios:
        if what.startswith(only):
            compared(what, sides, rounds, make, url)


if __name__ == "__main__":
    main()
