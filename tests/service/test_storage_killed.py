"""The folder store after a kill -9 at each of its steps: what was told is kept, and nothing half-made is seen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from repository.storage import open_store
from tests.suites.storage_suite import MIB, content_of, some_bytes

_IN_BATCHES = ("blob.settled", "mark.swept")  # how often these are met depends on how fast the rest is
SIZES = {"small": 10_000, "large": 3 * MIB}
_STORY = """
import sys
from repository.storage import open_store
from tests.suites.storage_suite import some_bytes

place, size = sys.argv[1], int(sys.argv[2])
store = open_store(place)
for unique_id in ("1", "2"):
    with store.upload() as upload:
        upload.write(some_bytes(size))
        blob = upload.commit(unique_id, "text/plain")
    print("committed", unique_id, flush=True)
    store.settle(blob)
    print("settled", unique_id, flush=True)
store.close()
print("closed", flush=True)
"""


def told(place: Path, size: int, **environment: str) -> tuple[int, list[str]]:
    """Run the story in a process of its own; its return code and what it said before it ended."""
    done = subprocess.run(
        [sys.executable, "-c", _STORY, str(place), str(size)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    return done.returncode, done.stdout.splitlines()


def steps(tmp_path: Path, size: int) -> list[str]:
    """Each meeting of a fault point in the story, as `name:count`."""
    trace = tmp_path / "trace"
    code, _ = told(tmp_path / "whole", size, PORTOLAN_FAULT_TRACE=str(trace))
    assert code == 0
    met: Counter[str] = Counter()
    found = []
    for name in trace.read_text().split():
        met[name] += 1
        if name in _IN_BATCHES and met[name] > 1:
            continue
        found.append(f"{name}:{met[name]}")
    return found


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_d1_killed_at_any_step_the_folder_keeps_what_it_told(tmp_path: Path, size: int) -> None:
    met = steps(tmp_path, size)
    assert {"blob.written:1", "blob.synced:2", "blob.marked:1", "mark.removed:2"} <= set(met)
    for number, step in enumerate(met):
        place = tmp_path / str(number)
        code, said = told(place, size, PORTOLAN_FAULT=f"{step}=kill")
        assert code == -signal.SIGKILL, step
        _judge(place, size, said, step)


def _judge(place: Path, size: int, said: list[str], step: str) -> None:
    store = open_store(place)
    store.uploads_abandoned(0)
    for unique_id in ("1", "2"):
        found = store.find(unique_id)
        if f"committed {unique_id}" in said:
            assert found, step
        if f"settled {unique_id}" in said:
            assert [blob.pending for blob in found] == [False], step
        for blob in found:
            assert content_of(store, blob) == some_bytes(size), step
            store.verify(blob)
    for blob in list(store.pending(0)):
        store.settle(blob)
    store.close()
    assert os.listdir(place / "incoming") == os.listdir(place / "pending") == [], step
