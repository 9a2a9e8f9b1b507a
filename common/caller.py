"""Who asks, and why: the one model of a caller, whether an assertion (ITI-40) or a token (ITI-72) told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Coded:
    """A role or a purpose of use."""

    code: str
    system: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, as an issuer vouches for them. Times are seconds since the epoch.

    ``assertion_id`` is the assertion's ID, or the token's jti.
    """

    user: str
    issuer: str
    assertion_id: str
    until: float
    authentication: str = ""
    name: str = ""
    organisation: str = ""
    organisation_id: str = ""
    home_community_id: str = ""
    provider_id: str = ""
    provider_ids: tuple[str, ...] = ()
    roles: tuple[Coded, ...] = ()
    purposes: tuple[Coded, ...] = ()
    consents: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    patient_id: str = ""
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
