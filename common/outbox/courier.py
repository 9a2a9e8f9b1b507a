"""Delivers what is due, in threads of its own; any number of processes may do so from one outbox."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from common.client.carrier import NotDelivered, Parcel
from common.db import DatabaseError
from common.faults import checkpoint
from common.observe import correlation, metrics
from common.outbox.letter import Depth, Kind, Letter, Patience, State, Taken
from common.outbox.store import BUSY, Store

log = logging.getLogger("portolan.outbox")

LOOK_EVERY: Final = 1.0
"""Seconds between two looks for letters that other processes kept, or whose pause is over."""
_MEASURE_EVERY: Final = 5.0
_SWEEP_EVERY: Final = 600.0
_MOST_POSTPONED: Final = 30.0
_GRACE: Final = 10.0
"""Seconds that a delivery may still take when the service is told to stop."""


class Made(Parcel, Protocol):
    """A parcel that was made for a letter; it may have to go to another address than the letter says."""

    @property
    def address(self) -> str | None:
        """Where it goes; ``None`` for nowhere."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class Carries(Protocol):
    """Takes a parcel to an address."""

    def carry(self, address: str, parcel: Parcel) -> None:
        """Deliver; NotDelivered."""
        ...

    def drop_late(self) -> None:
        """Break off what takes too long."""
        ...

    def drop_all(self) -> None:
        """Break off everything."""
        ...


Make = Callable[[str, bytes, str], Made]
"""Answers a request that was kept: its Content-Type, its bytes, and who asked."""


class _BrokenOff(Exception):  # noqa: N818
    """The service stops, or another worker has the letter."""


class _Whole:
    """A letter whose content is what is sent."""

    def __init__(self, letter: Letter) -> None:
        self._content = letter.content
        self.address: str | None = letter.address
        self.content_type = letter.content_type
        self.length = len(letter.content)

    def chunks(self) -> Iterator[bytes]:
        yield self._content

    def close(self) -> None:
        """Nothing."""


class _Watched:
    """A parcel whose sending ends where its delivery is broken off."""

    def __init__(self, made: Made, delivery: _Delivery) -> None:
        self._made, self._delivery = made, delivery
        self.content_type, self.length = made.content_type, made.length

    def chunks(self) -> Iterator[bytes]:
        for chunk in self._made.chunks():
            if self._delivery.broken_off:
                raise _BrokenOff
            yield chunk


class _Delivery:
    """A letter that is being delivered here."""

    def __init__(self, taken: Taken, lease: float) -> None:
        self.taken = taken
        self.broken_off = False
        self.renew_at = time.monotonic() + lease / 3


