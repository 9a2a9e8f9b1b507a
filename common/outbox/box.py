"""A service's outbox as its address uses it: may this be sent there, is there room, keep it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from common.client.carrier import Carrier
from common.client.channel import Tls
from common.db import Database, open_database
from common.outbox.courier import Courier, Make
from common.outbox.letter import Kind, Letter, Patience
from common.outbox.store import Store
from common.settings import Settings
from common.soap.destination import Allowed
from common.tls import of_client


class NotKept(Exception):  # noqa: N818
    """There is no room for an answer."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Bytes of one answer, and letters that wait."""

    answer: int
    waiting: int


class Outbox:
    """Keeps answers, and has them delivered."""

    def __init__(self, store: Store, allowed: Allowed, bounds: _Bounds) -> None:
        self._store, self._allowed, self._bounds = store, allowed, bounds
        self._courier: Courier | None = None
        self.ping = store.ping

    def check(self, addresses: Iterable[str]) -> None:
        """SoapFault when something may not be sent to one of these."""
        self._allowed.check(addresses)

    @property
    def is_full(self) -> bool:
        """Whether as much waits as may, by the last look."""
        return self._courier is not None and self._courier.depth.waiting >= self._bounds.waiting

    def keep(
        self,
        *,
        message_id: str,
        digest: str,
        transaction: str,
        correlation: str,
        kind: str,
        outcome: str,
        address: str,
        content_type: str,
        content: bytes,
        asked: str,
    ) -> None:
        """Keep an answer: when this returns it is durable. NotKept, DatabaseError."""
        if len(content) > self._bounds.answer:
            raise NotKept(f"the answer has {len(content)} bytes; at most {self._bounds.answer} are kept")
        named = (message_id, digest, transaction, correlation, Kind(kind), outcome, address, content_type)
        self._store.keep(Letter(*named, content, asked))
        if self._courier is not None:
            self._courier.wake()

    def start(self, courier: Courier) -> None:
        """Begin to deliver."""
        self._courier = courier
        courier.start()

    def stop(self) -> None:
        """Deliver no more, and close the database."""
        if self._courier is not None:
            self._courier.stop()
        self._store.close()

    def deliver(self, settings: Settings, service: str, make: Make) -> None:
        """Begin to deliver as settings say; ``make`` answers requests that were kept."""
        carrier = Carrier(
            self._allowed,
            connect_timeout=settings.connect_timeout,
            answer_timeout=settings.answer_timeout,
            tls=tls_of(settings),
        )
        self.start(
            Courier(
                self._store,
                carrier,
                make,
                service=service,
                threads=settings.outbox_threads,
                lease=settings.outbox_lease,
                patience=patience(settings),
                keep=settings.outbox_keep,
            )
        )


def tls_of(settings: Settings) -> Tls | None:
    """What receivers of answers are checked with, and shown where they ask who calls; Unusable."""
    return of_client(settings.tls_files_towards(settings.async_ca_file))


def patience(settings: Settings) -> Patience:
    """How often and how long delivery is tried."""
    return Patience(
        settings.outbox_retry_first, settings.outbox_retry_most, settings.outbox_tries, settings.outbox_give_up
    )


def database(settings: Settings, service: str) -> Database:
    """The database of a service's outbox."""
    return open_database(settings.outbox_url(service), pool=settings.outbox_threads + 3, wait=settings.database_wait)


def open_outbox(settings: Settings, service: str) -> Outbox | None:
    """The outbox of a service, whose database has to be migrated; ``None`` where no answer may be sent anywhere."""
    allowed = settings.async_allowed(service)
    if allowed.is_empty:
        return None
    store = Store(database(settings, service), service)
    return Outbox(store, allowed, _Bounds(settings.outbox_max_answer, settings.outbox_max_waiting))
