"""Whether somebody listens at an address, and lets us in where TLS is spoken there."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Final

from common.tls import reason
from console.doctor.certificates import LEAST_DAYS, days_left
from console.doctor.finding import Finding, fail, ok, warn

_PATIENCE: Final = 5.0
# TLS 1.3 tells of a refused certificate after the handshake. These listeners say nothing before they are spoken to.
_REFUSAL: Final = 0.5


def look(
    about: str, what: str, shown: str, address: tuple[str, int], advice: str, tls: ssl.SSLContext | None = None
) -> Finding:
    """One connection, made and closed, with TLS as given; ``what`` is called ``shown``."""
    named = f"{what} at {shown}"
    try:
        plain = socket.create_connection(address, timeout=_PATIENCE)
    except OSError as error:
        return warn(about, f"{named} does not answer ({error.strerror or error})", advice)
    with plain:
        if tls is None:
            return ok(about, f"{named} accepts connections")
        return _greet(about, named, plain, address[0], tls)


def _greet(about: str, named: str, plain: socket.socket, host: str, tls: ssl.SSLContext) -> Finding:
    try:
        with tls.wrap_socket(plain, server_hostname=host) as secure:
            days = days_left(str((secure.getpeercert() or {}).get("notAfter", "")))
            if not _stays(secure):
                told = f"{named} closed the connection at once: it does not expect our certificate"
                return fail(about, told, "Add our certificate's line to tls_peers there; its log shows the line.")
            with contextlib.suppress(OSError, ValueError):
                secure.unwrap()
    except ssl.SSLCertVerificationError as error:
        told = f"the certificate of {named}: {reason(error)}"
        return fail(about, told, "Renew it, or make its authority known (PORTOLAN_TLS_TRUST).")
    except TimeoutError:
        told = f"{named} accepts connections, and answered nothing for {_PATIENCE:.0f} s"
        return warn(about, told, "It may be starting, or very busy, or speak no TLS; its log says which.")
    except OSError as error:
        told = f"no TLS with {named}: {reason(error) if isinstance(error, ssl.SSLError) else error}"
        return fail(about, told, "See that it speaks TLS, and trusts and expects our certificate.")
    if days is not None and days < LEAST_DAYS:
        return warn(about, f"{named} accepts us, and its certificate ends in {days:.0f} days", "Renew it.")
    return ok(about, f"{named} accepts us over TLS")


def _stays(secure: ssl.SSLSocket) -> bool:
    secure.settimeout(_REFUSAL)
    try:
        return bool(secure.recv(1))
    except TimeoutError:
        return True
    finally:
        secure.settimeout(_PATIENCE)
