"""Whether somebody listens at an address."""

from __future__ import annotations

import socket
from typing import Final

from console.doctor.finding import Finding, ok, warn

_PATIENCE: Final = 5.0


def look(about: str, what: str, shown: str, address: tuple[str, int], advice: str) -> Finding:
    """One connection, made and closed; ``what`` is called ``shown``."""
    try:
        socket.create_connection(address, timeout=_PATIENCE).close()
    except OSError as error:
        return warn(about, f"{what} at {shown} does not answer ({error.strerror or error})", advice)
    return ok(about, f"{what} at {shown} accepts connections")
