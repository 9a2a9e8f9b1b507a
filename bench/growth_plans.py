"""How the database goes about every query that names a patient or an id: the plans of the statements as they are sent.

Registry actions run in this process on a database that has each statement explained before it is carried out, once
planned for its values and once planned for any, since a prepared statement may be served either way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg import sql

from common.db import Database
from common.ebxml.query import AdhocQuery, ReturnType
from common.model import AssociationType
from common.standard.queries import BY_NAME, STATUSES
from registry.register import Register
from registry.search import Limits, Search
from tests.factories import HAS_MEMBER, AnyDomain, a_document, a_link, a_submission

MODES: Final = ("force_custom_plan", "force_generic_plan")
_FEW: Final = 1000
"""A table with fewer rows than this may be read from end to end: that is the quickest way."""
_VALUE: Final = re.compile(r"ARRAY\[[^\]]*\]|'[^']*'(?:::[a-z]+(?:\[\])?)?|\$\d+")
_BOTH: Final = "(" + ",".join(f"'{status}'" for status in STATUSES if status.endswith(("Approved", "Deprecated"))) + ")"


@dataclass(frozen=True, slots=True)
class Plan:
    """One statement's plan: each way in which a table is entered, and those that read all of it."""

    ways: tuple[str, ...]
    scans: tuple[str, ...]


@dataclass
class Explained:
    """The plans of one action's statements."""

    name: str
    plans: list[Plan] = field(default_factory=list)

    @property
    def ways(self) -> list[str]:
        """Every way, once."""
        return list(dict.fromkeys(way for plan in self.plans for way in plan.ways))

    @property
    def scans(self) -> list[str]:
        """Everything that is read from end to end, once."""
        return list(dict.fromkeys(scan for plan in self.plans for scan in plan.scans))


