"""Bounds of the server of HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes."""

    threads: int
    idle: float
    """Longest silence within a request or an answer."""
    total: float
    """Longest time for a body to arrive."""
    kept: float = 75.0
    """How long a connection is kept that nothing is asked on."""
    shake: float = 10.0
    """Longest time for a handshake of TLS."""
    small: int = 256 * 1024
    """Bodies up to this size are taken in whole before a thread is engaged."""
    slowest: int = 16 * 1024
    """Bytes a second that a sender of a small body has to reach."""
    whole: int = 1024 * 1024
    """Answers up to this size wait in memory for whoever takes them slowly."""
    waiting: int = 512
    """Requests that wait for a thread before more are refused."""
    refused: Callable[[], object] = lambda: None
    """Called for each request that is refused since too many wait."""
    not_admitted: Callable[[str, str], object] = lambda _address, _why: None
    """Called for each connection that TLS refuses: its address, and why."""
    connections: int = 4096
    linger: int = 64 * 2**20
    """Bytes of a refused message that are read and dropped, so that its sender hears why."""
