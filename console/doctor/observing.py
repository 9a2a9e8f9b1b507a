"""Looks at where traces go."""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

from common.observe import spans
from common.settings import Settings
from console.doctor.finding import Findings, fail, ok, warn

ABOUT: Final = "traces"
_PATIENCE: Final = 5.0
_PORTS: Final = {"http": 80, "https": 443}


def look(settings: Settings) -> Findings:
    """Whether traces can be made, and their collector accepts connections; nothing where none are wanted."""
    if not settings.trace_endpoint:
        return
    try:
        spans.see_that_it_can()
    except spans.NotInstalled as error:
        yield fail(ABOUT, str(error), "Install it, or leave PORTOLAN_TRACE_ENDPOINT empty.")
        return
    parts = urlsplit(settings.trace_endpoint)
    try:
        address = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
        socket.create_connection(address, timeout=_PATIENCE).close()
    except OSError as error:
        told = f"the collector at {settings.trace_endpoint} does not answer ({error.strerror or error})"
        yield warn(ABOUT, told, "Start it; until then traces are lost, and nothing else.")
    else:
        yield ok(ABOUT, f"the collector at {settings.trace_endpoint} accepts connections")