class ExplainingDatabase(Database):
    """A Database that notes the plans of all it is asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url, pool=2, wait=5)
        self.current = Explained("")
        self.sizes: dict[str, float] = {}

    def cursor(self, connection: Any) -> Any:
        """A cursor that explains each statement first."""
        return _Cursor(super().cursor(connection), connection.dbapi_connection, self)

    def note(self, driver: psycopg.Connection[Any], statement: str, values: Sequence[Any]) -> None:
        """Plan a statement both ways."""
        types = sql.SQL(", ").join(sql.SQL(_type(value)) for value in values)
        literals = sql.SQL(", ").join(sql.Literal(value) for value in values)
        with psycopg.Cursor(driver) as cursor:
            head = sql.SQL("PREPARE portolan_bench({})") if values else sql.SQL("PREPARE portolan_bench")
            cursor.execute(head.format(types) + sql.SQL(" AS ") + sql.SQL(statement.replace("%", "%%")), None)
            call = sql.SQL("portolan_bench({})").format(literals) if values else sql.SQL("portolan_bench")
            for mode in MODES:
                cursor.execute(sql.SQL("SET plan_cache_mode = {}").format(sql.SQL(mode)))
                cursor.execute(sql.SQL("EXPLAIN (FORMAT JSON) EXECUTE ") + call)
                [[found]] = cursor.fetchall()
                self.current.plans.append(self._read(found if isinstance(found, list) else json.loads(found)))
            cursor.execute("DEALLOCATE portolan_bench")
            cursor.execute("RESET plan_cache_mode")

    def _read(self, explained: list[dict[str, Any]]) -> Plan:
        nodes = list(_nodes(explained[0]["Plan"]))
        ways = [_way(node) + self._remark(node) for node in nodes if _enters(node)]
        scans = [_way(node) for node in nodes if _enters(node) and self._is_whole(node)]
        return Plan(tuple(ways), tuple(scans))

    def _is_whole(self, node: dict[str, Any]) -> bool:
        """Whether a node reads a table that is not small, or an index of it, from end to end."""
        return _is_unguided(node) and self.sizes.get(_table(node), _FEW) >= _FEW

    def _remark(self, node: dict[str, Any]) -> str:
        if not _is_unguided(node):
            return ""
        return " - ALL OF IT" if self._is_whole(node) else " - a table with few rows"


class _Cursor:
    """Passes everything on; what is executed is explained first."""

    def __init__(self, cursor: Any, driver: psycopg.Connection[Any], database: ExplainingDatabase) -> None:
        self._cursor, self._driver, self._database = cursor, driver, database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        if statement.lstrip().upper().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "(")):
            self._database.note(self._driver, statement, list(values or ()))
        return self._cursor.execute(statement, values)


def _type(value: object) -> str:
    if isinstance(value, bytes):
        return "bytea"
    return "bigint" if isinstance(value, int) else "unknown"


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _enters(node: dict[str, Any]) -> bool:
    kind = node["Node Type"]
    return kind.endswith("Scan") and ("Relation Name" in node or "Index Name" in node)


def _is_unguided(node: dict[str, Any]) -> bool:
    """Whether no index condition leads to the rows; those of a bitmap stand at the node below."""
    return "Index Cond" not in node and node["Node Type"] != "Bitmap Heap Scan"


def _table(node: dict[str, Any]) -> str:
    """The table that a node is about, by our way of naming indexes."""
    name = node.get("Relation Name") or node["Index Name"]
    return str(name).partition("_by_")[0].removesuffix("_pkey")


def _way(node: dict[str, Any]) -> str:
    where = node.get("Index Name") or node.get("Relation Name")
    condition = node.get("Index Cond") or node.get("Filter", "")
    return f"{node['Node Type']} {where} {_short(condition)}".rstrip()


def _short(condition: str) -> str:
    """A condition without its values."""
    plain = _VALUE.sub("?", condition)
    return plain if len(plain) <= 110 else f"{plain[:109]}…"


def explain(url: str, patient_id: str) -> list[Explained]:
    """The plans of every stored query that names a patient or an id, and of registrations, about one patient."""
    database = ExplainingDatabase(url)
    with database.engine.connect() as connection:
        counted = "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'"
        database.sizes = {row[0]: row[1] for row in connection.exec_driver_sql(counted)}
    found: list[Explained] = []
    try:
        search = Search(database, Limits(1000, 5000, 100_000))
        for name, slots in _questions(database, patient_id):
            database.current = Explained(f"{name} by {', '.join(key.lstrip('$') for key, _ in slots)}")
            asked = AdhocQuery(BY_NAME[name].id, ReturnType.LEAF_CLASS, tuple((key, (each,)) for key, each in slots))
            answer = search.answer(asked, multi_patient=False, correlation="bench")
            if answer.response.errors:
                raise RuntimeError(f"{name}: {answer.response.errors[0].context}")
            found.append(database.current)
        for name in ("ITI-42, one document", "ITI-42, replacement"):
            database.current = Explained(name)
            _register(database, patient_id, replaces="replacement" in name)
            found.append(database.current)
    finally:
        with suppress(psycopg.Error):
            database.close()
    return found


def _register(database: Database, patient_id: str, *, replaces: bool) -> None:
    letter = a_document(patient_id=patient_id)
    items: list[Any] = [letter]
    if replaces:
        [old] = _ids(database, "entry", patient_id)[:1]
        items.append(a_link(AssociationType.RPLC, letter, old[0]))
    register = Register(database, AnyDomain(), max_objects=1000)
    answer = register.register(lambda: a_submission(*items), message_id=None, digest="plan", correlation="bench")
    if answer.errors:
        raise RuntimeError(answer.errors[0].context)


def _ids(database: Database, table: str, patient_id: str) -> list[tuple[str, str]]:
    with database.engine.connect() as connection:
        asked = (
            f"SELECT entry_uuid, unique_id FROM {table} WHERE patient_id = %s ORDER BY availability_status, entry_uuid"
        )
        return [tuple(row) for row in connection.exec_driver_sql(asked, (patient_id,))]


def _questions(database: Database, patient_id: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each query with values that find something."""
    [entry, *_] = _ids(database, "entry", patient_id)
    [folder, *_] = _ids(database, "folder", patient_id)
    [owner, *_] = _ids(database, "submission_set", patient_id)
    de, fol, sub = "$XDSDocumentEntry", "$XDSFolder", "$XDSSubmissionSet"
    patient, approved = f"'{patient_id}'", _BOTH
    found = (f"{de}PatientId", patient), (f"{de}Status", approved)
    types = (f"{de}TypeCode", "('824331000000106^^2.16.840.1.113883.6.96')")
    times = (f"{de}CreationTimeFrom", "'2020'"), (f"{de}CreationTimeTo", "'2030'")
    yield "FindDocuments", [*found]
    yield "FindDocuments", [*found, types, *times]
    yield "FindDocumentsByReferenceId", [*found, (f"{de}ReferenceIdList", "('a reference')")]
    yield "FindSubmissionSets", [(f"{sub}PatientId", patient), (f"{sub}Status", approved)]
    yield "FindFolders", [(f"{fol}PatientId", patient), (f"{fol}Status", approved)]
    statuses = [(f"{each}Status", approved) for each in (de, sub, fol)]
    yield "GetAll", [("$patientId", patient), *statuses]
    for number, key in ((0, "EntryUUID"), (1, "UniqueId")):
        yield "GetDocuments", [(f"{de}{key}", f"('{entry[number]}')")]
        yield "GetFolders", [(f"{fol}{key}", f"('{folder[number]}')")]
        yield "GetDocumentsAndAssociations", [(f"{de}{key}", f"('{entry[number]}')")]
        yield "GetFolderAndContents", [(f"{fol}{key}", f"'{folder[number]}'")]
        yield "GetFoldersForDocument", [(f"{de}{key}", f"'{entry[number]}'")]
        related = ("$AssociationTypes", f"('{AssociationType.RPLC.value}','{HAS_MEMBER.value}')")
        yield "GetRelatedDocuments", [(f"{de}{key}", f"'{entry[number]}'"), related]
    yield "GetSubmissionSetAndContents", [(f"{sub}EntryUUID", f"'{owner[0]}'")]
    yield "GetSubmissionSetAndContents", [(f"{sub}UniqueId", f"'{owner[1]}'")]
    yield "GetAssociations", [("$uuid", f"('{entry[0]}')")]
    yield "GetSubmissionSets", [("$uuid", f"('{entry[0]}')")]
