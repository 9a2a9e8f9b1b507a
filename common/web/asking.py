"""Whoever a message comes from, as access decisions see them."""

from __future__ import annotations

from common.access import Who
from common.access.names import coded, organisation
from common.caller import Caller
from common.tls import Peer
from common.web.message import Message


def who_asks(message: Message, reason_attribute: str = "") -> Who:
    """The user, or the system; nobody where neither is told of."""
    if message.caller is not None:
        return of_caller(message.caller, reason_attribute)
    return of_system(message.system) if message.system is not None else Who()


def of_caller(caller: Caller, reason_attribute: str = "") -> Who:
    """A user, as an assertion or a token tells of them."""
    return Who(
        user=caller.user,
        issuer=caller.issuer,
        roles=frozenset(coded(each.code, each.system) for each in caller.roles),
        organisation=organisation(caller.organisation_id),
        purposes=frozenset(coded(each.code, each.system) for each in caller.purposes),
        patient_id=caller.patient_id,
        reason=next(iter(caller.others.get(reason_attribute, ())), "") if reason_attribute else "",
    )


def of_system(peer: Peer) -> Who:
    """A system, by its certificate and the names that this is of."""
    return Who(system=(f"sha256:{peer.fingerprint}", *(f"name:{name}" for name in peer.names)))
