"""TLS contexts after BCP 195 (RFC 9325), made anew when a file that they were made of has changed.

Trust is by chain to a configured authority, or by a configured certificate itself, self-signed ones too (ITI TF-2
3.19.6.1). Sessions are not resumed: every connection is checked against the certificates and lists of the moment.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files as resources
from pathlib import Path
from typing import Final

from common.followed import Followed
from common.tls.peer import Allowed, BadAllowList

log = logging.getLogger("portolan.tls")

# What BCP 195 recommends at TLS 1.2, and ITI TF-2 3.19.6.2.3 wants offered; TLS 1.3 has no others.
_CIPHERS: Final = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "DHE-RSA-AES128-GCM-SHA256",
        "DHE-RSA-AES256-GCM-SHA384",
    )
)


class Role(Enum):
    """Which side of a connection a context is for."""

    SERVER = ssl.PROTOCOL_TLS_SERVER
    CLIENT = ssl.PROTOCOL_TLS_CLIENT


class Unusable(Exception):  # noqa: N818
    """A file that a context is made of cannot be used; the text says which, and why."""


@dataclass(frozen=True, slots=True)
class Files:
    """PEM files: who we are, whom we trust, and whose certificates were taken back. Empty ones are left out.

    ``key`` may be in the certificate's file. ``trust`` is a file, or a folder of files, of authorities and of single
    peers; a server without any asks no client who it is, and a client without any trusts the system's authorities.
    ``peers`` lists who of those that are trusted may connect to a server.
    """

    certificate: str = ""
    key: str = ""
    trust: str = ""
    crl: str = ""
    peers: str = ""
    check_names: bool = True

    @property
    def are_none(self) -> bool:
        """Whether nothing is set."""
        return not (self.certificate or self.trust or self.crl)

    def paths(self) -> list[Path]:
        """Every file, those of the trust folder too."""
        named = [Path(each) for each in (self.certificate, self.key, self.crl, self.peers) if each]
        return named + self.trusted()

    def trusted(self) -> list[Path]:
        """The files of authorities and peers."""
        if not self.trust:
            return []
        place = Path(self.trust)
        return sorted(each for each in place.iterdir() if each.is_file()) if place.is_dir() else [place]


def made(files: Files, role: Role) -> ssl.SSLContext:
    """A context; Unusable."""
    context = ssl.SSLContext(role.value)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.set_alpn_protocols(["http/1.1"])
    if role is Role.SERVER:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        context.num_tickets = 0
        context.load_dh_params(str(resources("common.tls") / "ffdhe3072.pem"))
        context.verify_mode = ssl.CERT_REQUIRED if files.trust else ssl.CERT_NONE
    else:
        context.check_hostname = files.check_names
    if files.certificate:
        try:
            context.load_cert_chain(files.certificate, files.key or None, password=_no_password)
        except (OSError, ssl.SSLError) as error:
            raise Unusable(f"{files.certificate} and its key: {_told(error)}") from error
    _trust(context, files)
    return context


def _no_password() -> str:
    raise OSError(0, "the key is encrypted, and nobody is here to ask for its password")


def _trust(context: ssl.SSLContext, files: Files) -> None:
    if not files.trust:
        if context.verify_mode != ssl.CERT_NONE:
            context.load_default_certs()
        return
    # With this a configured certificate that is no authority's is trusted as it stands.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        places = files.trusted()
    except OSError as error:
        raise Unusable(f"{files.trust}: {_told(error)}") from error
    if not places:
        raise Unusable(f"{files.trust}: there is no file in it")
    for place in places:
        _load(context, place)
    if files.crl:
        _load(context, Path(files.crl))
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _load(context: ssl.SSLContext, place: Path) -> None:
    try:
        context.load_verify_locations(place)
    except (OSError, ssl.SSLError) as error:
        raise Unusable(f"{place}: {_told(error)}") from error


def _told(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it is not PEM").replace("_", " ").lower()
    return error.strerror or type(error).__name__


def allowed_of(files: Files) -> Allowed:
    """Who may connect; Unusable."""
    try:
        return Allowed.from_file(files.peers)
    except OSError as error:
        raise Unusable(f"{files.peers}: {_told(error)}") from error
    except BadAllowList as error:
        raise Unusable(f"{files.peers}: {error}") from error


def of_client(files: Files) -> Renewed | None:
    """What to call others with: None, for the system's usual ways, where nothing is set. Unusable."""
    return None if files.are_none else Renewed(files, Role.CLIENT)


def of_server(files: Files) -> Renewed | None:
    """What to be called with: None, for no TLS, where there is no certificate. Unusable."""
    return Renewed(files, Role.SERVER) if files.certificate else None


class Renewed:
    """A context, made anew within a second or so of a change of its files; safe to use from many threads."""

    def __init__(self, files: Files, role: Role) -> None:
        """Unusable when the files cannot be used to begin with."""
        self._made = Followed(
            "certificates", lambda: (made(files, role), allowed_of(files)), files.paths, Unusable, log
        )

    def __call__(self) -> ssl.SSLContext:
        """The context to use now."""
        return self._made()[0]

    @property
    def allowed(self) -> Allowed:
        """Who may connect now."""
        return self._made()[1]
