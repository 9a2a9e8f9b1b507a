"""A short story of two documents, told by a process that is killed at one of its steps, and what must hold then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from repository.storage import Buried, DocumentStore
from tests.suites.storage_suite import content_of, some_bytes

_IN_BATCHES = ("blob.settled", "mark.swept")  # how often these are met depends on how fast the rest is
_STORY = """
import sys
from repository.storage import open_store
from tests.suites.storage_suite import some_bytes

place, endpoint, access_key, secret_key, size = sys.argv[1:]
store = open_store(place, endpoint=endpoint, access_key=access_key, secret_key=secret_key)
for unique_id in ("1", "2"):
    with store.upload() as upload:
        upload.write(some_bytes(int(size)))
        blob = upload.commit(unique_id, "text/plain")
    print("committed", unique_id, flush=True)
    store.settle(blob)
    print("settled", unique_id, flush=True)
store.bury(store.find("2")[0], "a message")
print("buried", flush=True)
store.close()
print("closed", flush=True)
"""


def told(place: str, service: tuple[str, str, str], size: int, **environment: str) -> tuple[int, list[str]]:
    """Run the story in a process of its own; its return code and what it said before it ended."""
    done = subprocess.run(
        [sys.executable, "-c", _STORY, place, *service, str(size)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    return done.returncode, done.stdout.splitlines()


def steps(place: str, service: tuple[str, str, str], size: int, trace: Path) -> list[str]:
    """Each meeting of a fault point in the story, as `name:count`."""
    code, _ = told(place, service, size, PORTOLAN_FAULT_TRACE=str(trace))
    assert code == 0
    met: Counter[str] = Counter()
    found = []
    for name in trace.read_text().split():
        met[name] += 1
        if name in _IN_BATCHES and met[name] > 1:
            continue
        found.append(f"{name}:{met[name]}")
    return found


def kill_at_every_step(
    new_place: Callable[[], str],
    reopen: Callable[[str], DocumentStore],
    size: int,
    trace: Path,
    service: tuple[str, str, str] = ("", "", ""),
) -> list[str]:
    """Kill the story once at each step it has, each time on a new place, and judge; the places, swept."""
    met = steps(new_place(), service, size, trace)
    assert {"blob.written:1", "blob.synced:2", "blob.marked:1", "mark.removed:2", "blob.buried:1"} <= set(met)
    places = []
    for step in met:
        place = new_place()
        code, said = told(place, service, size, PORTOLAN_FAULT=f"{step}=kill")
        assert code == -signal.SIGKILL, step
        judge(reopen(place), size, said, step)
        places.append(place)
    return places


def judge(store: DocumentStore, size: int, said: list[str], step: str) -> None:
    """What was told is kept, and whatever is found is whole; then sweep as the service would."""
    store.uploads_abandoned(0)
    for unique_id in ("1", "2"):
        found = store.find(unique_id)
        if unique_id == "2" and store.tombstone("2"):
            assert found == [], step
            assert f"settled {unique_id}" in said, step
            continue
        assert "buried" not in said or unique_id != "2", step
        if f"committed {unique_id}" in said:
            assert found, step
        if f"settled {unique_id}" in said:
            assert [blob.pending for blob in found] == [False], step
        for blob in found:
            assert content_of(store, blob) == some_bytes(size), step
            store.verify(blob)
    for blob in list(store.pending(0)):
        try:
            store.settle(blob)
        except Buried:
            store.remove(blob)
    if tombstone := store.tombstone("2"):
        assert (tombstone.size, tombstone.message_id) == (size, "a message")
        assert store.find("2") == []
        with pytest.raises(Buried), store.upload() as upload:
            upload.commit("2", "text/plain")
    store.close()
