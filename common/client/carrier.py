"""Carries answers to the addresses that senders named: where that is allowed, to the machine that was looked at."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

from common.client.channel import Channel, Tls
from common.client.errors import ClientError, NotReached
from common.client.soap import CORRELATION
from common.observe import correlation
from common.soap.destination import Allowed, Target, ip_of, target_of

_ARRIVED: Final = (200, 202, 204)
_MOST_ADDRESSES: Final = 8


class NotDelivered(ClientError):  # noqa: N818
    """An answer did not arrive, as far as can be told; ``silent``: nobody was there to answer."""

    def __init__(self, told: str, *, silent: bool = False) -> None:
        super().__init__(told)
        self.silent = silent


class Parcel(Protocol):
    """What is carried; ``length`` in bytes."""

    @property
    def content_type(self) -> str:
        """Its Content-Type."""
        ...

    @property
    def length(self) -> int:
        """Its length."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, none of the pieces empty."""
        ...


class _Sending:
    """A parcel on its way, which knows whether all of it was handed over."""

    repeatable = False

    def __init__(self, parcel: Parcel) -> None:
        self._parcel = parcel
        self.sent = False

    @property
    def length(self) -> int:
        return self._parcel.length

    def chunks(self) -> Iterator[bytes]:
        yield from self._parcel.chunks()
        self.sent = True


@dataclass(slots=True)
class _Line:
    """A connection that is in use; ``until`` is when what comes back has to be there."""

    sending: _Sending
    socket: socket.socket | None = None
    until: float | None = None

    def cut(self) -> None:
        """End the connection: whoever reads from it or writes to it learns so at once."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)


class Carrier:
    """Posts parcels, each over a connection of its own; follows no redirect and asks no proxy."""

    def __init__(
        self, allowed: Allowed, *, connect_timeout: float, answer_timeout: float, tls: Tls | None = None
    ) -> None:
        """Times in seconds."""
        self._allowed = allowed
        self._connect_timeout, self._answer_timeout = connect_timeout, answer_timeout
        self._tls = tls
        self._lines: list[_Line] = []
        self._lock = threading.Lock()

    def carry(self, address: str, parcel: Parcel) -> None:
        """Deliver; NotDelivered with the reason, in words without values of the message."""
        target = self._target(address)
        sending = _Sending(parcel)
        headers = {"Content-Type": parcel.content_type, CORRELATION: correlation.current() or correlation.new()}
        with self._line(sending) as line, self._channel(target, line) as channel:
            try:
                reply = channel.post(sending, headers)
            except ClientError as error:
                raise NotDelivered(str(error), silent=True) from error
            status = reply.status
            reply.close()
        if status not in _ARRIVED:
            raise NotDelivered(f"the receiver answered with HTTP status {status}")
        if not sending.sent:
            raise NotDelivered(f"the receiver answered with HTTP status {status} before it had been sent everything")

    def _target(self, address: str) -> Target:
        try:
            target = target_of(address)
        except ValueError:
            raise NotDelivered("the address is not a plain http or https address") from None
        if not self._allowed.takes(target):
            raise NotDelivered("the setting async_reply_to does not allow the address (any more)")
        return target

    def _dial(self, target: Target, line: _Line) -> socket.socket:
        """A connection to the first allowed address of a host; OSError, NotReached."""
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        problem: OSError | None = None
        good = [each for each in found if self._reaches(target, str(each[4][0]))]
        for family, kind, protocol, _, address in good[:_MOST_ADDRESSES]:
            made = socket.socket(family, kind, protocol)
            try:
                made.settimeout(self._connect_timeout)
                made.connect(address)
            except OSError as error:
                made.close()
                problem = error
                continue
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.socket = made.dup()  # the connection stays within reach, whatever TLS is put around it
            return made
        if problem is not None:
            raise problem
        raise NotReached("its name leads to an address of this machine or network that async_reply_to does not list")

    def _reaches(self, target: Target, resolved: str) -> bool:
        ip = ip_of(resolved.partition("%")[0])
        return ip is not None and self._allowed.reaches(target, ip)

    @contextmanager
    def _line(self, sending: _Sending) -> Iterator[_Line]:
        line = _Line(sending)
        with self._lock:
            self._lines.append(line)
        try:
            yield line
        finally:
            with self._lock:
                self._lines.remove(line)
                if line.socket is not None:
                    line.socket.close()

    @contextmanager
    def _channel(self, target: Target, line: _Line) -> Iterator[Channel]:
        host = f"[{target.host}]" if ":" in target.host else target.host
        made = Channel(
            f"{target.scheme}://{host}:{target.port}{target.path}",
            connect_timeout=self._connect_timeout,
            answer_timeout=self._answer_timeout,
            tls=self._tls,
            dial=lambda: self._dial(target, line),
        )
        try:
            yield made
        finally:
            made.close()

    def drop_late(self) -> None:
        """Break off what takes too long to answer, a byte now and then included; to be called now and then."""
        now = time.monotonic()
        with self._lock:
            for line in self._lines:
                if line.until is None and line.sending.sent:
                    line.until = now + self._answer_timeout + 1
                elif line.until is not None and line.until < now:
                    line.cut()

    def drop_all(self) -> None:
        """Break off everything."""
        with self._lock:
            for line in self._lines:
                line.cut()
