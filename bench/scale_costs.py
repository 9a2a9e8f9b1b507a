"""What one document takes on disk and one request takes of a processor, measured on PostgreSQL and a local folder."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, text

from bench import messages
from bench.driver import cpu_seconds, measure
from bench.growth_filling import _Filler
from bench.run import send
from common.db import open_database
from registry.store import schema
from tests.factories import REPOSITORY_ID, a_document, a_patient_id
from tests.running import a_pair
from tests.servers.postgres import InstalledPostgres, new_database
from tests.servers.replica import programs

_EACH: Final = 100
_CONNECTIONS: Final = 4
_SIZE: Final = 100 * 1024
# What a merge, a removal or a migration leaves is no part of what a document costs.
_SIZES: Final = """
SELECT relname, relkind = 'r', pg_table_size(oid) FROM pg_class
WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace AND relname NOT LIKE '%version%'
"""


def _register(url: str, patients: list[str]) -> None:
    with _Filler(url) as filler:
        for patient_id in patients:
            for _ in range(_EACH):
                filler.submit([a_document(patient_id=patient_id)])


def measured(documents: int, scale: float) -> dict[str, Any]:
    """All unit costs."""
    with ExitStack() as stack:
        server = InstalledPostgres(programs())
        stack.callback(server.stop)
        url = new_database(server)
        patients = [a_patient_id() for _ in range(max(8, documents // _EACH))]
        found: dict[str, Any] = {
            "when": datetime.now(UTC).strftime("%d %B %Y").lstrip("0"),
            "machine": {"cores": os.cpu_count(), "processor": _processor()},
            "documents": len(patients) * _EACH,
        }
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        stack.callback(engine.dispose)
        found |= _filled(engine, url, patients)
        version = str(_value(engine, "SHOW server_version")).split()[0]
        found["versions"] = {"postgresql": version, "python": platform.python_version()}
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portolan-scale-")))
        pair = a_pair(data, {"DATABASE": url, "LOG_LEVEL": "warning"})
        stack.callback(pair.stop)
        pair.start()
        services = [each.process.pid for each in (pair.registry, pair.repository) if each.process]
        postmaster = int((server._base / "data" / "postmaster.pid").read_text().split()[0])
        found["cpu"] = {
            name: _cost(name, url, make, int(count * scale), services, postmaster)
            for name, url, make, count in _requests(pair.registry.url, pair.repository.url)
        }
    return found


def _filled(engine: Engine, url: str, patients: list[str]) -> dict[str, Any]:
    """Register everybody's documents; the bytes and rows of each."""
    database = open_database(url)
    schema.upgrade(database)
    database.close()
    position = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
    before = _value(engine, position)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(_register, url, patients[part::2]) for part in range(2)]:
            done.result()
    written = _value(engine, position) - before
    with engine.connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
        found = list(connection.execute(text(_SIZES)))
        tables = sorted(name for name, is_table, _ in found if is_table)
        rows = {name: connection.scalar(text(f"SELECT count(*) FROM {name}")) for name in tables}
    count = len(patients) * _EACH
    return {
        "log": written / count,
        "relations": {name: int(size) / count for name, _, size in found if size},
        "tables": {name: int(size) / count for name, is_table, size in found if is_table and size},
        "rows": {name: number / count for name, number in rows.items() if number},
    }


def _value(engine: Engine, sql: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(sql)).scalar_one()


def _processor() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


Make = Callable[[int], messages.Request]


def _requests(registry: str, repository: str) -> Iterator[tuple[str, str, Make, int]]:
    """Each kind of request: its name, its address, how one is made, and how many."""
    known = [a_patient_id() for _ in range(8)]
    yield "ITI-42", registry, lambda _: messages.register(registry, a_patient_id()), 800
    send(registry, [messages.register(registry, patient, 10) for patient in known])
    yield "FindDocuments, 10", registry, lambda n: messages.find(registry, known[n % 8]), 1200
    sent: list[str] = []

    def provide(_: int) -> messages.Request:
        content = messages.document(_SIZE)
        sent.append(content.unique_id)
        return messages.provide(repository, content)

    yield "ITI-41, 100 KiB", repository, provide, 400
    yield "GetDocuments", registry, lambda n: messages.get(registry, sent[n % len(sent)]), 1200
    yield (
        "ITI-43, 100 KiB",
        repository,
        lambda n: messages.retrieve(repository, sent[n % len(sent)], REPOSITORY_ID),
        1200,
    )


def _cost(name: str, url: str, make: Make, count: int, services: list[int], postmaster: int) -> dict[str, float]:
    """Seconds of a processor for one request: in the services, and in the database."""
    made = [make(number) for number in range(max(4 * _CONNECTIONS, count))]
    before = cpu_seconds([postmaster])
    figures = measure(name, url, made, connections=_CONNECTIONS, pids=services)
    database = (cpu_seconds([postmaster]) - before) / len(made)
    print(f"{name:<20}{figures.rate:9.1f} req/s{figures.cpu * 1000:9.2f} ms services{database * 1000:9.2f} ms database")
    return {"service": figures.cpu, "database": max(database, 0.0)}
