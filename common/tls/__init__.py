"""Mutual TLS of nodes (ITI-19): contexts after BCP 195, renewed as their files are, and who the other side is."""

from common.tls.contexts import Files, Renewed, Role, Unusable, of_client, of_server
from common.tls.peer import PEER, Allowed, BadAllowList, Peer
from common.tls.refusals import reason

__all__ = [
    "PEER",
    "Allowed",
    "BadAllowList",
    "Files",
    "Peer",
    "Renewed",
    "Role",
    "Unusable",
    "of_client",
    "of_server",
    "reason",
]
