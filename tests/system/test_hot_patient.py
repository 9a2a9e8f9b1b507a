"""A patient with very many documents: the database reads what a question finds, and not what it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from bench.growth_plans import ExplainingDatabase, Plan, _nodes
from common.ebxml.query import AdhocQuery, ReturnType
from common.standard.queries import BY_NAME
from registry.search import Limits, Search
from registry.store import schema
from registry.store.tables import entry
from tests.factories import a_patient_id

pytestmark = pytest.mark.system

DOCUMENTS = 4000
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
DE = "$XDSDocumentEntry"
# Every third is the hot patient's: one an hour, of twenty types in turn. All others have twenty documents each.
_FILL = text(
    "INSERT INTO entry (patient_id, entry_uuid, logical_id, version, is_latest, unique_id, object_type, "
    "availability_status, repository_unique_id, class_code, type_code, format_code, practice_setting_code, "
    "healthcare_facility_type_code, confidentiality_codes, creation_time, service_start_time, ebrim) "
    "SELECT CASE WHEN n % 3 = 0 THEN :patient ELSE 'patient ' || n / 30 END, "
    "'urn:uuid:' || n, 'urn:uuid:' || n, 1, 1, '2.999.' || n, :stable, :approved, '2.999', 'c^^s', "
    "'type-' || n / 3 % 20 || '^^2.999', 'f^^s', 'p^^s', 'h^^s', 'N', "
    "to_char(timestamp '2020-01-01' + n * interval '20 minutes', 'YYYYMMDDHH24MISS'), '20200101000000', 'x' "
    "FROM generate_series(1, :count) AS n"
)


class Weighed(ExplainingDatabase):
    """Notes the conditions by which indexes are entered, for given values and for any."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.conditions: list[list[str]] = []

    def _read(self, explained: list[dict[str, Any]]) -> Plan:
        self.conditions.append([node["Index Cond"] for node in _nodes(explained[0]["Plan"]) if "Index Cond" in node])
        return super()._read(explained)


@pytest.fixture(scope="module")
def hot(postgres_database: Callable[[], str]) -> Iterator[tuple[Weighed, str]]:
    database, patient = Weighed(postgres_database()), a_patient_id()
    schema.upgrade(database)
    with database.engine.begin() as connection:
        values = {"patient": patient, "stable": STABLE, "approved": APPROVED, "count": 3 * DOCUMENTS}
        connection.execute(_FILL, values)
        connection.exec_driver_sql(f"ANALYZE {entry.name}")
    yield database, patient
    database.close()


def asked(hot: tuple[Weighed, str], *slots: tuple[str, str]) -> tuple[int, list[list[str]]]:
    """How many documents a question finds, and the index conditions of its plans."""
    database, patient = hot
    database.conditions.clear()
    given: Sequence[tuple[str, str]] = [("PatientId", f"'{patient}'"), ("Status", f"('{APPROVED}')"), *slots]
    query = AdhocQuery(
        BY_NAME["FindDocuments"].id, ReturnType.OBJECT_REF, tuple((f"{DE}{name}", (value,)) for name, value in given)
    )
    search = Search(database, Limits(1000, 5000, 100_000))
    answer = search.answer(query, multi_patient=False, correlation="c1")
    assert not answer.response.errors, answer.response.errors
    return answer.count, database.conditions


def test_type_and_dates_lead_to_what_is_found_alone(hot: tuple[Weighed, str]) -> None:
    dates = ("CreationTimeFrom", "'20200301'"), ("CreationTimeTo", "'20200305'")

    found, plans = asked(hot, ("TypeCode", "('type-3^^2.999')"), *dates)

    assert 4 <= found <= 6
    assert len(plans) == 2
    for conditions in plans:
        between = [each for each in conditions if "creation_time >=" in each]
        assert between, conditions
        assert all("creation_time <" in each and "type_code =" in each for each in between), conditions


def test_documents_without_a_time_are_found_as_well(hot: tuple[Weighed, str]) -> None:
    dates = ("ServiceStopTimeFrom", "'20200301'"), ("ServiceStopTimeTo", "'20200302'")

    assert asked(hot, ("TypeCode", "('type-3^^2.999')"), *dates)[0] == DOCUMENTS // 20
