"""Serves MLLP: an event loop waits for connections, however many and slow; threads carry out whole messages.

Connections, sizes and times are bounded. A connection is answered in the order of its messages (HL7 v2 original mode);
one whose framing breaks is closed, since nobody can know where its next message begins. Over TLS, hands are shaken with
the certificates of the moment, and whoever was let in by older ones is let go with the next answer (ITI TF-2 3.19).
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
from typing import Final

from common.hl7.framing import Broken, FrameReader, framed
from common.mllp.sender import SENDER, Sender, sender_of
from common.tls import Peer, Renewed, reason

Handler = Callable[[bytes], bytes]
"""Carries out one message, and returns its acknowledgement; it may block."""

log = logging.getLogger("portolan.mllp")

_SLICE: Final = 64 * 1024
_WRITE_SECONDS: Final = 30.0
_PAUSE: Final = 0.1
BACKLOG: Final = 1024
"""Connections that wait to be accepted."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where and how to listen; times in seconds."""

    host: str
    port: int
    max_bytes: int
    max_connections: int
    idle: float
    message: float
    threads: int
    tls: Renewed | None = None
    not_admitted: Callable[[str, str], object] = lambda _address, _why: None
    """Called, in a thread, for each connection that TLS refuses: its address, and why."""


class MllpServer:
    """Listens until it is stopped."""

    def __init__(self, listening: Listening, handler: Handler) -> None:
        self._listening = listening
        self._handler = handler
        self._threads = ThreadPoolExecutor(listening.threads, thread_name_prefix="mllp")
        self._open: dict[asyncio.Task[None], bool] = {}
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def port(self) -> int:
        """The port that is listened on, also when 0 was asked for."""
        assert self._listener is not None
        found: int = self._listener.getsockname()[1]
        return found

    async def start(self, listener: socket.socket | None = None) -> None:
        """Begin to listen, at a socket that listens already if one is given; OSError if it cannot."""
        if listener is None:
            host = self._listening.host
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.create_server((host, self._listening.port), family=family, backlog=BACKLOG)
        listener.setblocking(False)
        self._listener = listener
        self._accepting = asyncio.create_task(self._accept(listener))

    async def stop(self, seconds: float = 20.0) -> None:
        """Close what is idle at once; messages that are being carried out are answered first."""
        self._stopping = True
        if self._accepting is not None:
            self._accepting.cancel()
        if self._listener is not None:
            self._listener.close()
        for task, busy in list(self._open.items()):
            if not busy:
                task.cancel()
        if self._open:
            await asyncio.wait(list(self._open), timeout=seconds)
        for task in list(self._open):
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listener)
            except OSError as error:  # too many files are open, say; those who wait are accepted when there is room
                log.warning("no connection can be accepted: %s", error.strerror)
                await asyncio.sleep(_PAUSE)
                continue
            if len(self._open) >= self._listening.max_connections:
                log.warning("a connection was refused: %d are open", len(self._open))
                sock.close()
                continue
            task = asyncio.create_task(self._served(sock, str(address[0])))
            self._open[task] = False

    async def _served(self, sock: socket.socket, address: str) -> None:
        """One connection, from its handshake to its end."""
        task = asyncio.current_task()
        assert task is not None
        context = self._listening.tls() if self._listening.tls else None
        writer: asyncio.StreamWriter | None = None
        try:
            reader, writer = await self._streams(sock, context)
            if self._is_admitted(writer, address):
                await self._converse(task, reader, writer, context)
        except asyncio.CancelledError:
            pass  # told to stop; nothing is being carried out
        except TimeoutError:
            log.info("a connection was closed: nothing came in time")
        except (OSError, ssl.SSLError) as error:
            if writer is None and isinstance(error, ssl.SSLError):
                self._refuse(address, reason(error))
            else:
                log.info("a connection was lost")
        except Exception:
            log.exception("a connection was closed: its message broke down")
        finally:
            self._open.pop(task, None)
            if writer is None:
                sock.close()
            else:
                writer.close()
                with contextlib.suppress(OSError, ssl.SSLError, asyncio.CancelledError):
                    await asyncio.wait_for(writer.wait_closed(), 1)

    async def _streams(
        self, sock: socket.socket, context: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection's two ways, once hands are shaken; OSError."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(_SLICE, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        patience = self._listening.message if context else None
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, sock, ssl=context, ssl_handshake_timeout=patience
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    def _is_admitted(self, writer: asyncio.StreamWriter, address: str) -> bool:
        """Whether whoever has shown a certificate is one of those who are expected."""
        told = writer.get_extra_info("ssl_object")
        peer = Peer.of(told) if told is not None else None
        if self._listening.tls is None or peer is None or peer in self._listening.tls.allowed:
            return True
        told = f"{peer.subject} (sha256:{peer.fingerprint}) is trusted, but not on the list of those who may connect"
        self._refuse(address, told)
        return False

    def _refuse(self, address: str, told: str) -> None:
        log.warning("refused a TLS connection from %s: %s", address, told)
        if not self._stopping:
            self._threads.submit(self._listening.not_admitted, address, told)

    async def _converse(
        self,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        context: ssl.SSLContext | None,
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
            if self._stopping or (self._listening.tls and self._listening.tls() is not context):
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