class Courier:
    """The threads of one process that deliver the letters of one service."""

    def __init__(
        self,
        store: Store,
        carrier: Carries,
        make: Make,
        *,
        service: str,
        threads: int,
        lease: float,
        patience: Patience,
        keep: float,
    ) -> None:
        """``lease``: how long a letter is a worker's own without being renewed; ``keep``: rows of what has ended."""
        self._store, self._carrier, self._make = store, carrier, make
        self._service, self._lease, self._patience, self._keep = service, lease, patience, keep
        self._bell = threading.Condition()
        self._calls = 0
        self._most_calls = threads
        self._active: dict[str, _Delivery] = {}
        self._stopping = False
        self._measure_at = self._sweep_at = 0.0
        self.depth = Depth(0, 0, 0.0)
        # Not daemons: a process that ends waits for what they are at, and they notice that it ends.
        self._threads = [threading.Thread(target=self._work, name=f"outbox-{number}") for number in range(threads)]
        self._threads.append(threading.Thread(target=self._look, name="outbox-look"))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Something was kept: deliver it now."""
        self._call(1)

    def _call(self, count: int) -> None:
        with self._bell:
            self._calls = min(self._calls + count, self._most_calls)
            self._bell.notify(count)

    def stop(self, grace: float = _GRACE) -> None:
        """End: deliveries have ``grace`` seconds to be finished, then they are broken off and due again."""
        with self._bell:
            self._stopping = True
            self._bell.notify_all()
        until = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._break_off()
        for thread in self._threads:
            thread.join(2)

    def _break_off(self) -> None:
        with self._bell:
            for delivery in self._active.values():
                delivery.broken_off = True
        self._carrier.drop_all()

    @property
    def _ended(self) -> bool:
        return self._stopping or not threading.main_thread().is_alive()

    def _work(self) -> None:
        """A worker's life: deliver while there is something, then wait to be called."""
        while not self._ended:
            with self._bell:
                if not self._bell.wait_for(lambda: self._calls > 0 or self._stopping, timeout=LOOK_EVERY):
                    continue
                self._calls = max(0, self._calls - 1)
            while not self._ended and self._deliver_next():
                pass

    def _deliver_next(self) -> bool:
        """Whether there was something to deliver."""
        try:
            taken = self._store.take(self._lease, self._crowded())
        except DatabaseError as error:
            log.error("the outbox cannot be read: %s", error)
            return False
        if taken is None:
            return False
        delivery = _Delivery(taken, self._lease)
        with self._bell:
            self._active[taken.lease] = delivery
        try:
            with correlation.bind(taken.letter.correlation):
                self._deliver(delivery)
        finally:
            with self._bell:
                del self._active[taken.lease]
        return True

    def _crowded(self) -> list[str]:
        """Addresses that half of the workers are busy with: a slow receiver must not stop the answers to others."""
        with self._bell:
            count = Counter(delivery.taken.letter.address for delivery in self._active.values())
        most = max(1, self._most_calls // 2)
        return [address for address, busy in count.items() if busy >= most and self._most_calls > 1][:BUSY]

    def _deliver(self, delivery: _Delivery) -> None:
        taken = delivery.taken
        try:
            made = self._made(taken.letter)
            try:
                if made.address is not None:
                    self._carrier.carry(made.address, _Watched(made, delivery))
            finally:
                made.close()
        except _BrokenOff:
            self._given_back(taken)
        except NotDelivered as error:
            if delivery.broken_off:
                self._given_back(taken)
                return
            self._failed(taken, str(error), silent=error.silent)
        except Exception:
            log.exception("an answer could not be made or sent")
            self._failed(taken, f"the service failed; its log tells more at {taken.letter.correlation}")
        else:
            checkpoint("outbox.sent")
            self._settled(lambda: self._store.end(taken, State.DELIVERED))
            self._tell(taken, "delivered")

    def _given_back(self, taken: Taken) -> None:
        """Due again at once: that it did not arrive was our doing."""
        self._settled(lambda: self._store.retry(taken, 0, "the service was stopped", counted=False))

    def _made(self, letter: Letter) -> Made:
        if letter.kind is not Kind.REQUEST:
            return _Whole(letter)
        return self._make(letter.content_type, letter.content, letter.asked)

    def _failed(self, taken: Taken, reason: str, *, silent: bool = False) -> None:
        """Try again later, or give up; where nobody answers, other letters to the address wait for a while, too."""
        if self._patience.is_over(taken.tries, taken.age):
            self._settled(lambda: self._store.end(taken, State.DEAD, reason))
            log.error(
                "an answer was given up: %s; see: portolan outbox show %s",
                reason,
                taken.id,
                extra={"letter": taken.id, "transaction": taken.letter.transaction, "tries": taken.tries},
            )
            metrics.outbox(self._service, "dead")
            return
        pause = self._patience.pause(taken.tries)
        self._settled(lambda: self._store.retry(taken, pause, reason))
        if silent:
            self._settled(lambda: self._store.postpone(taken.letter.address, min(pause, _MOST_POSTPONED)))
        self._tell(taken, "failed", reason=reason, pause_s=round(pause, 1))

    def _tell(self, taken: Taken, outcome: str, **more: object) -> None:
        metrics.outbox(self._service, outcome)
        told = {"letter": taken.id, "transaction": taken.letter.transaction, "tries": taken.tries, **more}
        level = logging.INFO if outcome == "delivered" else logging.WARNING
        log.log(level, "an answer was %s", "delivered" if outcome == "delivered" else "not delivered", extra=told)

    def _settled(self, step: Callable[[], object]) -> None:
        """Write down what came of a delivery; where that fails for good the lease ends, and it is delivered again."""
        for pause in (0.2, 1.0, None):
            try:
                step()
                return
            except DatabaseError as error:
                log.error("the outbox cannot be written: %s", error)
                if pause is not None:
                    time.sleep(pause)

    def _look(self) -> None:
        """The life of the thread that looks after the others."""
        while not self._ended:
            try:
                self._once()
            except DatabaseError as error:
                log.error("the outbox cannot be read: %s", error)
            except Exception:
                log.exception("looking after the outbox broke down; the next look tries again")
            with self._bell:
                self._bell.wait_for(lambda: self._stopping, timeout=LOOK_EVERY)
        self._see_out()

    def _see_out(self) -> None:
        """Keep what is still being delivered for its grace, then have it broken off."""
        until = time.monotonic() + _GRACE
        while self._active and time.monotonic() < until:
            time.sleep(0.05)
        self._break_off()

    def _once(self) -> None:
        now = time.monotonic()
        self._carrier.drop_late()
        self._renew(now)
        if due := self._store.due():
            self._call(due)
        if now >= self._measure_at:
            self._measure_at = now + _MEASURE_EVERY
            self.depth = self._store.depth()
            metrics.outbox_depth(self._service, self.depth.waiting, self.depth.dead, self.depth.oldest)
        if now >= self._sweep_at:
            self._sweep_at = now + _SWEEP_EVERY
            self._store.sweep(self._keep)

    def _renew(self, now: float) -> None:
        with self._bell:
            late = [delivery for delivery in self._active.values() if delivery.renew_at <= now]
        for delivery in late:
            delivery.renew_at = now + self._lease / 3
            if not self._store.renew(delivery.taken, self._lease):
                delivery.broken_off = True
