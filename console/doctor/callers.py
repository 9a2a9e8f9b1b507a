"""Looks at who may ask and what they may: issuers of assertions, systems, and what access is decided by."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from common.access import AccessPolicyError, load_access_policy
from common.access.places import PlacesError, load_places
from common.access.records import KINDS
from common.settings import Settings
from common.tls import Allowed, BadAllowList, Peer
from common.xua.issuers import BadIssuers, read_issuers
from console.database import database
from console.doctor.certificates import ending, own
from console.doctor.finding import Findings, fail, ok, warn
from console.failure import Failure
from registry.access import store
from registry.store import schema

ABOUT: Final = "callers"
ACCESS: Final = "access"
_SQLITE: Final = "sqlite:///"


def look(settings: Settings) -> Findings:
    """Who may vouch, and who needs nobody to; nothing where nobody is asked who they are."""
    if settings.xua == "off":
        return
    yield from _issuers(settings)
    if settings.tls_trust or settings.tls_proxies:
        yield from _systems(settings)


def access(settings: Settings) -> Findings:
    """What access is decided by; nothing where nobody is asked who they are."""
    if settings.access_relationships_from_adt:
        yield from _places(settings)
    if settings.xua == "off":
        return
    if settings.access == "off":
        told = "access is off: whoever is let in may see and change everything"
        yield warn(ACCESS, told, "Set PORTOLAN_ACCESS=on; docs/guide/access.md says how.")
        return
    yield from _policy(settings)


def _issuers(settings: Settings) -> Findings:
    file = settings.xua_issuers
    try:
        issuers = read_issuers(Path(file))
    except OSError as error:
        yield fail(ABOUT, f"{error.filename or file}: {error.strerror}", "Correct PORTOLAN_XUA_ISSUERS.")
        return
    except BadIssuers as error:
        yield fail(ABOUT, f"{file}: {error}", "Correct it; docs/guide/user-assertions.md says what stands there.")
        return
    yield ok(ABOUT, f"issuers whose assertions count: {len(issuers)}")
    for name, certificates in issuers.items():
        # An old one beside its successor does no harm.
        newest = max(certificates, key=lambda each: each.not_valid_after_utc)
        advice = f"Put its next certificate beside it in {file}."
        yield ending(ABOUT, f"the last certificate of the issuer {name}", newest, advice)


def _systems(settings: Settings) -> Findings:
    file = settings.xua_systems
    advice = "Add the line of each Repository's certificate: a Registry hears it without an assertion."
    try:
        systems = Allowed.from_file(file) if file else Allowed()
    except OSError as error:
        yield fail(ABOUT, f"{file}: {error.strerror}", "Correct PORTOLAN_XUA_SYSTEMS.")
        return
    except BadAllowList as error:
        yield fail(ABOUT, f"{file}: {error}", "Correct that line.")
        return
    if not systems.fingerprints and not systems.names:
        yield warn(ABOUT, f"xua_systems {f'({file}) ' if file else ''}lists nobody who acts for itself", advice)
        return
    mine = own(settings)
    if mine is not None and mine not in systems:
        yield warn(ABOUT, f"{file} does not list our own certificate", f"{advice} Ours is sha256:{mine.fingerprint}.")
    else:
        yield ok(ABOUT, f"systems that act for themselves: {len(systems.fingerprints) + len(systems.names)}")


def _places(settings: Settings) -> Findings:
    try:
        places = load_places(settings.access_places)
    except PlacesError as error:
        yield fail(ACCESS, f"relationships cannot be made of ADT: {error}", "Correct the file of access_places.")
        return
    yield ok(ACCESS, f"places of ADT messages that stand for an organisation: {len(places.codes)}")


def _policy(settings: Settings) -> Findings:
    try:
        policy = load_access_policy(settings.access_policy)
    except AccessPolicyError as error:
        yield fail(ACCESS, f"the policy cannot be used: {error.problems[0]}", "Correct the file of access_policy.")
        return
    yield ok(ACCESS, f"the policy {policy.name} can be used")
    url = settings.database_url
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists():
        return  # a Repository's machine, or one where nothing was started; looking must not make a database
    try:
        with database(settings) as opened:
            if schema.current(opened) != schema.newest():
                return  # which is told of the database
            with opened.read() as work:
                roles = store.records(work, KINDS["roles"])
                users = store.records(work, KINDS["users"])
    except Failure:
        return
    yield from _roles(len(roles), [each["user"] for each in users if each["roles"].strip()], own(settings))


def _roles(roles: int, users: list[str], mine: Peer | None) -> Findings:
    if not roles:
        told = "access is on, and no role has any right: everybody is refused everything"
        yield warn(ACCESS, told, "`portolan access roles import FILE`; `roles example FILE` writes one to begin with.")
        return
    yield ok(ACCESS, f"rights of roles: {roles}")
    if mine is not None and not {f"sha256:{mine.fingerprint}", *(f"name:{each}" for each in mine.names)} & set(users):
        told = "our own certificate is no user with a role: a Repository that shows it gets nothing at the Registry"
        advice = f"`portolan access users add --user sha256:{mine.fingerprint} --kind system --roles …`"
        yield warn(ACCESS, told, f"{advice}, as docs/guide/access.md says of systems.")
