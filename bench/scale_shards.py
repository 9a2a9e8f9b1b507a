"""What a question costs when patients are spread over several PostgreSQL servers: a router, and one to eight of them.

A patient's rows lie on one server, by a hash of the patient id, and each row of ``identifier`` by a hash of its value.
A question that names a patient goes to one server; one by uniqueId asks ``identifier`` first; one by an entryUUID that
the Registry itself gave has to ask all of them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select

from bench.driver import cpu_seconds
from bench.growth_filling import _Filler
from common.db import Database, Statement, open_database
from common.ebxml.query import AdhocQuery, ReturnType
from common.model import AvailabilityStatus
from common.standard.queries import BY_NAME
from registry.search import Limits, Search
from registry.store import schema
from registry.store.tables import identifier
from tests.factories import a_document, a_patient_id
from tests.servers.postgres import InstalledPostgres, new_database
from tests.servers.replica import programs

SERVERS: Final = (1, 2, 4, 8)
_DOCUMENTS: Final = 10
_WHERE: Final = Statement(select(identifier.c.patient_id).where(identifier.c.value == bindparam("value")))
_APPROVED: Final = f"('{AvailabilityStatus.APPROVED.value}')"


def place(key: str, servers: int) -> int:
    """The server that has a key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % servers


@dataclass
class Router:
    """Asks the server that has the answer."""

    databases: list[Database]
    searches: list[Search] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.searches = [Search(each, Limits(1000, 5000, 100_000)) for each in self.databases]

    def find(self, patient_id: str) -> int:
        """FindDocuments of one patient: one server is asked."""
        slots = (("$XDSDocumentEntryPatientId", f"'{patient_id}'"), ("$XDSDocumentEntryStatus", _APPROVED))
        return self._asked(place(patient_id, len(self.databases)), "FindDocuments", slots)

    def by_unique_id(self, unique_id: str) -> int:
        """GetDocuments by uniqueId: one server knows the patient, one has the document."""
        with self.databases[place(unique_id, len(self.databases))].read() as work:
            [[patient_id]] = work.rows(_WHERE, {"value": unique_id})
        slots = (("$XDSDocumentEntryUniqueId", f"('{unique_id}')"),)
        return self._asked(place(patient_id, len(self.databases)), "GetDocuments", slots)

    def by_uuid(self, entry_uuid: str) -> int:
        """GetDocuments by an entryUUID that nobody knows the patient of: all servers are asked."""
        slots = (("$XDSDocumentEntryEntryUUID", f"('{entry_uuid}')"),)
        return sum(self._asked(number, "GetDocuments", slots) for number in range(len(self.databases)))

    def _asked(self, server: int, name: str, slots: Sequence[tuple[str, str]]) -> int:
        asked = AdhocQuery(BY_NAME[name].id, ReturnType.LEAF_CLASS, tuple((key, (value,)) for key, value in slots))
        answer = self.searches[server].answer(asked, multi_patient=False, correlation="bench")
        if answer.response.errors:
            raise RuntimeError(answer.response.errors[0].context)
        return answer.count


@dataclass
class Spread:
    """Patients on so many servers, and the names of their documents."""

    router: Router
    patients: list[str]
    names: list[tuple[str, str]]


def spread(servers: Sequence[InstalledPostgres], documents_each: int) -> Spread:
    """New databases with so many documents on each server."""
    urls = [new_database(server) for server in servers]
    databases = [open_database(url, pool=1) for url in urls]
    for each in databases:
        schema.upgrade(each)
    left = [max(1, documents_each // _DOCUMENTS)] * len(servers)
    patients = []
    while any(left):
        patient_id = a_patient_id()
        where = place(patient_id, len(servers))
        if left[where]:
            left[where] -= 1
            patients.append(patient_id)
    for number, url in enumerate(urls):
        with _Filler(url) as filler:
            for patient_id in patients:
                if place(patient_id, len(servers)) == number:
                    filler.submit([a_document(patient_id=patient_id) for _ in range(_DOCUMENTS)])
    return Spread(Router(databases), patients, list(_placed(databases)))


def _placed(databases: Sequence[Database]) -> Iterator[tuple[str, str]]:
    """Put the rows of ``identifier`` where they belong; the names of all documents."""
    rows: list[list[dict[str, Any]]] = [[] for _ in databases]
    for database in databases:
        with database.engine.begin() as connection:
            for found in connection.execute(select(identifier)).mappings():
                rows[place(found["value"], len(databases))].append(dict(found))
            connection.execute(delete(identifier))
    for database, own in zip(databases, rows, strict=True):
        with database.engine.begin() as connection:
            connection.execute(insert(identifier), own)
            connection.exec_driver_sql("ANALYZE")
        for row in own:
            if row["kind"] == "DocumentEntry" and row["value"] != row["entry_uuid"]:
                yield row["entry_uuid"], row["value"]


Ask = Callable[[int], int]


def _questions(one: Spread, count: int) -> dict[str, tuple[Ask, int, int]]:
    """Each kind of question, how many objects it finds, and how often it is asked: so often of each server.

    One server after the other gets its questions, as each would have its own without pause on a machine of its own.
    """
    router, servers = one.router, len(one.router.databases)
    patients = sorted(one.patients, key=lambda name: place(name, servers))
    names = sorted(one.names, key=lambda pair: place(pair[1], servers))

    def at(number: int, among: Sequence[Any], times: int = count * servers) -> Any:
        return among[number * len(among) // times]

    return {
        "FindDocuments, 10": (lambda n: router.find(at(n, patients)), _DOCUMENTS, count * servers),
        "GetDocuments by uniqueId": (lambda n: router.by_unique_id(at(n, names)[1]), 1, count * servers),
        "GetDocuments by entryUUID, all asked": (lambda n: router.by_uuid(at(n, names, count)[0]), 1, count),
    }


def _cost(ask: Ask, finds: int, count: int, postmasters: Sequence[int]) -> float:
    """Milliseconds of a processor for one question, here and on all servers."""
    for number in range(0, count, 10):
        ask(number)
    before, own = cpu_seconds(postmasters), time.process_time()
    for number in range(count):
        if ask(number) != finds:
            raise RuntimeError("a question found too much or too little")
    return (cpu_seconds(postmasters) - before + time.process_time() - own) / count * 1000


def measured(documents_each: int, count: int, rounds: int) -> dict[str, Any]:
    """The cost of each kind of question on one to eight servers; the sizes take turns, the middle round counts."""
    with ExitStack() as stack:
        servers = []
        for _ in range(max(SERVERS)):
            servers.append(InstalledPostgres(programs()))
            stack.callback(servers[-1].stop)
        postmasters = [int((each._base / "data" / "postmaster.pid").read_text().split()[0]) for each in servers]
        sizes = {number: spread(servers[:number], documents_each) for number in SERVERS}
        found: dict[int, dict[str, list[float]]] = {number: {} for number in SERVERS}
        for _ in range(rounds):
            for number, one in sizes.items():
                for name, (ask, finds, times) in _questions(one, count).items():
                    found[number].setdefault(name, []).append(_cost(ask, finds, times, postmasters))
        for one in sizes.values():
            for database in one.router.databases:
                database.close()
    rows = [
        {"servers": number, "cpu": {name: sorted(costs)[len(costs) // 2] for name, costs in by_name.items()}}
        for number, by_name in found.items()
    ]
    return {
        "when": datetime.now(UTC).strftime("%d %B %Y").lstrip("0"),
        "documents_each": documents_each,
        "rows": rows,
    }
