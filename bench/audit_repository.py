"""How many audit records a second the repository takes: ``python -m bench.audit_repository``.

Senders send over mutual TLS to a service on PostgreSQL, until it has acknowledged everything; beside it, in turns, the
same bytes go into a bare table by one INSERT for each group. Then the trail is verified.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import click
import psycopg

from auditing.verifying import verify
from console import development_ca
from tests.audit_sender import send
from tests.servers.postgres import new_database, start_postgres
from tests.service.audit_kit import Repository, a_repository
from tests.unit.auditing.kit import a_patient, an_event, syslog

_GROUP = 500
_SENDERS = 2


def records(count: int, begin: int) -> list[bytes]:
    """Of many patients and users, each of its own."""
    return [
        syslog(an_event(patient=a_patient(f"999{number % 10_000_000:07}"), user=f"55500{number % 997:07}"), number)
        for number in range(begin, begin + count)
    ]


def over_tls(repository: Repository, certificate: Path, trust: str, messages: list[bytes]) -> float:
    """Seconds until all of them were acknowledged."""
    groups = [messages[at : at + _GROUP] for at in range(0, len(messages), _GROUP)]
    began = time.perf_counter()
    with ThreadPoolExecutor(_SENDERS) as threads:
        sent = list(threads.map(lambda group: send(repository.syslog, group, certificate, trust), groups))
    assert all(sent), "some were not acknowledged"
    return time.perf_counter() - began


def bare(url: str, messages: list[bytes]) -> float:
    """Seconds until all of them are in a table that has nothing but them."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=False) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bare (number bigserial PRIMARY KEY, raw bytea NOT NULL)")
        connection.commit()
        began = time.perf_counter()
        for at in range(0, len(messages), _GROUP):
            connection.execute("INSERT INTO bare (raw) SELECT * FROM unnest(%b::bytea[])", [messages[at : at + _GROUP]])
            connection.commit()
        return time.perf_counter() - began


@click.command()
@click.option("--records", "count", default=10_000, show_default=True, help="Records of a round.")
@click.option("--rounds", default=5, show_default=True)
def main(count: int, rounds: int) -> None:
    """Print records a second of both, and of `audit verify`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = start_postgres()
        stack.callback(postgres.stop)
        url = new_database(postgres)
        authority = development_ca.create(folder / "pki", 2)
        for name in ("node", "sender"):
            development_ca.write_secret(folder / "pki" / f"{name}.pem", authority.issue(name, ("127.0.0.1",), 2).pem)
        trust = str(folder / "pki" / "ca.pem")
        settings = {
            "TLS_CERTIFICATE": str(folder / "pki" / "node.pem"),
            "TLS_TRUST": trust,
            "AUDIT_REPOSITORY_DATABASE": url,
            "LOG_LEVEL": "info",
        }
        repository = a_repository(folder / "audit", settings)
        repository.start()
        stack.callback(repository.kill)
        repository.await_listening()
        run(repository, url, folder / "pki" / "sender.pem", trust, count, rounds)


def run(repository: Repository, url: str, certificate: Path, trust: str, count: int, rounds: int) -> None:
    """In turns, after one that does not count."""
    rates: dict[str, list[float]] = {"over mutual TLS": [], "bare insert": []}
    for number in range(rounds + 1):
        messages = records(count, number * count)
        ways: dict[str, Callable[[], float]] = {
            "over mutual TLS": lambda messages=messages: over_tls(repository, certificate, trust, messages),  # type: ignore[misc]
            "bare insert": lambda messages=messages: bare(url, messages),  # type: ignore[misc]
        }
        for name, way in ways.items():
            seconds = way()
            if number:
                rates[name].append(count / seconds)
    middle = {name: statistics.median(found) for name, found in rates.items()}
    for name, rate in middle.items():
        click.echo(f"{name:<16} {rate:>10.0f} records/s")
    click.echo(f"a bare insert is {middle['bare insert'] / middle['over mutual TLS']:.1f} times as fast")
    database = repository.database()
    verdict = verify(database)
    database.close()
    assert verdict.is_whole
    click.echo(
        f"verify           {verdict.records / verdict.chain_seconds:>10.0f} records/s the chain, "
        f"{verdict.records / (verdict.chain_seconds + verdict.index_seconds):.0f} with the index"
    )


if __name__ == "__main__":
    main()
