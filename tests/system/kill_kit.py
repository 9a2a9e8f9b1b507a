"""What kill tests share: a letter that can be sent again, the steps of a service, and killing it at one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import requests

from common.model import Association, DocumentEntry
from repository.storage import open_store
from tests.factories import a_document, a_patient_id, a_submission, a_uuid
from tests.running import Pair, Running
from tests.wire import Answer, Services, answer, mtom_provide

# A mark may be settled only when no registration can be under way: longer than the two timeouts together.
QUICK = {"CONNECT_TIMEOUT": "0.5s", "ANSWER_TIMEOUT": "2s", "SWEEP_AFTER": "3s", "SWEEP_EVERY": "0.3s"}
PATIENT_ENOUGH = {"CONNECT_TIMEOUT": "0.5s", "ANSWER_TIMEOUT": "2s", "SWEEP_AFTER": "1h", "SWEEP_EVERY": "1h"}
LATER = ("blob.settled", "mark.swept")  # done in batches behind the answer: how often depends on how fast the rest is


@dataclass
class Letter:
    """One ITI-41 as bytes, so that it can be sent again."""

    links: tuple[Association, ...] = ()
    entry: DocumentEntry = field(default_factory=lambda: a_document(hash=None, size=None, entry_uuid=a_uuid()))
    content: bytes = b""
    kind: str = ""
    data: bytes = b""

    def __post_init__(self) -> None:
        """Make the message."""
        if not self.entry.patient_id or self.entry.patient_id.startswith("9990001006"):
            self.entry.patient_id = a_patient_id()
        self.content = (self.entry.unique_id or "").encode() * 50
        submission = a_submission(self.entry, *self.links)
        self.kind, self.data = mtom_provide(submission, {self.entry.entry_uuid: self.content})

    def send(self, services: Services) -> Answer | None:
        """Over a connection of its own; ``None`` when that broke."""
        own = services.apart()
        try:
            return answer(own.post(own.repository, self.data, self.kind))
        except requests.ConnectionError:
            return None


def until(true: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False


def stored(pair: Pair, unique_id: str) -> list[bool]:
    """For every copy of a document in the store, whether it is still marked."""
    named = pair.settings
    store = open_store(
        named.get("STORAGE") or str(Path(named["DATA"]) / "documents"),
        endpoint=named.get("S3_ENDPOINT", ""),
        access_key=named.get("S3_ACCESS_KEY", ""),
        secret_key=named.get("S3_SECRET_KEY", ""),
    )
    try:
        return [blob.pending for blob in store.find(unique_id)]
    finally:
        store.close()


def marked(pair: Pair, unique_id: str) -> int:
    """How many copies of a document are marked, found or not."""
    named = pair.settings
    store = open_store(
        named.get("STORAGE") or str(Path(named["DATA"]) / "documents"),
        endpoint=named.get("S3_ENDPOINT", ""),
        access_key=named.get("S3_ACCESS_KEY", ""),
        secret_key=named.get("S3_SECRET_KEY", ""),
    )
    try:
        return sum(blob.unique_id == unique_id for blob in store.all())
    finally:
        store.close()


def steps(service: Running, send: Callable[[], object]) -> list[str]:
    """Each meeting of a fault point in a service, as ``name:count``, while something is sent once."""
    trace = service.log.with_name("trace")
    service.kill()
    service.start(PORTOLAN_FAULT_TRACE=str(trace))
    trace.write_text("")
    send()
    assert until(lambda: bool(trace.read_text()), 5)
    met: Counter[str] = Counter()
    found = []
    for name in trace.read_text().split():
        met[name] += 1
        if name not in LATER:
            found.append(f"{name}:{met[name]}")
    return found + [f"{name}:1" for name in LATER if met[name]]


def killed_at(service: Running, step: str, send: Callable[[], Answer | None]) -> Answer | None:
    """What a sender sees while the service is killed at a step; afterwards the service runs without faults."""
    service.kill()
    service.start(PORTOLAN_FAULT=f"{step}=kill")
    seen = send()
    service.kill()
    service.start()
    return seen


def is_whole_or_nowhere(services: Services, letter: Letter) -> bool:
    """Registered and readable, or nothing visible; whether it is there."""
    ids = services.everything(letter.entry.patient_id or "")
    retrieved = services.retrieve(letter.entry.unique_id or "")
    if ids:
        assert len(ids) == 3 + 2 * len(letter.links)
        assert retrieved.documents() == {letter.entry.unique_id: letter.content}, retrieved.contexts
    else:
        assert retrieved.codes == ["XDSDocumentUniqueIdError"], retrieved.contexts
    return bool(ids)
