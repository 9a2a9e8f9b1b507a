"""Patients as a feed tells of them: what an administrator enters, until a feed of messages does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select, text

from common.db import Row, Statement, Work
from registry.store.registering import patients
from registry.store.tables import patient

_ALL: Final = Statement(
    select(patient.c.patient_id, patient.c.fed_at, patient.c.merged_into)
    .where(patient.c.fed_at.is_not(None))
    .order_by(patient.c.patient_id)
)
_FED: Final = Statement(
    text(
        "INSERT INTO patient (patient_id, fed_at) VALUES (:patient_id, :fed_at) "
        "ON CONFLICT (patient_id) DO UPDATE SET fed_at = excluded.fed_at WHERE patient.fed_at IS NULL"
    )
)


def fed_patients(work: Work) -> list[Row]:
    """Every fed patient: id, when it was fed (DTM, UTC), and the id that it was merged into."""
    return work.rows(_ALL)


def make_known(work: Work, patient_id: str, now: str) -> bool:
    """Whether a patient was new to the feed; by one statement, so that it may be all of a unit of work."""
    return work.run(_FED, {"patient_id": patient_id, "fed_at": now}) > 0


def feed(work: Work, patient_ids: Iterable[str], now: datetime | None = None) -> list[str]:
    """Make patients known, each by a CX; those that were new. Whoever is known, or was merged, stays as it is."""
    fed_at = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%d%H%M%S")
    asked = sorted(set(patient_ids))
    known, merged = patients(work, asked)
    return [name for name in asked if name not in known | merged and make_known(work, name, fed_at)]
