"""What each scenario has to reach on a quiet two-core machine, and what that is on the one at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BARS: Final[Mapping[str, float]] = {
    "ITI-42, one document": 1170,
    "FindDocuments LeafClass, 1": 2900,
    "FindDocuments LeafClass, 10": 2400,
    "FindDocuments LeafClass, 100": 550,
    "FindDocuments ObjectRef, 100": 1900,
    "GetDocuments by uniqueId": 2750,
    "ITI-41, 10 KiB": 580,
    "ITI-41, 1 MiB": 180,
    "ITI-41, 100 MiB": 300e6 / (100 * 2**20),
    "ITI-43, 10 KiB": 4000,
    "ITI-43, 1 MiB": 1950,
    "ITI-43, 100 MiB": 2.3e9 / (100 * 2**20),
}
"""Requests a second, durable on PostgreSQL and a local folder."""

_WRITES: Final = ("ITI-41", "ITI-42")


def scaled(name: str, reads: float, writes: float, share: float) -> float | None:
    """A scenario's bar, on a machine that reaches these parts of the quiet one's rates, and for these back ends."""
    bar = BARS.get(name)
    if bar is None:
        return None
    return bar * (writes if name.startswith(_WRITES) else reads) * share


def share_of(database: str, storage: str, name: str) -> float:
    """What other back ends have to keep: SQLite half of every row, S3 six tenths of what moves documents."""
    part = 0.5 if database == "sqlite" else 1.0
    return part * (0.6 if storage == "s3" and name.startswith(("ITI-41", "ITI-43")) else 1.0)
