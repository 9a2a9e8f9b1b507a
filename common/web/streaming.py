"""Bodies that are too large to be held: from the event loop to a thread, and from a thread to the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Final

AHEAD: Final = 8
"""Chunks that the loop reads ahead of the thread; granian's have at most some 400 KiB."""


class Silence(Exception):  # noqa: N818
    """The other side did not send, or take, anything for too long."""


class IncomingBody:
    """``wsgi.input`` of a streamed request."""

    def __init__(self, loop: asyncio.AbstractEventLoop, idle: float) -> None:
        self._loop = loop
        self._idle = idle
        self._chunks: SimpleQueue[bytes | Exception | None] = SimpleQueue()
        self._left = b""
        self._ended: bytes | Exception | None = b""
        self.room = asyncio.Semaphore(AHEAD)

    def put(self, chunk: bytes | Exception | None) -> None:
        """From the loop: some bytes, the end (``None``), or what broke it off."""
        self._chunks.put(chunk)

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, as many as are there; none at the end. Silence when nothing comes."""
        if not self._left and not self._next():
            return b""
        if size < 0 or size >= len(self._left):
            taken, self._left = self._left, b""
        else:
            taken, self._left = self._left[:size], self._left[size:]
        return taken

    def _next(self) -> bool:
        if self._ended != b"":
            if isinstance(self._ended, Exception):
                raise self._ended
            return False
        try:
            # The loop keeps time; this bound is for a loop that has ended.
            chunk = self._chunks.get(timeout=2 * self._idle + 5)
        except Empty:
            raise Silence from None
        if isinstance(chunk, bytes):
            self._left = chunk
            self._loop.call_soon_threadsafe(self.room.release)
            return True
        self._ended = chunk
        return self._next()


class Pump:
    """Moves a request's body into an ``IncomingBody`` until it ends, breaks off, or takes too long."""

    def __init__(self, protocol: Any, into: IncomingBody, *, idle: float, total: float) -> None:
        self._protocol, self._into = protocol, into
        self._idle, self._until = idle, time.monotonic() + total
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        chunks = self._protocol.__aiter__()
        try:
            while True:
                await self._into.room.acquire()
                async with asyncio.timeout(min(self._idle, max(0.0, self._until - time.monotonic()))):
                    chunk: bytes = await chunks.__anext__()
                if chunk:
                    self._into.put(chunk)
                else:
                    self._into.room.release()
        except StopAsyncIteration:
            self._into.put(None)
        except TimeoutError:
            self._into.put(Silence())
        except Exception:
            self._into.put(None)  # cut short: whoever reads counts the bytes

    def stop(self) -> None:
        """The request has been answered: what is left of its body is not read."""
        self._task.cancel()


def send_stream(
    loop: asyncio.AbstractEventLoop,
    begin: Callable[[int, list[tuple[str, str]]], Any],
    status: int,
    headers: list[tuple[str, str]],
    body: Iterable[bytes],
    idle: float,
) -> None:
    """Send an answer chunk by chunk, one being read while one is sent; Silence when nobody takes them.

    What ``body`` raises leaves: the connection then ends before the promised length, so that nobody
    takes a part for the whole.
    """
    transport = begin(status, headers)
    sending: Future[None] | None = None
    for chunk in body:
        if sending is not None:
            _await(sending, idle)
        sending = asyncio.run_coroutine_threadsafe(_send(transport, chunk), loop)
    if sending is not None:
        _await(sending, idle)


async def _send(transport: Any, chunk: bytes) -> None:
    await transport.send_bytes(chunk)


def _await(sending: Future[None], idle: float) -> None:
    try:
        sending.result(idle)
    except TimeoutError:
        sending.cancel()
        raise Silence from None
