"""Patients as a feed tells of them: what an administrator enters, until a feed of messages does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import bindparam, insert, select

from common.db import Row, Statement, Work
from registry.store.registering import patients
from registry.store.tables import patient

_ALL: Final = Statement(
    select(patient.c.patient_id, patient.c.fed_at, patient.c.merged_into).order_by(patient.c.patient_id)
)
_NEW: Final = Statement(insert(patient).values(patient_id=bindparam("patient_id"), fed_at=bindparam("fed_at")))


def fed_patients(work: Work) -> list[Row]:
    """Every fed patient: id, when it was fed (DTM, UTC), and the id that it was merged into."""
    return work.rows(_ALL)


def feed(work: Work, patient_ids: Iterable[str], now: datetime | None = None) -> list[str]:
    """Make patients known, each by a CX; those that were new. Whoever is known, or was merged, stays as it is."""
    asked = sorted(set(patient_ids))
    known, merged = patients(work, asked)
    new = [name for name in asked if name not in known and name not in merged]
    fed_at = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%d%H%M%S")
    work.run_each(_NEW, [{"patient_id": name, "fed_at": fed_at} for name in new])
    return new
