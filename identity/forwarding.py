"""Tells the Registry what it must know of patients (ITI-8), in its own time, however often it takes."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from common.audit.account import Account
from common.audit.asking import Audits
from common.audit.spool import SpoolFailed
from common.client.errors import NeighbourError
from common.clock import utc_now
from common.db import Database, DatabaseError
from common.faults import checkpoint
from common.hl7.message import DEFAULT, read_message
from common.hl7.refusals import Ack, Condition, Hl7Refused
from common.observe import metrics
from identity.store import forwarding as store

log = logging.getLogger("portolan.forwarding")

LOOK_EVERY: Final = 0.5
_MEASURE_EVERY: Final = 5.0
_TURN_SECONDS: Final = 60.0
_FIRST_PAUSE: Final = 1.0
_MOST_PAUSE: Final = 300.0
_OWN: Final = "PORTOLAN-IDENTITY"


class Sends(Protocol):
    """Takes a message, gives its acknowledgement; NeighbourError."""

    def send(self, message: bytes) -> bytes:
        """One message."""
        ...

    def close(self) -> None:
        """No more."""
        ...


def written(forward: store.Forward, now: str) -> bytes:
    """The message: A04, or A40 with the subsumed id in MRG. It says no more of a patient than the Registry keeps."""
    head = ["MSH", DEFAULT.encoding_characters, _OWN, "", "", "", now, "", f"ADT^{forward.event}",
            f"F{forward.number}", "P", "2.3.1"]  # fmt: skip
    pid = ["PID", "", "", _cx(forward.patient), "", " "]
    segments = [head, ["EVN", forward.event, now], pid]
    segments.append(["MRG", _cx(forward.other)] if forward.event == "A40" else ["PV1", "", "N"])
    return "".join("|".join(segment) + "\r" for segment in segments).encode()


def _cx(patient_id: str) -> str:
    """A CX whose id is escaped, as any value of a message is."""
    number, _, authority = patient_id.partition("^^^")
    return f"{DEFAULT.escaped(number)}^^^{authority}"


class Forwarder:
    """Sends what is due, while it is this one's turn; any number of processes may have one."""

    def __init__(
        self,
        database: Database,
        client: Sends,
        *,
        now: Callable[[], str] = utc_now,
        every: float = LOOK_EVERY,
        audit: Audits | None = None,
        address: str = "",
    ) -> None:
        """``address`` is the Registry's, for the records."""
        self._audit, self._address = audit, address
        self._database = database
        self._client = client
        self._now = now
        self._every = every
        self._name = secrets.token_hex(8)
        self._measure_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forwarding", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End, once what is being sent has been answered."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.send_what_is_due()
                self._measure()
            except DatabaseError as error:
                log.error("the database cannot be used: %s", error)
            except Exception:
                log.exception("forwarding broke down; the next look tries again")

    def _measure(self) -> None:
        now = time.monotonic()
        if now < self._measure_at:
            return
        self._measure_at = now + _MEASURE_EVERY
        with self._database.read() as work:
            counts = store.counts(work)
        metrics.forwards(counts.get(store.WAITING, 0), counts.get(store.REFUSED, 0))

    def send_what_is_due(self) -> int:
        """How many the Registry accepted just now."""
        with self._database.read() as work:
            if store.next_due(work) is None:
                return 0
        sent = 0
        while not self._stop.is_set() and self._has_turn():
            with self._database.read() as work:
                due = store.next_due(work)
            if due is None or not self._sent(due):
                break
            sent += 1
        with self._database.write(single=True) as work:
            store.end_turn(work, self._name)
            work.commit()
        return sent

    def _has_turn(self) -> bool:
        with self._database.write(single=True) as work:
            taken = store.take_turn(work, self._name, _TURN_SECONDS)
            work.commit()
        return taken

    def _sent(self, due: store.Forward) -> bool:
        """Whether to go on: not where the Registry does not answer, or cannot work."""
        try:
            if self._audit is not None:
                self._audit.check()
            answer = self._client.send(written(due, self._now()))
        except SpoolFailed as failed:
            self._later(due, str(failed))
            return False
        except NeighbourError as error:
            self._later(due, f"the registry does not answer: {type(error).__name__}")
            return False
        checkpoint("forward.sent")
        code, told, condition = _read(answer)
        try:
            self._record(due, code, condition)
        except SpoolFailed as failed:
            self._later(due, str(failed))  # it is told once more then, which changes nothing
            return False
        if code == Ack.ACCEPT:
            with self._database.write(single=True) as work:
                store.done(work, due.number)
                work.commit()
            return True
        if condition == Condition.INTERNAL or not code:
            self._later(due, told)
            return False
        log.error("the registry refused what was forwarded (%s); see: portolan identity forwards", code)
        with self._database.write(single=True) as work:
            store.refused(work, due.number, told)
            work.commit()
        return True

    def _record(self, due: store.Forward, code: str, condition: str) -> None:
        """That we told the Registry is in our audit trail, as it is in its own."""
        if self._audit is None:
            return
        told = Account(message_id=f"F{due.number}", problems=[condition] if condition else [])
        if due.event == "A40":
            told.merges(due.other, due.patient)
        else:
            told.concerns(due.patient)
        self._audit.asked(f"ITI-8 {due.event}", code, told, f"mllp://{self._address}")

    def _later(self, due: store.Forward, told: str) -> None:
        pause = min(_FIRST_PAUSE * 2 ** min(due.tries, 20), _MOST_PAUSE)
        log.warning("forwarding waits %.0f s: %s", pause, told)
        with self._database.write() as work:
            store.later(work, due.number, pause, told)
            store.all_later(work, pause)
            work.commit()


def _read(answer: bytes) -> tuple[str, str, str]:
    """MSA-1, what was said, and the condition's code; all empty for what is no acknowledgement."""
    try:
        message = read_message(answer)
    except Hl7Refused:
        return "", "what came back is no acknowledgement", ""
    msa, err = message.first("MSA"), message.first("ERR")
    code = msa.raw(1).strip() if msa else ""
    condition = ""
    if err is not None:
        # Before version 2.5 the code is in a subcomponent of ERR-1, since then in ERR-3.
        condition = message.component(err.raw(1), 4) or message.component(err.raw(3), 1)
    return code, (msa.raw(3)[:300] if msa else "") or "no reason was given", condition
