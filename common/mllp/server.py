"""Serves MLLP: an event loop waits for connections, however many and slow; threads carry out whole messages.

Connections, sizes and times are bounded. A connection is answered in the order of its messages (HL7 v2 original mode);
one whose framing breaks is closed, since nobody can know where its next message begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from common.hl7.framing import Broken, FrameReader, framed
from common.mllp.sender import SENDER, Sender, sender_of

Handler = Callable[[bytes], bytes]
"""Carries out one message, and returns its acknowledgement; it may block."""

log = logging.getLogger("portolan.mllp")

_SLICE: Final = 64 * 1024
_WRITE_SECONDS: Final = 30.0
BACKLOG: Final = 1024
"""Connections that wait to be accepted."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where and how to listen; times in seconds. Without a certificate there is no TLS."""

    host: str
    port: int
    max_bytes: int
    max_connections: int
    idle: float
    message: float
    threads: int
    certificate: str = ""
    key: str = ""
    client_ca: str = ""

    def tls(self) -> ssl.SSLContext | None:
        """TLS 1.2 or later; with a CA for clients, only those whose certificate it signed get in."""
        if not self.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(Path(self.certificate), Path(self.key) if self.key else None)
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class MllpServer:
    """Listens until it is stopped."""

    def __init__(self, listening: Listening, handler: Handler) -> None:
        self._listening = listening
        self._handler = handler
        self._threads = ThreadPoolExecutor(listening.threads, thread_name_prefix="mllp")
        self._open: dict[asyncio.Task[None], bool] = {}
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on, also when 0 was asked for."""
        assert self._server is not None
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def start(self, listener: socket.socket | None = None) -> None:
        """Begin to listen, at a socket that listens already if one is given; OSError or ssl.SSLError if it cannot."""
        tls = self._listening.tls()
        place: dict[str, Any] = {"host": self._listening.host, "port": self._listening.port}
        self._server = await asyncio.start_server(
            self._accepted,
            **(place if listener is None else {"sock": listener}),
            backlog=BACKLOG,
            limit=_SLICE,
            ssl=tls,
            ssl_handshake_timeout=self._listening.message if tls else None,
        )

    async def stop(self, seconds: float = 20.0) -> None:
        """Close what is idle at once; messages that are being carried out are answered first."""
        if self._server is not None:
            self._server.close()
        for task, busy in list(self._open.items()):
            if not busy:
                task.cancel()
        if self._open:
            await asyncio.wait(list(self._open), timeout=seconds)
        for task in list(self._open):
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) >= self._listening.max_connections:
            log.warning("a connection was refused: %d are open", len(self._open))
            writer.close()
            return
        self._open[task] = False
        try:
            await self._converse(task, reader, writer)
        except asyncio.CancelledError:
            pass  # told to stop; nothing is being carried out
        except TimeoutError:
            log.info("a connection was closed: nothing came in time")
        except (OSError, ssl.SSLError):
            log.info("a connection was lost")
        except Exception:
            log.exception("a connection was closed: its message broke down")
        finally:
            self._open.pop(task, None)
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.CancelledError):
                await asyncio.wait_for(writer.wait_closed(), 1)

    async def _converse(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        frames = FrameReader(self._listening.max_bytes)
        began = 0.0
        while True:
            rest = began + self._listening.message - time.monotonic()
            async with asyncio.timeout(rest if frames.is_within else self._listening.idle):
                data = await reader.read(_SLICE)
            if not data:
                if frames.is_within:
                    log.warning("a connection was closed: it ended within a message")
                return
            began = began if frames.is_within else time.monotonic()
            for event in frames.feed(data):
                if isinstance(event, Broken):
                    log.warning("a connection was closed: %s", event.reason)
                    return
                self._open[task] = True
                await self._answer(event.data, writer)
                self._open[task] = False
                began = time.monotonic()
            if self._server is None or not self._server.is_serving():
                return

    def _handled(self, message: bytes, sender: Sender) -> bytes:
        SENDER.set(sender)
        return self._handler(message)

    async def _answer(self, message: bytes, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._threads, self._handled, message, sender_of(writer))
        writer.write(framed(answer))
        async with asyncio.timeout(_WRITE_SECONDS):
            await writer.drain()
