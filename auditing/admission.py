"""Who may read the trail by HTTP: bearers of a token with the scope, systems on a list of their own, or nobody.

To send records is no right to read them, so a certificate that is trusted is not enough.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from auditing.event import Coded
from auditing.own import Use
from common.caller import Caller
from common.oauth import Verifier
from common.settings import Settings
from common.tls import PEER, Allowed, BadAllowList, Peer
from common.tls.listed import listed
from common.web.bearer import Refused, bearer, verifier

log = logging.getLogger("portolan.auditing")


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever reads, as records name them."""

    user: str
    name: str = ""
    alias: str = ""
    roles: tuple[Coded, ...] = ()
    purposes: tuple[Coded, ...] = ()

    def use(self, by: str, question: str, host: str, network: str, **more: Any) -> Use:
        """Their reading."""
        return Use(
            self.user, by, question, host, self.name, network, alias=self.alias, roles=self.roles,
            purposes=self.purposes, **more,
        )  # fmt: skip


class CannotAdmit(Exception):  # noqa: N818
    """A file that says who may read cannot be used; the text says which, and why."""


class Admission:
    """Decides who may read, as settings say."""

    def __init__(
        self, verifies: Verifier | None, readers: Callable[[], Allowed] | None, scope: str, *, everybody: bool
    ) -> None:
        self._verifies, self._readers, self._scope, self._everybody = verifies, readers, scope, everybody

    @classmethod
    def as_set(cls, settings: Settings) -> Admission:
        """CannotAdmit, CannotAuthorise."""
        url = settings.audit_repository_url
        readers = None
        if settings.audit_repository_readers:
            try:
                readers = listed(settings.audit_repository_readers, "readers of the audit trail", log)
            except OSError as error:
                raise CannotAdmit(f"{settings.audit_repository_readers}: {error.strerror}") from error
            except BadAllowList as error:
                raise CannotAdmit(f"{settings.audit_repository_readers}: {error}") from error
        everybody = settings.audit_repository_open
        parts = urlsplit(url)
        audiences = (url, f"{parts.scheme}://{parts.netloc}")
        return cls(verifier(settings, audiences), readers, settings.audit_repository_scope, everybody=everybody)

    @property
    def is_possible(self) -> bool:
        """Whether anybody may read."""
        return self._verifies is not None or self._readers is not None or self._everybody

    @property
    def by_token(self) -> bool:
        """Whether tokens are taken."""
        return self._verifies is not None

    def admit(self, environ: Mapping[str, Any]) -> Reader:
        """Refused."""
        peer: Peer | None = environ.get(PEER)
        if peer is not None and self._readers is not None and peer in self._readers():
            return Reader(peer.subject, f"sha256:{peer.fingerprint}")
        if self._verifies is not None:
            return of_caller(bearer(environ, self._verifies, self._scope).caller)
        if self._everybody:
            return Reader(f"anonymous at {environ.get('REMOTE_ADDR', 'an unknown address')}")
        raise Refused(403, "", "This system may not read the audit trail.")


def of_caller(caller: Caller) -> Reader:
    """A token's user is `aud<sub@iss>` in records (IUA, ITI-72); their name is told beside that."""
    audience, subject = (next(iter(caller.others.get(name, ())), "") for name in ("aud", "sub"))
    return Reader(
        caller.user,
        f"{audience}<{subject or caller.user}@{caller.issuer}>",
        caller.name,
        tuple(Coded(each.code, each.system, each.display) for each in caller.roles),
        tuple(Coded(each.code, each.system, each.display) for each in caller.purposes),
    )
