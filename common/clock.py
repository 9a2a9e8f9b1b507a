"""Times as the standard writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def dtm(moment: datetime) -> str:
    """A moment as a DTM in UTC to the second (ITI TF-3 Table 4.2.3.1.7-2); ValueError when its zone is not known."""
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def utc_now() -> str:
    """Now as a DTM, UTC, to the second."""
    return dtm(datetime.now(UTC))
