from __future__ import annotations

import pytest

from common.db import DatabaseBusy, DatabaseFull, told_of


@pytest.mark.parametrize(
    ("error", "told", "has_traceback"),
    [
        (DatabaseBusy("DeadlockDetected"), "the registry is busy: send the same message again later", False),
        (DatabaseFull("DiskFull"), "the registry has no room: its operator has to make some", False),
        (KeyError("reason"), "the registry failed: send the same message again, or tell its operator", True),
    ],
)
def test_a_breakdown_is_told_without_detail_and_logged_with_what_helps(
    caplog: pytest.LogCaptureFixture, error: Exception, told: str, has_traceback: bool
) -> None:
    assert told_of(error, "registry", "ITI-42") == told
    (line,) = caplog.records
    assert "ITI-42" in line.getMessage()
    assert bool(line.exc_info) is has_traceback
