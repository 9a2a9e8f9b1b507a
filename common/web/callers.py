"""In whose name a message comes (ITI-40): verified before anything else of it is looked at."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from common.settings import Settings
from common.soap.envelope import Envelope, own_blocks
from common.soap.faults import INVALID_SECURITY, SoapFault
from common.tls import Allowed, BadAllowList, Peer
from common.tls.listed import listed
from common.xua import SECURITY, BadIssuers, Caller, NotIdentified, Policy, Seen, Verifier, followed
from common.xua.header import has_token

log = logging.getLogger("portolan.xua")


class CannotIdentify(Exception):  # noqa: N818
    """The files that say whose word counts cannot be used; the text says which, and why."""


class Callers:
    """Identifies callers, as settings ask for; ``understood`` are the header blocks that are dealt with here."""

    def __init__(self, verifier: Verifier | None, systems: Callable[[], Allowed], *, required: bool) -> None:
        self._verifier, self._systems, self._required = verifier, systems, required
        self.understood: Final[Collection[str]] = (SECURITY,) if verifier is not None else ()

    def system(self, peer: Peer | None, caller: Caller | None) -> Peer | None:
        """The peer, where it is a system that acts for itself."""
        return peer if caller is None and peer is not None and peer in self._systems() else None

    def identify(self, envelope: Envelope, peer: Peer | None) -> Caller | None:
        """The user; None where none is told of, and need not be. SoapFault."""
        if self._verifier is None:
            return None
        headers = [block for block in own_blocks(envelope.header) if block.tag == SECURITY]
        if len(headers) > 1:
            raise SoapFault(INVALID_SECURITY, "There is more than one wsse:Security header.")
        now, security = time.time(), headers[0] if headers else None
        root = envelope.body.getroottree().getroot()
        try:
            if security is None or not has_token(security):
                if security is not None:
                    self._verifier.check_timestamp(security, now)
                if not self._required or (peer is not None and peer in self._systems()):
                    return None
            shown = (peer.fingerprint, peer.key) if peer is not None else ()
            return self._verifier.verify(root, security, now, *shown)
        except NotIdentified as refused:
            raise SoapFault(refused.kind, refused.told) from refused


def callers(settings: Settings, service: str, url: str) -> Callers:
    """As settings say, for a service at this address; CannotIdentify."""
    if settings.xua == "off":
        return Callers(None, Allowed, required=False)
    try:
        issuers = followed(Path(settings.xua_issuers))
    except OSError as error:
        raise CannotIdentify(f"{settings.xua_issuers}: {error.strerror}") from error
    except BadIssuers as error:
        raise CannotIdentify(f"{settings.xua_issuers}: {error}") from error
    try:
        named = settings.xua_systems
        systems: Callable[[], Allowed] = listed(named, "systems that act for themselves", log) if named else Allowed
    except OSError as error:
        raise CannotIdentify(f"{settings.xua_systems}: {error.strerror}") from error
    except BadAllowList as error:
        raise CannotIdentify(f"{settings.xua_systems}: {error}") from error
    parts = urlsplit(url)
    more = (each.strip() for each in settings.xua_audiences.split(","))
    audiences = frozenset(filter(None, (url, f"{parts.scheme}://{parts.netloc}", *more)))
    place = settings.data / f"assertions-{service}.seen"
    try:
        seen = Seen(place)
    except OSError as error:
        raise CannotIdentify(f"{place}: {error.strerror}") from error
    policy = Policy(issuers, audiences, settings.xua_skew, of_one_partner=settings.xua_replay == "certificate")
    return Callers(Verifier(policy, seen), systems, required=settings.xua == "required")
