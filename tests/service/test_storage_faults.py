"""Fault points: what they are told, they do, and otherwise nothing."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest

from common.faults import FaultRaised, armed, checkpoint, parsed


def test_an_unarmed_checkpoint_is_a_call_to_nothing() -> None:
    checkpoint("blob.synced")


def test_a_fault_happens_at_the_counted_meeting_only() -> None:
    with armed("blob.synced:2=raise"):
        checkpoint("blob.synced")
        checkpoint("blob.written")
        with pytest.raises(FaultRaised, match=r"blob\.synced"):
            checkpoint("blob.synced")
        checkpoint("blob.synced")


def test_a_star_counts_steps_of_any_name() -> None:
    with armed("*:3=raise:ENOSPC"):
        checkpoint("blob.written")
        checkpoint("blob.synced")
        with pytest.raises(OSError, match="No space") as found:
            checkpoint("blob.marked")
    assert found.value.errno == errno.ENOSPC


def test_a_wait_lasts_as_long_as_told() -> None:
    began = time.monotonic()
    with armed("iti42.sent=wait:0.2"):
        checkpoint("iti42.sent")
    assert time.monotonic() - began >= 0.2


def test_the_trace_names_what_was_met(tmp_path: Path) -> None:
    with armed(trace=str(tmp_path / "trace")):
        checkpoint("blob.written")
        checkpoint("blob.synced")
    assert (tmp_path / "trace").read_text() == "blob.written\nblob.synced\n"


@pytest.mark.parametrize("text", ["blob.synced", "blob.synced=explode", "=kill", "blob.synced:x=kill"])
def test_what_is_not_a_fault_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        parsed(text)
