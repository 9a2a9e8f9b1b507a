"""Looks at the services at their configured addresses: whether they are ready, their clock, their certificates."""

from __future__ import annotations

import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from common.settings import Settings
from common.tls import Unusable, of_client, reason
from console.doctor import audit_trail, identity
from console.doctor.certificates import LEAST_DAYS, days_left
from console.doctor.finding import Finding, Findings, fail, ok, warn

_PATIENCE: Final = 5.0
# A Date header has whole seconds, and was written up to one second before.
_SKEW_SECONDS: Final = 2.0


def addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each service's name and address; the other repositories' included."""
    yield "registry", settings.registry_url
    for uid, address in settings.repository_addresses.items():
        yield ("repository" if uid == settings.repository_uid else f"repository {uid}"), address
    if identity.is_used(settings):
        yield "identity", settings.identity_url
    if audit_trail.is_used(settings):
        yield "audit repository", settings.audit_repository_url


def look(settings: Settings) -> Findings:
    """Each service in turn, called as they call one another."""
    try:
        made = of_client(settings.tls_files)
    except Unusable as error:
        yield fail("certificate", f"TLS cannot be spoken: {error}", "Correct the files that PORTOLAN_TLS_… name.")
        return
    tls = made() if made is not None else ssl.create_default_context()
    for name, address in addresses(settings):
        if address.startswith("https:"):
            yield from _certificate(name, address, tls)
        yield from _ready(name, address, tls)


def _ready(name: str, address: str, tls: ssl.SSLContext) -> Findings:
    parts = urlsplit(address)
    asked = f"{parts.scheme}://{parts.netloc}/ready"
    try:
        with urllib.request.urlopen(asked, timeout=_PATIENCE, context=tls) as answer:  # noqa: S310 - settings allow http and https
            yield ok(name, f"ready at {address}")
            yield from _clock(name, answer.headers.get("Date"))
    except urllib.error.HTTPError as error:
        yield warn(name, f"answers at {asked} with {error.code}: {_reasons(error)}", f"Look at the {name}'s log.")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        yield warn(name, f"does not answer at {asked} ({reason})", "Start it with `portolan serve`, if it should run.")


def _reasons(error: urllib.error.HTTPError) -> str:
    """The checks that failed, as a service that is not ready lists them."""
    try:
        checks = json.loads(error.read(65_536))["checks"]
        return ", ".join(f"{check} {found}" for check, found in checks.items() if found != "ok")
    except (ValueError, LookupError, TypeError, AttributeError, OSError):
        return "it is not a service of Portolan, or a proxy answers for it"


def _clock(name: str, told: str | None) -> Findings:
    if not told:
        return
    try:
        skew = abs(parsedate_to_datetime(told).timestamp() + 0.5 - time.time())
    except ValueError:
        return
    if skew > _SKEW_SECONDS:
        text = f"the {name}'s clock differs by about {skew:.0f} s"
        yield warn("clock", text, "Run a time service such as chrony on both machines.")
    else:
        yield ok("clock", f"that of the {name} agrees with ours")


def _certificate(name: str, address: str, tls: ssl.SSLContext) -> Findings:
    parts = urlsplit(address)
    try:
        with (
            socket.create_connection((parts.hostname or "", parts.port or 443), timeout=_PATIENCE) as plain,
            tls.wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            found = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        text = f"the certificate at {address}: {reason(error)}"
        yield fail("certificate", text, "Renew it, or make its CA known (PORTOLAN_TLS_TRUST, or SSL_CERT_FILE).")
    except ssl.SSLError as error:
        yield fail("certificate", f"no TLS with {address}: {reason(error)}", "See that it speaks TLS 1.2 or 1.3.")
    except OSError:
        return  # that it does not answer is told by the check of its readiness
    else:
        yield _expiry(name, str(found.get("notAfter", "")))


def _expiry(name: str, ends: str) -> Finding:
    days = days_left(ends) or 0.0
    told = f"that of the {name} ends in {days:.0f} days"
    return warn("certificate", told, "Renew it.") if days < LEAST_DAYS else ok("certificate", told)
