"""Bodies that are too large to be held: from the event loop to a thread, and from a thread to the loop."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final

AHEAD: Final = 8
"""Chunks that the loop reads ahead of the thread; granian's have at most some 400 KiB."""

PIPE: Final = 256 * 1024
"""Bytes of an answer on their way to the server; less than any answer that is streamed."""


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
        except asyncio.CancelledError:
            # Kept with the task, it would hold the protocol in a circle, and with it the connection open.
            return
        except TimeoutError:
            self._into.put(Silence())
        except Exception:
            self._into.put(None)  # cut short: whoever reads counts the bytes

    def stop(self) -> None:
        """The request has been answered: what is left of its body is not read."""
        self._task.cancel()


class Outlet:
    """A pipe to the server, which sends what comes out of it at the pace of whoever reads the answer.

    The server's own streams take in all they are given, and would hold a whole document for a slow reader;
    a pipe holds no more than its capacity.
    """

    def __init__(self, idle: float) -> None:
        self._idle = idle
        self._out, self._in = os.pipe()
        with suppress(OSError):  # a large one spares wake-ups; the usual 64 KiB will do as well
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, PIPE)
        self._capacity = fcntl.fcntl(self._in, fcntl.F_GETPIPE_SZ)
        self._written = 0
        os.set_blocking(self._in, False)
        self._poll = select.poll()
        self._poll.register(self._in, select.POLLOUT)

    @property
    def path(self) -> str:
        """The name by which the server opens the pipe."""
        return f"/dev/fd/{self._out}"

    def write(self, data: bytes) -> None:
        """Pass on some bytes; Silence when nobody takes them, or nobody is there any more."""
        left = memoryview(data)
        while left:
            try:
                count = os.write(self._in, left)
            except BlockingIOError:
                if not self._poll.poll(self._idle * 1000):
                    raise Silence from None
                continue
            except BrokenPipeError:
                raise Silence from None
            left = left[count:]
            self._written += count
            if self._out >= 0 and self._written > self._capacity:
                # The server has read from the pipe, so it has an end of its own. With ours closed we
                # learn when that one is.
                os.close(self._out)
                self._out = -1

    def close(self) -> None:
        """The end of the answer, or of the attempt to send it."""
        os.close(self._in)
        if self._out >= 0:
            os.close(self._out)


def send_stream(begin: Callable[[str], None], body: Iterable[bytes], idle: float) -> None:
    """Send an answer chunk by chunk; ``begin`` is given the path from which the server is to send.

    What ``body`` raises leaves: the connection then ends before the promised length, so that nobody
    takes a part for the whole.
    """
    outlet = Outlet(idle)
    try:
        begin(outlet.path)
        for chunk in body:
            outlet.write(chunk)
    finally:
        outlet.close()
