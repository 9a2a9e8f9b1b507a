"""Looks at where traces go."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from common.observe import spans
from common.settings import Settings
from console.doctor import listening
from console.doctor.finding import Findings, fail

ABOUT: Final = "traces"
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
    address = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
    advice = "Start it; until then traces are lost, and nothing else."
    yield listening.look(ABOUT, "the collector", settings.trace_endpoint, address, advice)
