"""Puts what access decisions go by into a Registry's database, as the cases say."""

from __future__ import annotations

from collections.abc import Mapping

from common.access.records import KINDS, read_record
from common.db import Database
from registry.access import store
from tests.access_cases import HOSPITAL, PRACTICE, RIGHTS, AccessCase

ALSO = "urn:oid:2.999.826.8.1"
NOW = "20260311120000"


def keep(database: Database, kind: str, *rows: Mapping[str, str]) -> list[str]:
    """Keep records; their keys."""
    made = []
    for row in rows:
        record, problems = read_record(KINDS[kind], row)
        assert not problems, problems
        made.append(record)
    with database.write() as work:
        store.put(work, KINDS[kind], made, by="a test", at=NOW)
        work.commit()
    return [each[KINDS[kind].key] for each in made]


def a_county(database: Database) -> None:
    """Two organisations, an agreement between them, and the roles of the cases."""
    rights = [{"role": role, "right": right} for role, rights in RIGHTS.items() for right in rights]
    keep(database, "roles", *rights)
    keep(
        database,
        "organisations",
        {
            "code": HOSPITAL,
            "name": "Northbeck General Hospital",
            "care_setting": "health",
            "also": "urn:oid:2.999.826.8.1",
        },
        {"code": PRACTICE, "name": "Southbeck Surgery", "care_setting": "gp"},
    )


def an_agreement(database: Database, **differs: str) -> None:
    """The hospital's documents are shared with the practice."""
    row = {"title": "County record", "providers": HOSPITAL, "recipients": PRACTICE, **differs}
    keep(database, "agreements", row)


def of_case(database: Database, case: AccessCase, patient_id: str) -> None:
    """What is known of one patient."""
    if case.related:
        keep(database, "relationships", {"patient_id": patient_id, "organisation": case.organisation})
    for given, decision in ((case.objection, "refuse"), (case.permission, "permit")):
        if given:
            keep(database, "consents", {"patient_id": patient_id, "decision": decision})
