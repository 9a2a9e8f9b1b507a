"""Who sends a message, for whoever carries it out."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from common.tls import Peer


@dataclass(frozen=True, slots=True)
class Sender:
    """An address, and the certificate that was shown, if one was."""

    address: str = ""
    peer: Peer | None = None


SENDER: Final[ContextVar[Sender]] = ContextVar("sender", default=Sender())  # noqa: B039 - it is frozen
"""Set in the thread that carries out a message."""


def sender_of(writer: asyncio.StreamWriter) -> Sender:
    """Who is at the other end of a connection."""
    address = writer.get_extra_info("peername")
    secure = writer.get_extra_info("ssl_object")
    return Sender(str(address[0]) if address else "", Peer.of(secure) if secure is not None else None)
